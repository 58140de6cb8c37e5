//! Brings a version's files to this machine, by digest.
//!
//! The store's files are digested at each load, so that an artifact that was changed after its release is refused and not
//! served. With the store away, a copy that an earlier load left (and whose digest still holds) is used.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use artifacts::{ArtifactPath, Store};
use async_trait::async_trait;
use futures::TryStreamExt as _;
use serving::{FilesError, ModelFiles};
use tokio::io::AsyncWriteExt as _;
use types::{Digest, ModelVersion};

/// Copies artifacts into a folder, one folder for each digest.
#[derive(Debug)]
pub(crate) struct LocalCopies {
    pub(crate) registry: registry::Service,
    pub(crate) artifacts: Store,
    pub(crate) dir: PathBuf,
}

#[async_trait]
impl ModelFiles for LocalCopies {
    async fn fetch(&self, version: &ModelVersion, expected: &Digest) -> Result<PathBuf, FilesError> {
        let copy = self.dir.join(expected.hex());
        match self.registry.artifact_digest(version).await {
            Ok(actual) if actual != *expected => return Err(FilesError::Changed { expected: *expected, actual }),
            Ok(_) => {}
            Err(error) if copy.exists() => {
                tracing::warn!(%version, error = %error, "the artifact store does not answer, loading the copy kept here");
            }
            Err(error) => return Err(FilesError::Unavailable { source: error.into() }),
        }
        let unavailable = |error: anyhow::Error| FilesError::Unavailable { source: error.into() };
        if copy.exists() && self.digest_of(expected).await.map_err(unavailable)? == *expected {
            return Ok(copy);
        }
        self.copy(version, expected).await.map_err(unavailable)?;
        Ok(copy)
    }
}

impl LocalCopies {
    /// The digest of the copy that is kept for `expected`.
    async fn digest_of(&self, expected: &Digest) -> Result<Digest> {
        let copies = Store::open(&format!("file:{}", self.dir.display()))?;
        Ok(copies.digest_tree(&ArtifactPath::parse(&expected.hex())?).await?)
    }

    /// Copies the version's files beside their place, checks them, and moves them there.
    async fn copy(&self, version: &ModelVersion, expected: &Digest) -> Result<()> {
        let source = self.registry.resolve(version).await?.storage;
        let place = self.dir.join(expected.hex());
        let partial = self.dir.join(format!(".{}.partial", expected.hex()));
        for stale in [&partial, &place] {
            if stale.exists() {
                fs::remove_dir_all(stale).with_context(|| format!("cannot remove {}", stale.display()))?;
            }
        }
        for entry in self.artifacts.walk(&source).await? {
            let relative = entry.path.below(&source).context("a file of the model lies outside of it")?;
            let target = partial.join(relative);
            let folder = target.parent().context("a file of the model has no folder")?;
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            let mut stream = self.artifacts.get(&entry.path).await?.content;
            let mut file =
                tokio::fs::File::create(&target).await.with_context(|| format!("cannot write {}", target.display()))?;
            while let Some(piece) = stream.try_next().await? {
                file.write_all(&piece).await.with_context(|| format!("cannot write {}", target.display()))?;
            }
            file.flush().await.with_context(|| format!("cannot write {}", target.display()))?;
        }
        ensure!(partial.exists(), "the version has no files");
        fs::rename(&partial, &place).with_context(|| format!("cannot make {}", place.display()))?;
        let actual = self.digest_of(expected).await?;
        ensure!(actual == *expected, "the files changed while they were copied: {actual}, not {expected}");
        Ok(())
    }
}
