//! A backup: everything that this server keeps, in one folder, with a manifest that is written last.
//!
//! The database first, as it was at one moment; then artifacts, of which everything that the database names is there by
//! then. What comes to be meanwhile may be in it without a row, which is harmless. A folder without a manifest is no
//! backup, so a kill at any moment leaves none that would be taken for one.

mod manifest;
mod restore;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use api::maintenance::BackedUp;
use artifacts::{ArtifactPath, Store};
use database::{Database, Dialect};
use futures::TryStreamExt as _;
use tokio::io::AsyncWriteExt as _;
use types::{DigestHasher, ErrorKind};

use crate::{
    app::KEY_FILE,
    state_dir::{write_private, write_whole},
};
use manifest::{FileEntry, Manifest};

pub(crate) use restore::restore;

/// The manifest's name.
const MANIFEST: &str = "manifest.json";
/// Where each store lies in a backup.
const DATABASE: &str = "database";
const ARTIFACTS: &str = "artifacts";
const PREDICTIONS: &str = "predictions";
const ONLINE: &str = "online.redb";

/// What is backed up.
#[derive(Debug, Clone)]
pub(crate) struct Stores {
    pub(crate) database: Database,
    pub(crate) artifacts: Store,
    pub(crate) features: features::Service,
    /// The prediction log's folder.
    pub(crate) predictions: PathBuf,
    /// The file of the key that secrets of webhooks are stored under, if it is one.
    pub(crate) webhook_key: Option<PathBuf>,
}

/// Writes a backup of `stores` into the folder `to`.
///
/// # Errors
/// When the folder is not empty or cannot be written, or a store cannot be read.
pub(crate) async fn back_up(stores: &Stores, to: &Path) -> Result<BackedUp> {
    ensure!(to.is_absolute(), "the folder of a backup is given by its whole path, not {}", to.display());
    if fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty: give a folder that is, or that does not exist yet", to.display());
    }
    let database = to.join(DATABASE);
    fs::create_dir_all(&database).with_context(|| format!("cannot make {}", database.display()))?;
    stores.database.back_up(&database).await.context("cannot copy the database")?;
    let mut files = runtime::blocking({
        let to = to.to_owned();
        move || entries_below(&to, DATABASE)
    })
    .await?;
    copy_artifacts(&stores.artifacts, to, &mut files).await?;
    let (from, folder) = (stores.predictions.clone(), to.to_owned());
    files.extend(runtime::blocking(move || copy_predictions(&from, &folder)).await?);
    let online = stores.features.store().back_up(&to.join(ONLINE)).await.context("cannot copy the online store")?;
    if online {
        files.push(manifest::entry(to, Path::new(ONLINE))?);
    }
    if let Some(key) = &stores.webhook_key {
        let content = fs::read(key).with_context(|| format!("cannot read {}", key.display()))?;
        write_private(&to.join(KEY_FILE), &content)?;
        files.push(manifest::entry(to, Path::new(KEY_FILE))?);
    }
    let manifest = Manifest::new(dialect_name(stores.database.dialect()), files);
    let made = BackedUp { to: to.to_owned(), files: manifest.files.len() as u64, bytes: manifest.bytes() };
    write_whole(&to.join(MANIFEST), &serde_json::to_vec_pretty(&manifest)?)?;
    fs::File::open(to).and_then(|folder| folder.sync_all()).context("cannot sync the folder")?;
    Ok(made)
}

const fn dialect_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "sqlite",
        Dialect::Postgres => "postgres",
    }
}

/// Copies every file of the artifact store.
async fn copy_artifacts(store: &Store, to: &Path, files: &mut Vec<FileEntry>) -> Result<()> {
    let mut entries = store.walk(&ArtifactPath::root()).await.context("cannot list the artifacts")?;
    if let Some(beside) = store.beside() {
        entries.extend(store.walk(&beside).await.context("cannot list the artifacts of --default-artifact-root")?);
    }
    for entry in entries {
        let object = match store.get(&entry.path).await {
            Ok(object) => object,
            // Somebody deleted it after the database was copied.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot read the artifact {}", entry.path)),
        };
        let path = Path::new(ARTIFACTS).join(entry.path.as_str());
        let target = to.join(&path);
        let cannot = || format!("cannot write {}", target.display());
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).with_context(cannot)?;
        }
        let mut file = tokio::fs::File::create(&target).await.with_context(cannot)?;
        let (mut hasher, mut size, mut content) = (DigestHasher::default(), 0, object.content);
        while let Some(piece) = content.try_next().await.with_context(|| format!("cannot read {}", entry.path))? {
            hasher.update(&piece);
            size += piece.len() as u64;
            file.write_all(&piece).await.with_context(cannot)?;
        }
        file.flush().await.with_context(cannot)?;
        file.sync_all().await.with_context(cannot)?;
        files.push(FileEntry::new(&path, size, hasher.finish())?);
    }
    Ok(())
}

/// Copies the prediction log while it is appended to. Segments before what they are rolled into: a segment that is rolled
/// and deleted meanwhile is found in both or in the rolled file, and reading knows a record that it has seen.
fn copy_predictions(from: &Path, to: &Path) -> Result<Vec<FileEntry>> {
    let target = to.join(PREDICTIONS);
    for first in [true, false] {
        for file in files_below(from)? {
            let below = file.strip_prefix(from).context("a file lies below its folder")?;
            let is_segment = below.starts_with("segments");
            let name = below.file_name().unwrap_or_default().to_string_lossy();
            if is_segment != first || name == "lock" || name.starts_with('.') {
                continue;
            }
            let copy = target.join(below);
            if let Some(folder) = copy.parent() {
                fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            }
            match fs::copy(&file, &copy) {
                Ok(_) => fs::File::open(&copy)?.sync_all()?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| format!("cannot copy {}", file.display())),
            }
        }
    }
    entries_below(to, PREDICTIONS)
}

/// The entries of all files in a folder of the backup.
fn entries_below(to: &Path, folder: &str) -> Result<Vec<FileEntry>> {
    let files = files_below(&to.join(folder))?;
    files.iter().map(|file| manifest::entry(to, file.strip_prefix(to)?)).collect()
}

/// Every file below `folder`, by path; none if there is no such folder.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot list {}", folder.display())),
        };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort_unstable();
    Ok(found)
}
