//! What a release needs from its siblings. `crosstie` adapts them; tests bring their own.

use std::{collections::BTreeMap, error, sync::Arc};

use async_trait::async_trait;
use database::Transaction;
use futures::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use types::{AuditEntry, Digest, ErrorKind, ModelName, ModelVersion};

use crate::{Assignment, GateName, GateOutcome, ModelFile, assignment::onnx};

/// A port could not do what was asked. Whether it is worth another try follows from the kind.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct PortError {
    /// The kind of failure.
    pub kind: ErrorKind,
    /// What was attempted, for people.
    pub message: String,
    /// Why it failed.
    #[source]
    pub source: Option<Box<dyn error::Error + Send + Sync>>,
}

impl PortError {
    /// A failure without a cause below it.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The failure of `message` because of `source`.
    #[must_use]
    pub fn because(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, message: message.into(), source: Some(source.into()) }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }
}

/// The principal whose token registered a version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Author {
    /// Its name.
    pub name: String,
    /// Whether no token was shown.
    pub anonymous: bool,
}

/// What is judged: a version with everything that decides how it behaves, by digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The version.
    pub version: ModelVersion,
    /// What executes it, such as `onnx`.
    #[serde(default = "onnx")]
    pub backend: String,
    /// The model's files.
    pub artifact_digest: Digest,
    /// The project that it is judged and served under.
    pub project_digest: Digest,
    /// The definition of each feature view and on-demand feature that it reads.
    pub feature_digests: BTreeMap<String, Digest>,
    /// The model's declaration in that project.
    pub model_file: ModelFile,
    /// Who registered the version, if that is known.
    pub author: Option<Author>,
}

/// A judge of candidates.
///
/// `check` may be called again for the same candidate (after a crash, or after a retryable error), so it changes
/// nothing that a second call would see. It reads the candidate by its frozen digests, never by name alone. A verdict
/// is an outcome; an error means that there is none: a retryable one is tried again with backoff, any other, and the
/// last of the retryable ones, is recorded as a failed gate with the error as evidence.
#[async_trait]
pub trait GateCheck: Send + Sync {
    /// Which gate this is.
    fn name(&self) -> GateName;

    /// Judges `candidate`. Cancelled by dropping when the release ends meanwhile or the process shuts down.
    async fn check(&self, candidate: &Candidate) -> Result<GateOutcome, PortError>;
}

/// Looks candidates up.
#[async_trait]
pub trait Candidates: Send + Sync {
    /// Everything about `version` under the current project, digests computed from the bytes as they are now.
    /// [`ErrorKind::NotFound`] when there is no such version, [`ErrorKind::FailedPrecondition`] when it cannot be
    /// released, for example because its model has no file in `models/`.
    async fn freeze(&self, version: &ModelVersion) -> Result<Candidate, PortError>;

    /// The digest of the version's files as they are now.
    async fn artifact_digest(&self, version: &ModelVersion) -> Result<Digest, PortError>;

    /// Whether the registry still has `version`, and the store its files. An error means that nobody can tell now. Asked
    /// often, so it reads no file whole.
    async fn exists(&self, version: &ModelVersion) -> Result<bool, PortError>;
}

/// Tells the rest of the system what serves.
#[async_trait]
pub trait TrafficControl: Send + Sync {
    /// Projects `assignment`, which is already committed, outwards: wakes gateways, sets the alias. Called at least
    /// once for each revision, in ascending order for each model; a revision that is not newer than the last one
    /// applied must be ignored.
    async fn apply(&self, model: &ModelName, assignment: &Assignment) -> Result<(), PortError>;
}

/// Stores the audit trail.
pub trait AuditSink: Send + Sync {
    /// Writes `entry` in `transaction`, so that it commits with the decision that it tells of.
    fn record<'t>(
        &'t self,
        transaction: &'t mut Transaction,
        entry: &'t AuditEntry,
    ) -> LocalBoxFuture<'t, Result<(), database::Error>>;
}

/// All ports of a release.
#[derive(Clone)]
pub struct Ports {
    /// The judges, at most one for each gate.
    pub gates: Vec<Arc<dyn GateCheck>>,
    /// Where candidates are looked up.
    pub candidates: Arc<dyn Candidates>,
    /// Who is told what serves.
    pub traffic: Arc<dyn TrafficControl>,
    /// Where decisions are recorded.
    pub audit: Arc<dyn AuditSink>,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let gates: Vec<_> = self.gates.iter().map(|gate| gate.name()).collect();
        f.debug_struct("Ports").field("gates", &gates).finish_non_exhaustive()
    }
}
