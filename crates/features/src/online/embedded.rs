//! The online store in a file: redb, with every row also in memory.
//!
//! The file is the truth and memory its mirror: a row goes to the file first, is fsynced, and only then can be read, so
//! nothing that was ever served is lost in a crash. One writer at a time holds the writer's lock for the whole of that;
//! readers wait for neither the disk nor the writer, only for the moment in which finished rows are put into the map.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use async_trait::async_trait;
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use types::Digest;

use super::{EntityKey, Error, OnlineStore, Read, Space, StoredRow, Written};

/// Key: two bytes for the length of the view's name, the name, 32 bytes of digest, the entity. Value: the row.
const ROWS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows_v1");

type Rows = HashMap<EntityKey, StoredRow>;

/// An [`OnlineStore`] in one file, open in one process.
#[derive(Debug, Clone)]
pub struct Embedded {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    file: Database,
    writer: Mutex<()>,
    spaces: RwLock<HashMap<Space, Rows>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Embedded {
    /// Opens or makes the file, and reads it into memory. Blocks.
    ///
    /// # Errors
    /// When another process has it open, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::store("open"))?;
        }
        let file = Database::create(path).map_err(|error| {
            if matches!(error, DatabaseError::DatabaseAlreadyOpen) {
                Error::InUse { path: path.to_owned() }
            } else {
                Error::store("open")(error)
            }
        })?;
        let write = file.begin_write().map_err(Error::store("open"))?;
        write.open_table(ROWS).map_err(Error::store("open"))?;
        write.commit().map_err(Error::store("open"))?;
        let spaces = RwLock::new(load(&file)?);
        Ok(Self { shared: Arc::new(Shared { path: path.to_owned(), file, writer: Mutex::new(()), spaces }) })
    }
}

fn load(file: &Database) -> Result<HashMap<Space, Rows>, Error> {
    let read = file.begin_read().map_err(Error::store("read"))?;
    let table = read.open_table(ROWS).map_err(Error::store("read"))?;
    let mut spaces: HashMap<Space, Rows> = HashMap::new();
    for entry in table.iter().map_err(Error::store("read"))? {
        let (key, row) = entry.map_err(Error::store("read"))?;
        // Rows of a form that this version does not know are as good as not there: materializing writes them anew.
        if let (Some((space, entity)), Some(row)) = (split(key.value()), StoredRow::from_bytes(row.value())) {
            spaces.entry(space).or_default().insert(entity, row);
        }
    }
    Ok(spaces)
}

fn prefix(space: &Space) -> Vec<u8> {
    let length = u16::try_from(space.view.len()).unwrap_or(u16::MAX);
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(&space.view.as_bytes()[..usize::from(length)]);
    bytes.extend_from_slice(space.digest.as_bytes());
    bytes
}

fn split(key: &[u8]) -> Option<(Space, EntityKey)> {
    let (length, rest) = key.split_first_chunk::<2>()?;
    let (view, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let (digest, entity) = rest.split_first_chunk::<32>()?;
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let digest = Digest::parse(&format!("sha256:{hex}")).ok()?;
    Some((Space { view: std::str::from_utf8(view).ok()?.to_owned(), digest }, EntityKey::from_bytes(entity)))
}

impl Shared {
    fn put(&self, space: &Space, rows: Vec<(EntityKey, StoredRow)>) -> Result<Written, Error> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut written = Written::default();
        let mut fresh: Rows = HashMap::with_capacity(rows.len());
        let mut unchanged = 0;
        {
            let spaces = self.spaces.read().unwrap_or_else(PoisonError::into_inner);
            let stored = spaces.get(space);
            for (key, row) in rows {
                let current = fresh.get(&key).or_else(|| stored.and_then(|rows| rows.get(&key)));
                match current {
                    Some(current) if !row.replaces(current) => written.superseded += 1,
                    Some(current) if *current == row => unchanged += 1,
                    Some(_) | None => {
                        fresh.insert(key, row);
                        written.stored += 1;
                    }
                }
            }
        }
        written.stored += unchanged;
        if fresh.is_empty() {
            return Ok(written);
        }
        self.write(space, &fresh)?;
        self.spaces.write().unwrap_or_else(PoisonError::into_inner).entry(space.clone()).or_default().extend(fresh);
        drop(writer);
        Ok(written)
    }

    fn write(&self, space: &Space, rows: &Rows) -> Result<(), Error> {
        let write = self.file.begin_write().map_err(Error::store("write"))?;
        {
            let mut table = write.open_table(ROWS).map_err(Error::store("write"))?;
            let mut key = prefix(space);
            let begin = key.len();
            let mut sorted: Vec<_> = rows.iter().collect();
            sorted.sort_unstable_by(|a, b| a.0.cmp(b.0));
            for (entity, row) in sorted {
                key.truncate(begin);
                key.extend_from_slice(entity.as_bytes());
                table.insert(key.as_slice(), row.as_bytes()).map_err(Error::store("write"))?;
            }
        }
        write.commit().map_err(Error::store("write"))
    }

    fn back_up(&self, to: &Path) -> Result<(), Error> {
        let read = self.file.begin_read().map_err(Error::store("read"))?;
        let rows = read.open_table(ROWS).map_err(Error::store("read"))?;
        let copy = Database::create(to).map_err(Error::store("back up"))?;
        let write = copy.begin_write().map_err(Error::store("back up"))?;
        {
            let mut table = write.open_table(ROWS).map_err(Error::store("back up"))?;
            for entry in rows.iter().map_err(Error::store("read"))? {
                let (key, row) = entry.map_err(Error::store("read"))?;
                table.insert(key.value(), row.value()).map_err(Error::store("back up"))?;
            }
        }
        write.commit().map_err(Error::store("back up"))
    }

    fn remove(&self, space: &Space) -> Result<u64, Error> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let keys: Vec<EntityKey> = {
            let spaces = self.spaces.read().unwrap_or_else(PoisonError::into_inner);
            spaces.get(space).map(|rows| rows.keys().cloned().collect()).unwrap_or_default()
        };
        let write = self.file.begin_write().map_err(Error::store("write"))?;
        {
            let mut table = write.open_table(ROWS).map_err(Error::store("write"))?;
            let begin = prefix(space);
            for entity in &keys {
                let key = [begin.as_slice(), entity.as_bytes()].concat();
                table.remove(key.as_slice()).map_err(Error::store("write"))?;
            }
        }
        write.commit().map_err(Error::store("write"))?;
        self.spaces.write().unwrap_or_else(PoisonError::into_inner).remove(space);
        Ok(keys.len() as u64)
    }
}

#[async_trait]
impl OnlineStore for Embedded {
    async fn get_many(&self, reads: &[Read]) -> Result<Vec<Vec<Option<StoredRow>>>, Error> {
        let spaces = self.shared.spaces.read().unwrap_or_else(PoisonError::into_inner);
        let answer = reads.iter().map(|read| match spaces.get(&*read.space) {
            Some(rows) => read.keys.iter().map(|key| rows.get(key).cloned()).collect(),
            None => vec![None; read.keys.len()],
        });
        Ok(answer.collect())
    }

    async fn put_if_newer(&self, space: &Space, rows: Vec<(EntityKey, StoredRow)>) -> Result<Written, Error> {
        let (shared, space) = (Arc::clone(&self.shared), space.clone());
        runtime::blocking(move || shared.put(&space, rows)).await
    }

    async fn recently_pushed(&self, space: &Space, limit: usize) -> Result<Vec<EntityKey>, Error> {
        let spaces = self.shared.spaces.read().unwrap_or_else(PoisonError::into_inner);
        let Some(rows) = spaces.get(space) else { return Ok(Vec::new()) };
        let mut pushed: Vec<_> = rows.iter().filter(|(_, row)| row.is_pushed()).collect();
        pushed.sort_unstable_by(|a, b| (b.1.rank().created, a.0).cmp(&(a.1.rank().created, b.0)));
        Ok(pushed.into_iter().take(limit).map(|(key, _)| key.clone()).collect())
    }

    async fn spaces(&self) -> Result<Vec<(Space, u64)>, Error> {
        let spaces = self.shared.spaces.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = spaces.iter().map(|(space, rows)| (space.clone(), rows.len() as u64)).collect();
        all.sort_unstable();
        Ok(all)
    }

    async fn back_up(&self, to: &Path) -> Result<bool, Error> {
        let (shared, to) = (Arc::clone(&self.shared), to.to_owned());
        runtime::blocking(move || shared.back_up(&to)).await.map(|()| true)
    }

    async fn remove(&self, space: &Space) -> Result<u64, Error> {
        let (shared, space) = (Arc::clone(&self.shared), space.clone());
        runtime::blocking(move || shared.remove(&space)).await
    }
}

#[cfg(test)]
mod tests {
    use types::{Timestamp, Value, ValueType};

    use super::*;
    use crate::online::{Layout, Rank, conformance};

    #[tokio::test]
    async fn it_keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        conformance::run(&Embedded::open(&folder.path().join("online.redb")).unwrap()).await;
    }

    #[tokio::test]
    async fn rows_are_there_after_it_is_opened_again_and_one_process_at_a_time_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/online.redb");
        let space = Space { view: "v".to_owned(), digest: Digest::of("a") };
        let layout = Layout::new([ValueType::Int64]);
        let rank = Rank { event_time: Timestamp::from_micros(1), created: None };
        let (key, row) =
            (EntityKey::encode(&[Value::Int64(7)]).unwrap(), layout.encode(rank, true, &[Value::Int64(3)]));
        {
            let store = Embedded::open(&path).unwrap();
            store.put_if_newer(&space, vec![(key.clone(), row.clone())]).await.unwrap();
            assert!(matches!(Embedded::open(&path), Err(Error::InUse { .. })));
            assert!(store.back_up(&folder.path().join("copy.redb")).await.unwrap());
        }
        let copy = Embedded::open(&folder.path().join("copy.redb")).unwrap();
        let read = Read { space: Arc::new(space.clone()), keys: vec![key.clone()] };
        assert_eq!(copy.get_many(&[read]).await.unwrap(), [[Some(row.clone())]]);
        let store = Embedded::open(&path).unwrap();
        let read = Read { space: Arc::new(space), keys: vec![key] };
        assert_eq!(store.get_many(&[read]).await.unwrap(), [[Some(row)]]);
    }

    #[test]
    fn keys_in_the_file_survive() {
        let space = Space { view: "übung".to_owned(), digest: Digest::of("a") };
        let entity = EntityKey::encode(&[Value::String("x".to_owned())]).unwrap();
        let key = [prefix(&space).as_slice(), entity.as_bytes()].concat();
        assert_eq!(split(&key), Some((space, entity)));
        assert_eq!(split(b"\0"), None);
    }
}
