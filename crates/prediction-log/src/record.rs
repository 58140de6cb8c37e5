//! What is remembered of one served row, and of what became of it.
//!
//! Both types are persisted: their JSON form is pinned by `test-data/*/v1.json`, and a field may be added only with a
//! default.

use serde::{Deserialize, Serialize};
use types::{Digest, ModelVersion, PredictionId, Timestamp, Value};

/// One served row: what was asked, with which features it was answered, and what the answer was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictionRecord {
    /// The request and the row in it.
    pub id: PredictionId,
    /// When the request arrived.
    pub at: Timestamp,
    /// The version that answered.
    pub version: ModelVersion,
    /// How that version came to answer.
    pub arm: Arm,
    /// The release that brought the version to where it serves.
    pub release: Option<String>,
    /// Who asked.
    pub principal: String,
    /// The entity keys of the row.
    pub entities: Vec<(String, Value)>,
    /// Every input of the model, with where its value came from.
    pub features: Vec<LoggedFeature>,
    /// The model's answer for this row, by output name.
    pub outputs: Vec<(String, Vec<Value>)>,
    /// Whether the features were last known values because the store was away.
    pub degraded: bool,
    /// The project whose definitions were in force.
    pub project: Option<Digest>,
    /// The probability with which this row was logged, from 0 to 1; weight by its inverse.
    pub sample_rate: f64,
}

/// The part of the traffic that a row belonged to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arm {
    /// The version that serves by default.
    Stable,
    /// The version being rolled out.
    Canary,
    /// A copy whose answer nobody saw.
    Shadow,
    /// The caller named the version.
    Explicit,
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
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Stable, Self::Canary, Self::Shadow, Self::Explicit].into_iter().find(|arm| arm.as_str() == text)
    }
}

/// One input of the model as it was used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedFeature {
    /// The model's input.
    pub name: String,
    /// The value that the model saw.
    pub value: Value,
    /// When the value was true of the entity, if it came from a feature view.
    pub event_time: Option<Timestamp>,
    /// Where it came from: `materialized`, `pushed`, `default`, `request`, `on_demand`, `override`.
    pub origin: String,
    /// The definition that made it.
    pub digest: Option<Digest>,
}

/// A click, purchase or label that joins one prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The row that it is about.
    pub prediction: PredictionId,
    /// What happened: `click`, `purchase`, `label`. With the prediction it is the key: a repeat is a duplicate.
    pub event: String,
    /// How much, if the event has an amount.
    pub value: Option<f64>,
    /// When it happened.
    pub at: Timestamp,
}

/// What became of a batch of outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutcomeReport {
    /// Written, and on disk.
    pub accepted: usize,
    /// Already known by (prediction, event); the first one stands.
    pub duplicates: usize,
}

/// Which predictions to read. Both ends of the time range are inclusive.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Only this model's.
    pub model: Option<types::ModelName>,
    /// Not before.
    pub since: Timestamp,
    /// Not after.
    pub until: Timestamp,
    /// At most this many.
    pub limit: usize,
    /// From the newest back, instead of from the oldest on.
    pub newest_first: bool,
}

impl Scan {
    /// The newest `limit` predictions of every model.
    #[must_use]
    pub const fn newest(limit: usize) -> Self {
        Self { model: None, since: Timestamp::MIN, until: Timestamp::MAX, limit, newest_first: true }
    }
}
