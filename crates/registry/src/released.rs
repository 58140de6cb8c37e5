//! What releases and gateways ask of the registry: which versions an alias names, the digest of a version's files, the
//! run behind it, and the projection of what they decided onto an alias.

use std::collections::BTreeMap;

use artifacts::ArtifactPath;
use types::{Digest, ModelName, ModelVersion};

use crate::{Service, error::Result, repo, storage};

/// The run that made a version, as gates need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingRun {
    /// Its id.
    pub id: String,
    /// Where its artifacts lie in the artifact store.
    pub artifacts: ArtifactPath,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Service {
    /// The version that `alias` names, for each model that has the alias. Names that are not valid any more are left out.
    ///
    /// # Errors
    /// The database's.
    pub async fn aliased(&self, alias: &str) -> Result<Vec<(ModelName, u32)>> {
        let alias = alias.to_owned();
        let found = self.database.read(async move |tx| repo::models::with_alias(tx, &alias).await).await?;
        Ok(found.into_iter().filter_map(|(name, version)| Some((ModelName::parse(&name).ok()?, version))).collect())
    }

    /// The digest of the version's files as they are now.
    ///
    /// # Errors
    /// When there is no such version, its files lie elsewhere, or the artifact store does not answer.
    pub async fn artifact_digest(&self, version: &ModelVersion) -> Result<Digest> {
        let storage = self.resolve(version).await?.storage;
        Ok(self.artifacts.digest_tree(&storage).await?)
    }

    /// The run that made the version; `None` if the version names none.
    ///
    /// # Errors
    /// When there is no such version or run, or the run's artifacts lie elsewhere.
    pub async fn training_run(&self, version: &ModelVersion) -> Result<Option<TrainingRun>> {
        let Some(id) = self.resolve(version).await?.run_id else { return Ok(None) };
        let run = self.run(&id).await?;
        Ok(Some(TrainingRun {
            artifacts: storage::required(&self.artifacts, &run.info.artifact_uri, &id)?,
            tags: run.tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
            id,
        }))
    }
}
