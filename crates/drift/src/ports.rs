//! What drift needs from its siblings. `crosstie` adapts them; tests bring their own.

use std::{error, fmt, sync::Arc};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::{Duration, ModelVersion};

/// Why a port could not do what was asked. It is tried again at the next look, whatever it was.
pub type BoxError = Box<dyn error::Error + Send + Sync>;

/// Finds what versions are compared with.
#[async_trait]
pub trait References: Send + Sync {
    /// The rows that `version` was trained or evaluated on; `None` when it has none, which is not asked again before
    /// some minutes have gone by. Read once: what is frozen of them is kept for as long as the version is known.
    async fn reference(&self, version: &ModelVersion) -> Result<Option<ReferenceRows>, BoxError>;
}

/// Rows that a version was trained or evaluated on.
#[derive(Debug, Clone)]
pub struct ReferenceRows {
    /// Entity keys, segments and every feature, named as the model's inputs are. Columns that nobody asks for are
    /// ignored, but for the first that is a point in time: by it features that follow the clock are recognized.
    pub columns: RecordBatch,
    /// The column with the model's answers to these rows, if there is one.
    pub score: Option<String>,
}

/// Says which models are watched.
#[async_trait]
pub trait Watched: Send + Sync {
    /// Every version whose traffic is looked at. Asked at each look.
    async fn watched(&self) -> Result<Vec<WatchedModel>, BoxError>;
}

/// A version whose traffic is looked at, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchedModel {
    /// The version.
    pub version: ModelVersion,
    /// The model's inputs. Without any, the version is compared with nothing, and its KPIs are counted all the same.
    pub features: Vec<String>,
    /// Dimensions by whose values everything is judged, too: entity keys or inputs.
    pub segments: Vec<String>,
    /// How windows are cut and what is left out.
    pub policy: Policy,
    /// What is counted of outcomes.
    pub kpis: Vec<KpiDef>,
    /// How long outcomes may take: younger predictions are not counted in KPIs.
    pub attribution: Duration,
}

/// How a model's traffic is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The length of a window.
    pub window: Duration,
    /// A window stays open beyond its length until it has so many rows.
    pub min_rows: u64,
    /// Features that differ from the training data by nature; they are not compared.
    pub exclude: Vec<String>,
}

/// A ratio of counts: `ctr` is `click` per `prediction`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KpiDef {
    /// What it is called.
    pub name: String,
    /// The event that counts.
    pub event: String,
    /// What it is counted per: `prediction`, or another event.
    pub per: String,
}

/// All ports of drift.
#[derive(Clone)]
pub struct Ports {
    /// What versions are compared with.
    pub references: Arc<dyn References>,
    /// Which are watched.
    pub watched: Arc<dyn Watched>,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ports").finish_non_exhaustive()
    }
}
