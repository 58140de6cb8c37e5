//! The backend: loads a declaration from an artifact and asks the server whether it is there.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use reqwest::Client;
use serving::{Backend, BackendError, LoadedModel, ModelSpec};
use tracing::instrument;

use crate::{
    BACKEND, FILE, call,
    declaration::{self, Declaration},
    model::Model,
};

/// Servers that are spoken to over HTTP. Clones share connections.
#[derive(Debug, Clone)]
pub struct HttpBackend {
    client: Client,
}

impl HttpBackend {
    /// The backend, without any connection yet.
    ///
    /// # Errors
    /// When this machine cannot make HTTP connections at all.
    pub fn new() -> Result<Self, BackendError> {
        let client = call::client();
        let away = |reason| BackendError::Unavailable { backend: BACKEND.to_owned(), reason };
        Ok(Self { client: client.map_err(away)? })
    }
}

#[async_trait]
impl Backend for HttpBackend {
    fn name(&self) -> &'static str {
        BACKEND
    }

    /// A server that is declared with `health` and does not answer fails the load: the caller tries again later.
    #[instrument(skip_all, fields(version = %spec.version))]
    async fn load(&self, spec: &ModelSpec) -> Result<Arc<dyn LoadedModel>, BackendError> {
        let declaration = read(&spec.file).await.map_err(|reason| BackendError::Load { reason })?;
        if let Some(health) = &declaration.health {
            call::health(&self.client, &declaration, health).await?;
        }
        Ok(Arc::new(Model::new(self.client.clone(), declaration)))
    }
}

/// The declaration in an artifact: the artifact itself, or the file of that name in its folder.
async fn read(place: &Path) -> Result<Declaration, String> {
    let folder = tokio::fs::metadata(place).await.is_ok_and(|place| place.is_dir());
    let file = if folder { place.join(FILE) } else { place.to_owned() };
    let text = tokio::fs::read_to_string(&file).await.map_err(|error| {
        if folder && error.kind() == std::io::ErrorKind::NotFound {
            format!("the artifact holds no {FILE}, which declares the server")
        } else {
            format!("{FILE} cannot be read: {error}")
        }
    })?;
    declaration::parse(&text).map_err(|error| format!("{FILE}: {error}"))
}
