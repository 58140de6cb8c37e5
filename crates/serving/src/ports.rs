//! What serving needs from others, each as a small contract.
//!
//! Implementations live elsewhere (`onnx`, and the adapters of the `crosstie` crate); every backend runs
//! [`crate::testing::conformance`].

mod rollout;

use std::{borrow::Cow, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use thiserror::Error;
use types::{Digest, ErrorKind, ModelVersion, PredictionId, Schema, Timestamp, Value};

pub use rollout::{ArmWindow, GatewayReports, ShadowSink, Shadowed};

use crate::{Tensor, TrafficPlan, VersionPlan};

/// Any failure of another room.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Executes model versions of one kind.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The name that a plan calls it by: `onnx`.
    fn name(&self) -> &'static str;

    /// Loads a version. Loading the same version twice gives two independent models; dropping the model unloads it.
    async fn load(&self, spec: &ModelSpec) -> Result<Arc<dyn LoadedModel>, BackendError>;
}

/// A version in memory.
#[async_trait]
pub trait LoadedModel: Send + Sync + 'static {
    /// What it takes and gives. Never changes.
    fn schema(&self) -> &Schema;

    /// Executes it once. The caller sends each input of the schema exactly once, in any order, of the schema's type and a
    /// shape that fits, with the same number of rows; the answer has each output of the schema in its order, row by row.
    /// May be called from many tasks at once; does its work off the async runtime. Dropping the future abandons the work.
    async fn infer(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, BackendError>;
}

/// What a backend is to load.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    /// The version, for messages.
    pub version: ModelVersion,
    /// The backend's name.
    pub backend: String,
    /// The artifact on this machine: a model's folder, or a single file.
    pub file: PathBuf,
    /// The artifact's digest, verified.
    pub digest: Digest,
}

/// Why a backend did not do it.
#[derive(Debug, Error)]
pub enum BackendError {
    /// The artifact is not something that this backend can load.
    #[error("the model does not load: {reason}")]
    Load {
        /// What is wrong with it.
        reason: String,
    },
    /// The inputs are refused.
    #[error("the model refuses its input: {reason}")]
    Input {
        /// Which and why.
        reason: String,
    },
    /// Execution failed.
    #[error("the model failed: {reason}")]
    Execute {
        /// What the runtime said.
        reason: String,
    },
    /// What the backend itself needs is missing or away.
    #[error("the backend `{backend}` is not available: {reason}")]
    Unavailable {
        /// The backend.
        backend: String,
        /// What to do.
        reason: String,
    },
}

impl BackendError {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Load { .. } => ErrorKind::FailedPrecondition,
            Self::Input { .. } => ErrorKind::InvalidArgument,
            Self::Execute { .. } => ErrorKind::Internal,
            Self::Unavailable { .. } => ErrorKind::Unavailable,
        }
    }
}

/// Brings artifacts to this machine.
#[async_trait]
pub trait ModelFiles: Send + Sync + 'static {
    /// A local copy of the version's artifact whose digest is `expected`. Idempotent; the copy stays as it is while the
    /// process lives.
    async fn fetch(&self, version: &ModelVersion, expected: &Digest) -> Result<PathBuf, FilesError>;
}

/// Why there is no local copy.
#[derive(Debug, Error)]
pub enum FilesError {
    /// The artifact is not the one that was judged.
    #[error("the artifact was changed after its release: its digest is {actual}, the release pinned {expected}")]
    Changed {
        /// What the plan pins.
        expected: Digest,
        /// What the store holds.
        actual: Digest,
    },
    /// The store could not be read.
    #[error("the artifact could not be fetched")]
    Unavailable {
        /// What failed.
        #[source]
        source: BoxError,
    },
}

/// Where the plan comes from.
#[async_trait]
pub trait PlanSource: Send + Sync + 'static {
    /// The plan as it is now. Cheap: it is called each second.
    async fn current(&self) -> Result<TrafficPlan, BoxError>;
}

/// Adds the features that a version takes to rows of entities.
#[async_trait]
pub trait FeatureSource: Send + Sync + 'static {
    /// One list of values for each row, each in the order of `version.features`. Overrides replace what would have been
    /// looked up, before on-demand features are computed. With the store away, the last known values are answered and
    /// marked degraded; a value is never invented.
    async fn enrich(&self, version: &VersionPlan, rows: &EntityRows) -> Result<Enriched, FeatureError>;
}

/// What a request knows of each of its rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EntityRows {
    /// How many rows there are; every column has as many values.
    pub rows: usize,
    /// Entity keys, as declared.
    pub entities: Vec<Column>,
    /// Request-time values, as declared.
    pub request: Vec<Column>,
    /// Features that the caller sent itself, by input name.
    pub overrides: Vec<Column>,
}

/// A named column of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// One value for each row.
    pub values: Vec<Value>,
}

/// Rows with their features.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Enriched {
    /// For each row the features, in the order of the version's plan.
    pub rows: Vec<Vec<FeatureValue>>,
}

/// One feature as it was used, with where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureValue {
    /// The feature as in the plan: `user_activity:clicks_7d`.
    pub name: Arc<str>,
    /// Its value.
    pub value: Value,
    /// When it was true, if it was looked up.
    pub event_time: Option<Timestamp>,
    /// `materialized`, `pushed`, `default`, `request`, `on_demand` or `override`.
    pub origin: Cow<'static, str>,
    /// Whether it is the last known value and not the current one.
    pub degraded: bool,
    /// The definition's digest.
    pub digest: Option<Digest>,
}

/// Why there are no features.
#[derive(Debug, Error)]
pub enum FeatureError {
    /// There is no value and none was declared as the default.
    #[error("{entity} has no value for the feature `{feature}`, and the feature declares no default (row {row})")]
    Missing {
        /// Which entity: `user_id=7`.
        entity: String,
        /// The feature.
        feature: String,
        /// The row of the request.
        row: usize,
    },
    /// A key, request value or override cannot be used.
    #[error("{reason}")]
    Invalid {
        /// Which, what was expected and what came.
        reason: String,
    },
    /// The store is away and nothing is known from before.
    #[error("the features are not available")]
    Unavailable {
        /// What failed.
        #[source]
        source: BoxError,
    },
    /// A defect: unknown definitions, an expression that fails.
    #[error("the features could not be computed")]
    Failed {
        /// What failed.
        #[source]
        source: BoxError,
    },
}

impl FeatureError {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing { .. } => ErrorKind::FailedPrecondition,
            Self::Invalid { .. } => ErrorKind::InvalidArgument,
            Self::Unavailable { .. } => ErrorKind::Unavailable,
            Self::Failed { .. } => ErrorKind::Internal,
        }
    }
}

/// Takes every served row.
pub trait PredictionSink: Send + Sync + 'static {
    /// Called before the answer goes out. A failure is counted and logged and the answer goes out all the same: serving
    /// does not stop because a disk is full.
    fn record(&self, rows: Vec<ServedRow>) -> Result<(), BoxError>;
}

/// Which part of a rollout answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arm {
    /// The version that serves by default.
    Stable,
    /// The version that is being rolled out.
    Canary,
    /// A copy of a request, whose answer nobody sees.
    Shadow,
    /// The caller named the version; it says nothing about anybody else's traffic.
    Explicit,
    /// A version without traffic, asked for by a gate.
    Other,
}

impl Arm {
    /// The arm as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
            Self::Shadow => "shadow",
            Self::Explicit => "explicit",
            Self::Other => "other",
        }
    }
}

/// One served row.
#[derive(Debug, Clone, PartialEq)]
pub struct ServedRow {
    /// Its name.
    pub id: PredictionId,
    /// When it was served.
    pub at: Timestamp,
    /// By what.
    pub version: ModelVersion,
    /// In which part of the rollout.
    pub arm: Arm,
    /// The release that brought the version here.
    pub release: Option<String>,
    /// Who asked.
    pub principal: String,
    /// Entity keys, and segments that the request carried.
    pub entities: Vec<(String, Value)>,
    /// The features as used. For a request that sent every input: those of its inputs that have one element in each row.
    pub features: Vec<FeatureValue>,
    /// The outputs, each with the elements of this row.
    pub outputs: Vec<(String, Vec<Value>)>,
    /// Whether a last known value was used in place of a current one.
    pub degraded: bool,
}
