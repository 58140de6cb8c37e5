//! A SQLite database as one file.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, OpenFlags};

use super::{io_error, sync};
use crate::{Error, Result, error::Driver, sqlite::BUSY};

/// Lets SQLite write a compact copy of the last commit; writers go on meanwhile.
pub(super) async fn back_up(database: &Path, to: &Path) -> Result<()> {
    let (database, to) = (database.to_owned(), to.to_owned());
    let copied = tokio::task::spawn_blocking(move || copy(&database, &to).and_then(|()| sync(&to)));
    copied.await.unwrap_or(Err(Error::Closed))
}

fn copy(database: &Path, to: &Path) -> Result<()> {
    let failed = |source: Driver| Error::Open { path: database.to_owned(), source: Arc::new(source) };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags).map_err(|error| failed(error.into()))?;
    connection.busy_timeout(BUSY).map_err(|error| failed(error.into()))?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(|error| failed(error.into()))?;
    let sql = format!("VACUUM INTO '{}'", to.display().to_string().replace('\'', "''"));
    connection.execute_batch(&sql).map_err(|source| Error::of_statement(&sql, source))?;
    connection.close().map_err(|(_, error)| failed(error.into()))
}

/// Copies the file beside its place and gives it its name, which nothing may have by then.
pub(super) fn restore(from: &Path, to: &Path) -> Result<()> {
    let partial = partial(to)?;
    let restored = fs::copy(from, &partial)
        .map_err(io_error(&partial))
        .and_then(|_| sync(&partial))
        .and_then(|()| give_name(&partial, to).map_err(io_error(to)))
        .and_then(|()| sync(to));
    if restored.is_err() {
        fs::remove_file(&partial).ok();
    }
    restored
}

/// Whether a file can be put there, which is tried with an empty one beside it.
pub(super) fn check_place(to: &Path) -> Result<()> {
    let partial = partial(to)?;
    File::create(&partial).and_then(|_| fs::remove_file(&partial)).map_err(io_error(&partial))
}

/// Where a file is written before it has its name, in a folder that is made if it is missing.
fn partial(to: &Path) -> Result<PathBuf> {
    let name = to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(io_error(folder))?;
    }
    Ok(to.with_file_name(format!(".{name}.restoring")))
}

/// Renames a file to what nothing is called yet. The name is taken first, by an empty file: unlike a hard link, every file
/// system can do that.
fn give_name(partial: &Path, to: &Path) -> io::Result<()> {
    File::create_new(to)?;
    let named = fs::rename(partial, to);
    if named.is_err() {
        fs::remove_file(to).ok();
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gets_its_name_and_takes_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("backup"), folder.path().join("new/database.db"));
        fs::write(&from, "content").unwrap();
        check_place(&to).unwrap();
        let names = || {
            let entries = fs::read_dir(folder.path().join("new")).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        assert!(names().is_empty(), "what was tried is gone");
        restore(&from, &to).unwrap();
        assert_eq!((fs::read_to_string(&to).unwrap().as_str(), names()), ("content", vec!["database.db".to_owned()]));

        fs::write(&to, "theirs").unwrap();
        restore(&from, &to).unwrap_err();
        assert_eq!((fs::read_to_string(&to).unwrap().as_str(), names()), ("theirs", vec!["database.db".to_owned()]));
        check_place(&from.join("below a file")).unwrap_err();
    }
}
