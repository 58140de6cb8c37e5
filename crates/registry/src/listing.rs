//! Listings of artifacts for MLflow's clients: paths from the run's or logged model's own root.

use artifacts::ArtifactPath;

use types::ModelVersion;

use crate::{Service, error::Result, models, rules, storage};

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
        let path = ArtifactPath::decoded(path.unwrap_or_default())?;
        let uri = self.run(run_id).await?.info.artifact_uri;
        self.listing(uri, run_id, &path).await
    }

    /// What lies at `path` among a logged model's artifacts.
    ///
    /// # Errors
    /// When there is no such model, the path leads out of its artifacts, or they lie elsewhere.
    pub async fn logged_model_artifacts(&self, id: &str, path: Option<&str>) -> Result<Listing> {
        let path = ArtifactPath::decoded(path.unwrap_or_default())?;
        let uri = self.logged_model(id, false).await?.artifact_uri;
        self.listing(uri, id, &path).await
    }

    /// Where the file at `path` among a run's artifacts lies in the store.
    ///
    /// # Errors
    /// As [`Service::run_artifacts`].
    pub async fn run_artifact(&self, run_id: &str, path: &str) -> Result<ArtifactPath> {
        let path = ArtifactPath::decoded(path)?;
        let root = storage::required(&self.artifacts, &self.run(run_id).await?.info.artifact_uri, run_id)?;
        Ok(root.join(path.as_str())?)
    }

    /// Where the file at `path` among a logged model's artifacts lies in the store.
    ///
    /// # Errors
    /// As [`Service::logged_model_artifacts`].
    pub async fn logged_model_artifact(&self, id: &str, path: &str) -> Result<ArtifactPath> {
        let path = ArtifactPath::decoded(path)?;
        let root = storage::required(&self.artifacts, &self.logged_model(id, false).await?.artifact_uri, id)?;
        Ok(root.join(path.as_str())?)
    }

    /// Where the file at `path` of a version lies in the store.
    ///
    /// # Errors
    /// When there is no such version, the path leads out of it, or its files lie elsewhere.
    pub async fn version_artifact(&self, name: &str, version: &str, path: &str) -> Result<ArtifactPath> {
        let path = ArtifactPath::decoded(path)?;
        let id = ModelVersion::new(models::parse_name(name)?, rules::version_number(name, version)?);
        Ok(self.resolve(&id).await?.storage.join(path.as_str())?)
    }

    async fn listing(&self, root_uri: String, subject: &str, below: &ArtifactPath) -> Result<Listing> {
        let root = storage::required(&self.artifacts, &root_uri, subject)?;
        let entries = self.artifacts.list(&root.join(below.as_str())?).await?;
        let files = entries.into_iter().filter_map(|entry| {
            let path = entry.path.below(&root)?.to_owned();
            Some(FileInfo { path, is_dir: entry.is_dir, size: (!entry.is_dir).then_some(entry.size) })
        });
        Ok(Listing { root_uri, files: files.collect() })
    }
}
