//! `models/<name>.yaml`: what a team declares about one model (DESIGN §6).
//!
//! The types are the schema: unknown keys are refused at every level, and [`ModelFile::validate`] says what the types
//! cannot. Parsing YAML, and showing where in the file a problem lies, is `crosstie`'s.

mod gates;
mod policy;
mod rollout;
mod validation;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use types::{Duration, ModelName};

pub use gates::{Gates, LatencyGate, MetricBound, ParityGate, QualityMetric};
pub use policy::{Approvals, Drift, DriftReference, Kpi, Slo};
pub use rollout::{ErrorLimit, LatencyLimit, MinRequests, Pause, RollbackOn, Rollout, Shadow, Step};
pub use validation::Problem;

use crate::GateName;

/// One model's declaration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// The format of this file; always 1.
    #[serde(deserialize_with = "version_one")]
    #[schemars(extend("const" = 1))]
    pub version: u32,
    /// The registered model that this is about.
    pub model: ModelName,
    /// The team that answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The entity key by which requests stick to a version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_by: Option<String>,
    /// The dimensions by which quality, drift and KPIs are also judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<String>,
    /// The model's inputs: `view:feature`, `request:value` or `on_demand:feature`. Without it callers send every input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// What a release of it must pass, beside `lineage` and `schema`, which every release must.
    #[serde(default)]
    pub gates: Gates,
    /// Who must sign.
    #[serde(default)]
    pub approvals: Approvals,
    /// The way to production.
    #[serde(default)]
    pub rollout: Rollout,
    /// What callers are promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slo: Option<Slo>,
    /// How its inputs and answers are watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// What it is good for, counted from outcomes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kpis: BTreeMap<String, Kpi>,
    /// How long after a prediction its outcomes are awaited before KPIs count it.
    #[serde(default = "an_hour")]
    pub attribution: Duration,
}

impl ModelFile {
    /// The gates that a release of this model must pass, in the order in which they run.
    #[must_use]
    pub fn required_gates(&self) -> Vec<GateName> {
        let features = self.features.as_ref().is_some_and(|features| !features.is_empty());
        GateName::ALL
            .into_iter()
            .filter(|gate| match gate {
                GateName::Lineage | GateName::Schema => true,
                GateName::Parity => features || self.gates.parity.is_some(),
                GateName::Quality => !self.gates.quality.is_empty(),
                GateName::Latency => self.gates.latency.is_some(),
            })
            .collect()
    }

    /// What the types cannot say, such as that weights ascend. Empty when the file is sound.
    #[must_use]
    pub fn validate(&self) -> Vec<Problem> {
        validation::validate(self)
    }
}

/// Most clicks come within minutes; who counts purchases says so.
fn an_hour() -> Duration {
    Duration::from_secs(3_600)
}

fn version_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        1 => Ok(1),
        other => Err(de::Error::custom(format!("this Crosstie reads version 1 of this file, not version {other}"))),
    }
}

#[cfg(test)]
mod tests;
