//! Listings of artifacts for MLflow's clients: paths from the run's or logged model's own root.

use artifacts::ArtifactPath;

use crate::{Service, error::Result, storage};

/// A file or folder among a run's artifacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Its path from the root of the listing.
    pub path: String,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Its size in bytes; `None` for a folder.
    pub size: Option<u64>,
}

/// What lies in a folder of artifacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The URI that paths are from.
    pub root_uri: String,
    /// What lies there, by path.
    pub files: Vec<FileInfo>,
}

impl Service {
    /// What lies at `path` among a run's artifacts.
    ///
    /// # Errors
    /// When there is no such run, the path leads out of its artifacts, or they lie elsewhere.
    pub async fn run_artifacts(&self, run_id: &str, path: Option<&str>) -> Result<Listing> {
        let uri = self.run(run_id).await?.info.artifact_uri;
        self.listing(uri, run_id, path).await
    }

    /// What lies at `path` among a logged model's artifacts.
    ///
    /// # Errors
    /// When there is no such model, the path leads out of its artifacts, or they lie elsewhere.
    pub async fn logged_model_artifacts(&self, id: &str, path: Option<&str>) -> Result<Listing> {
        let uri = self.logged_model(id, false).await?.artifact_uri;
        self.listing(uri, id, path).await
    }

    async fn listing(&self, root_uri: String, subject: &str, path: Option<&str>) -> Result<Listing> {
        let below = ArtifactPath::parse(path.unwrap_or_default())?;
        let root = storage::required(&root_uri, subject)?;
        let entries = self.artifacts.list(&root.join(below.as_str())?).await?;
        let files = entries.into_iter().filter_map(|entry| {
            let path = entry.path.below(&root)?.to_owned();
            Some(FileInfo { path, is_dir: entry.is_dir, size: (!entry.is_dir).then_some(entry.size) })
        });
        Ok(Listing { root_uri, files: files.collect() })
    }
}
