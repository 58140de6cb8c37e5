//! Putting a backup back into empty stores, with nothing up on the folder.
//!
//! Everything is checked before anything is written. The database comes last, so that a restore that was killed leaves
//! stores that are not empty and no server takes for whole; it is begun again after they were emptied.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use artifacts::{ArtifactPath, Store};
use futures::StreamExt as _;
use serde::Serialize;
use tokio_util::io::ReaderStream;

use super::{ARTIFACTS, DATABASE, ONLINE, PREDICTIONS, files_below, manifest::Manifest};
use crate::{app::KEY_FILE, settings::StoreUris, state_dir::write_private};

/// What was put back.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Restored {
    /// Files.
    pub(crate) files: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// The version that made the backup.
    pub(crate) made_by: String,
}

/// Puts the backup in `from` into `stores` and the folder of state.
///
/// # Errors
/// When the backup is not whole, a store is not empty, or one cannot be written.
pub(crate) async fn restore(from: &Path, stores: &StoreUris, state: &Path) -> Result<Restored> {
    let folder = from.to_owned();
    let manifest = runtime::blocking(move || Manifest::verified(&folder)).await?;
    let artifacts =
        Store::open_with(&stores.artifacts, &stores.artifact_access).context("cannot open the artifact store")?;
    let predictions = state.join(PREDICTIONS);
    let online = manifest.files.iter().any(|file| file.path == ONLINE).then(|| online_file(stores)).transpose()?;
    let key = manifest.files.iter().any(|file| file.path == KEY_FILE);
    let key = key.then(|| fs::read(from.join(KEY_FILE))).transpose().context("cannot read the key of webhooks")?;
    check_kind(&manifest, stores)?;
    check_key(key.as_deref(), &state.join(KEY_FILE))?;
    if artifacts.beside().is_none() {
        let beside = format!("{ARTIFACTS}/{}/", artifacts::BESIDE);
        ensure!(
            !manifest.files.iter().any(|file| file.path.starts_with(&beside)),
            "the backup holds files of a folder beside the artifact store: say with --default-artifact-root file:///DIR \
             which it was"
        );
    }
    check_empty(stores, &artifacts, &predictions, online.as_deref()).await?;
    database::backup::check_place(&stores.database).context("cannot write the database")?;
    put_artifacts(&artifacts, &from.join(ARTIFACTS)).await?;
    let (log, place) = (from.join(PREDICTIONS), predictions.clone());
    runtime::blocking(move || copy_tree(&log, &place)).await?;
    if let Some(online) = online {
        copy(&from.join(ONLINE), &online)?;
    }
    if let Some(key) = key {
        write_private(&state.join(KEY_FILE), &key)?;
    }
    database::backup::restore(&from.join(DATABASE), &stores.database).await.context("cannot restore the database")?;
    Ok(Restored { files: manifest.files.len() as u64, bytes: manifest.bytes(), made_by: manifest.crosstie })
}

fn check_kind(manifest: &Manifest, stores: &StoreUris) -> Result<()> {
    let wanted = if stores.database.starts_with("sqlite:") { "sqlite" } else { "postgres" };
    ensure!(
        manifest.database == wanted,
        "the backup is of a {} database: give an empty one of that kind with --database",
        manifest.database
    );
    Ok(())
}

/// Another key that is here already is some other store's: replaced, its secrets would be lost.
fn check_key(key: Option<&[u8]>, place: &Path) -> Result<()> {
    match (key, fs::read(place)) {
        (Some(key), Ok(here)) if here != key => {
            bail!("{} is another key than the backup's: move it away, it is some other store's", place.display())
        }
        (_, Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot read {}", place.display()))
        }
        (_, Ok(_) | Err(_)) => Ok(()),
    }
}

fn online_file(stores: &StoreUris) -> Result<PathBuf> {
    let path =
        stores.online_store.strip_prefix("redb:").context("the backup holds an online store in a file: give redb:")?;
    Ok(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
}

/// Refuses to mix a backup with what is there.
async fn check_empty(stores: &StoreUris, artifacts: &Store, predictions: &Path, online: Option<&Path>) -> Result<()> {
    let refuse = |what: String| -> Result<()> {
        bail!("{what} is not empty, and a backup is put into empty stores only: name others, or move these away")
    };
    if !database::backup::is_empty(&stores.database).await.context("cannot open the database")? {
        refuse("the database".to_owned())?;
    }
    if !artifacts.list(&ArtifactPath::root()).await?.is_empty() {
        refuse(format!("the artifact store {}", stores.artifacts))?;
    }
    if let Some(beside) = artifacts.beside()
        && !artifacts.list(&beside).await?.is_empty()
    {
        refuse(format!("the default artifact root {}", stores.default_artifact_root))?;
    }
    if !files_below(predictions)?.is_empty() {
        refuse(format!("the prediction log {}", predictions.display()))?;
    }
    if let Some(online) = online.filter(|online| online.exists()) {
        refuse(format!("the online store {}", online.display()))?;
    }
    Ok(())
}

async fn put_artifacts(store: &Store, from: &Path) -> Result<()> {
    for file in files_below(from)? {
        let below = file.strip_prefix(from)?.to_str().context("paths of artifacts are UTF-8")?;
        let content = tokio::fs::File::open(&file).await.with_context(|| format!("cannot read {}", file.display()))?;
        let put = store.put(&ArtifactPath::parse(below)?, ReaderStream::new(content).boxed()).await;
        put.with_context(|| format!("cannot store the artifact {below}"))?;
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    for file in files_below(from)? {
        copy(&file, &to.join(file.strip_prefix(from)?))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = || -> std::io::Result<()> {
        let folder = to.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        fs::copy(from, to)?;
        fs::File::open(to)?.sync_all()?;
        fs::File::open(folder)?.sync_all()
    };
    copied().with_context(|| format!("cannot write {}", to.display()))
}
