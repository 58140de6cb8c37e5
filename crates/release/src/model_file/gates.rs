//! What a release must pass, as a team declares it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::Duration;

/// The gates that can be declared. `lineage` and `schema` have nothing to declare and always run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gates {
    /// Bounds on the candidate's quality, rescored on its evaluation data, beside stable.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quality: BTreeMap<QualityMetric, MetricBound>,
    /// How many rows are compared between the online and the offline rail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parity: Option<ParityGate>,
    /// Bounds on the candidate's latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyGate>,
}

/// A measure of quality over labels and scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QualityMetric {
    /// Area under the receiver operating characteristic.
    Auc,
    /// Share of labels that the score, cut at one half, tells right.
    Accuracy,
    /// Mean negative log likelihood.
    Logloss,
    /// Mean squared error of the predicted probability.
    Brier,
    /// Root of the mean squared error.
    Rmse,
    /// Mean absolute error.
    Mae,
}

impl QualityMetric {
    /// The metric as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auc => "auc",
            Self::Accuracy => "accuracy",
            Self::Logloss => "logloss",
            Self::Brier => "brier",
            Self::Rmse => "rmse",
            Self::Mae => "mae",
        }
    }

    /// Whether more of it is better. Where it is, `min` and `min_delta` bound it; otherwise `max` and `max_delta`.
    #[must_use]
    pub const fn higher_is_better(self) -> bool {
        match self {
            Self::Auc | Self::Accuracy => true,
            Self::Logloss | Self::Brier | Self::Rmse | Self::Mae => false,
        }
    }
}

/// Bounds on one metric. A delta is candidate minus stable; without a stable version deltas do not bind.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricBound {
    /// The least that passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The most that passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The least difference to stable that passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_delta: Option<f64>,
    /// The greatest difference to stable that passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_delta: Option<f64>,
}

/// The parity gate's sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParityGate {
    /// How many entities are asked for.
    pub sample: u32,
}

impl Default for ParityGate {
    /// A thousand rows find a difference in 0.3 % of them with 95 % certainty.
    fn default() -> Self {
        Self { sample: 1_000 }
    }
}

/// The latency gate's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LatencyGate {
    /// The 95th percentile may not exceed this.
    pub p95: Duration,
    /// Nor this many times stable's, measured interleaved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ratio: Option<f64>,
}
