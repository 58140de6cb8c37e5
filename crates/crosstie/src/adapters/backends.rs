//! Which backend executes a version: the files that it was registered with say so.

use artifacts::Store;
use types::ModelVersion;

/// ONNX Runtime in this process.
pub(crate) const ONNX: &str = "onnx";
/// A server of its own, spoken to over HTTP.
pub(crate) const HTTP: &str = "http";

/// Tells versions apart by their files.
#[derive(Debug, Clone)]
pub(crate) struct BackendOf {
    pub(crate) registry: registry::Service,
    pub(crate) artifacts: Store,
}

impl BackendOf {
    /// The backend of `version`: `http` where its files have an `http.yaml`, else `onnx`.
    ///
    /// # Errors
    /// When there is no such version, or the artifact store does not answer.
    pub(crate) async fn version(&self, version: &ModelVersion) -> Result<&'static str, registry::Error> {
        let storage = self.registry.resolve(version).await?.storage;
        let files = self.artifacts.walk(&storage).await?;
        let declares = files.iter().any(|file| file.path.below(&storage) == Some(http_backend::FILE));
        Ok(if declares { HTTP } else { ONNX })
    }

    /// Whether the registry still has the version, and the store files of it.
    ///
    /// # Errors
    /// As [`BackendOf::version`].
    pub(crate) async fn has_files(&self, version: &ModelVersion) -> Result<bool, registry::Error> {
        let storage = self.registry.resolve(version).await?.storage;
        Ok(!self.artifacts.walk(&storage).await?.is_empty())
    }
}
