//! What callers ask and what they get.

use std::{sync::Arc, time::Duration};

use types::{ModelName, ModelVersion, PredictionId, Principal, Schema, TensorType, Value};
use uuid::Uuid;

use crate::{Arm, FeatureValue, Tensor, VersionPlan};

/// Asks for the inputs that a version would be executed with.
#[derive(Debug, Clone)]
pub struct PrepareRequest {
    /// The model.
    pub model: String,
    /// The version; without one, the traffic plan decides.
    pub version: Option<u32>,
    /// Entity keys, request values and overrides; or every input of the model.
    pub inputs: Vec<Tensor>,
    /// Whether versions that get no traffic may be asked for, too. Gates do, in process; no protocol can.
    pub candidates: bool,
}

/// The inputs that a version would be executed with.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The version that was picked.
    pub plan: Arc<VersionPlan>,
    /// Its part in the rollout.
    pub arm: Arm,
    /// What each row is made of.
    pub rows: Vec<PreparedRow>,
    /// The model's inputs.
    pub tensors: Vec<Tensor>,
    /// Whether a last known value was used in place of a current one.
    pub degraded: bool,
}

impl Prepared {
    /// The version that was picked.
    #[must_use]
    pub fn version(&self) -> &ModelVersion {
        &self.plan.version
    }
}

/// One row: whom it is about and with which features.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PreparedRow {
    /// Entity keys, and segments that the request carried.
    pub entities: Vec<(String, Value)>,
    /// The features as used.
    pub features: Vec<FeatureValue>,
}

/// Outputs of a version that was executed without being served: not logged, not counted.
#[derive(Debug, Clone)]
pub struct Scored {
    /// What it was executed with.
    pub prepared: Prepared,
    /// Every output of the model.
    pub outputs: Vec<Tensor>,
    /// How long `prepare` took.
    pub prepare: Duration,
    /// How long the execution took, queue included.
    pub execute: Duration,
}

/// Asks for a prediction.
#[derive(Debug, Clone)]
pub struct InferRequest {
    /// The caller's own id, echoed.
    pub id: Option<String>,
    /// The model.
    pub model: String,
    /// The version; without one, the traffic plan decides.
    pub version: Option<u32>,
    /// Entity keys, request values and overrides; or every input of the model.
    pub inputs: Vec<Tensor>,
    /// The outputs wanted, by name; empty for all.
    pub outputs: Vec<String>,
    /// Who asks.
    pub principal: Principal,
}

/// A prediction.
#[derive(Debug, Clone)]
pub struct InferResponse {
    /// The caller's own id.
    pub id: Option<String>,
    /// The version that answered.
    pub version: ModelVersion,
    /// Names the request; row `n` of it is the prediction `<request>:<n>`.
    pub request: Uuid,
    /// How many rows were served.
    pub rows: usize,
    /// The outputs wanted, in the order wanted.
    pub outputs: Vec<Tensor>,
    /// Whether a last known value was used in place of a current one.
    pub degraded: bool,
}

impl InferResponse {
    /// The name of a served row.
    #[must_use]
    pub fn prediction_id(&self, row: u32) -> PredictionId {
        PredictionId::new(self.request, row)
    }
}

/// What a model takes and gives, for its callers.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelMetadata {
    /// The model.
    pub model: ModelName,
    /// The version that this is about.
    pub version: u32,
    /// The versions that serve, in order.
    pub versions: Vec<u32>,
    /// The backend that executes it.
    pub backend: String,
    /// What a caller sends.
    pub inputs: Vec<InputSpec>,
    /// The model's own inputs and outputs.
    pub schema: Schema,
}

/// An input that a caller sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputSpec {
    /// Its name.
    pub name: String,
    /// Its type.
    pub datatype: TensorType,
    /// Its dimensions; -1 is any size.
    pub shape: Vec<i64>,
    /// What it is to the gateway.
    pub role: InputRole,
    /// Whether a request may leave it out.
    pub optional: bool,
}

/// What an input is to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputRole {
    /// An input of the model itself.
    Model,
    /// An entity's key: features are looked up by it.
    EntityKey,
    /// A value that only the request knows.
    RequestValue,
    /// A feature, or all of them at once; sent only to replace what would be looked up.
    Override,
}

impl InputRole {
    /// The role as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::EntityKey => "entity_key",
            Self::RequestValue => "request_value",
            Self::Override => "override",
        }
    }
}

/// A version and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionStatus {
    /// The version.
    pub version: ModelVersion,
    /// Its part in the rollout.
    pub arm: Arm,
    /// How it stands.
    pub state: VersionState,
}

/// How a version stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionState {
    /// It is being loaded.
    Loading,
    /// It serves, or could.
    Ready,
    /// It did not load. It is tried again.
    Failed {
        /// Why.
        reason: String,
        /// Whether the artifact store was away, which says nothing about the version.
        is_passing: bool,
    },
    /// It was unloaded by hand, until it is loaded by hand or the process starts anew.
    Unloaded,
}
