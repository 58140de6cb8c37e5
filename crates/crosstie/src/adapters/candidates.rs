//! Freezes what a release judges: the version's files, the project in force, the features' definitions, the author.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use release::{Author, Candidate, Candidates, PortError};
use types::{Digest, ErrorKind, ModelVersion};

use super::{
    backends::{BackendOf, HTTP},
    plan_source::feature_digests,
};
use crate::project::ProjectStore;

/// Looks candidates up in registry and project.
#[derive(Debug)]
pub(crate) struct Frozen {
    pub(crate) registry: registry::Service,
    pub(crate) projects: Arc<ProjectStore>,
    pub(crate) backends: BackendOf,
}

#[async_trait]
impl Candidates for Frozen {
    async fn freeze(&self, version: &ModelVersion) -> Result<Candidate, PortError> {
        self.registry.bring(version).await.map_err(from_registry)?;
        let record = self.registry.resolve(version).await.map_err(from_registry)?;
        let unavailable =
            |error: anyhow::Error| PortError::because(ErrorKind::Unavailable, "the project could not be read", error);
        let project = self.projects.in_force().await.map_err(unavailable)?;
        let declared = project.as_ref().and_then(|project| Some((project, project.models.get(&version.model)?)));
        let Some((project, model_file)) = declared else {
            let message = format!(
                "no project in force declares the model `{}`: add models/{}.yaml and run `crosstie apply`",
                version.model, version.model
            );
            return Err(PortError::new(ErrorKind::FailedPrecondition, message));
        };
        let internal =
            |error: anyhow::Error| PortError::because(ErrorKind::Internal, "the features could not be pinned", error);
        let backend = self.backends.version(version).await.map_err(from_registry)?;
        let feature_digests = match backend {
            HTTP => BTreeMap::new(),
            _ => feature_digests(project, &version.model).map_err(internal)?,
        };
        Ok(Candidate {
            version: version.clone(),
            backend: backend.to_owned(),
            artifact_digest: self.artifact_digest(version).await?,
            project_digest: project.digest,
            feature_digests,
            model_file: model_file.clone(),
            author: record.author.map(|author| Author { name: author.name, anonymous: author.anonymous }),
        })
    }

    async fn artifact_digest(&self, version: &ModelVersion) -> Result<Digest, PortError> {
        self.registry.artifact_digest(version).await.map_err(from_registry)
    }

    async fn exists(&self, version: &ModelVersion) -> Result<bool, PortError> {
        match self.backends.has_files(version).await {
            Ok(exists) => Ok(exists),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(from_registry(error)),
        }
    }
}

/// The registry's error, of its kind. What it says of the caller's doing is the message; its own failures are a cause.
pub(crate) fn from_registry(error: registry::Error) -> PortError {
    let kind = error.kind();
    // A registry elsewhere is named in what it says.
    let is_ours = !matches!(error, registry::Error::Origin(_));
    if is_ours && matches!(kind, ErrorKind::Internal | ErrorKind::Unavailable) {
        PortError::because(kind, "the registry did not answer", error)
    } else {
        PortError::new(kind, error.to_string())
    }
}
