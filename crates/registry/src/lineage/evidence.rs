//! The files of a run that lineage knows by name, in its folder `crosstie/` among its other artifacts, where MLflow's
//! own clients and web client find them, too.

use std::collections::BTreeSet;

use artifacts::ArtifactPath;
use types::Digest;

use crate::{Run, Service, error::Result, storage};

/// The folder among a run's artifacts.
pub const EVIDENCE: &str = "crosstie";
/// The lock file: exact packages in pip's format.
pub(super) const ENVIRONMENT: &str = "environment.txt";
/// The manifest of the data: each file with its digest.
pub(super) const DATA: &str = "data.json";

/// The most of a lock file that is read for its digest; a thousand packages take a tenth of it.
const MOST_BYTES: u64 = 1 << 20;

/// What a run keeps beside its tags.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    /// The files' names; `None` where they lie in no store of this server.
    pub(super) files: Option<BTreeSet<String>>,
    /// The digest of the lock file.
    pub(super) environment: Option<Digest>,
}

impl Service {
    pub(super) async fn evidence_of(&self, run: &Run) -> Result<Evidence> {
        let Ok(root) = storage::required(&self.artifacts, &run.info.artifact_uri, &run.info.id) else {
            return Ok(Evidence::default());
        };
        let folder = root.join(EVIDENCE)?;
        let entries = self.artifacts.list(&folder).await?;
        let lock = entries.iter().find(|entry| !entry.is_dir && entry.path.name() == ENVIRONMENT);
        let environment = match lock.filter(|entry| entry.size <= MOST_BYTES) {
            Some(entry) => Some(Digest::of(self.artifacts.get_bytes(&entry.path).await?)),
            None => None,
        };
        let files = entries.iter().map(|entry| entry.path.name().to_owned()).collect();
        Ok(Evidence { files: Some(files), environment })
    }

    /// Where the file `name` of a run's evidence lies in the store.
    ///
    /// # Errors
    /// When there is no such run, the name leads elsewhere, or the run's artifacts lie elsewhere.
    pub async fn evidence_file(&self, run_id: &str, name: &str) -> Result<ArtifactPath> {
        self.run_artifact(run_id, &format!("{EVIDENCE}/{name}")).await
    }

    /// Keeps a file with a run, and judges the run again.
    ///
    /// # Errors
    /// As [`Service::evidence_file`], or when the store fails.
    pub async fn keep_evidence(&self, run_id: &str, name: &str, content: artifacts::Content) -> Result<()> {
        let path = self.evidence_file(run_id, name).await?;
        self.put_artifact(&path, content).await?;
        self.judge_again(run_id).await;
        Ok(())
    }
}
