//! What a gateway is to serve: the traffic plan.
//!
//! The plan is the whole truth for a gateway. It is polled, carries a monotonic revision, and pins artifact and feature
//! definitions by digest, so that a gateway which has seen a plan can go on serving it with everything else down.

mod disk;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::{Digest, Duration, ModelName, ModelVersion, Percent, ValueType};

pub(crate) use disk::PlanFile;

/// Which versions of which models serve what share.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrafficPlan {
    /// Grows with every change; a gateway ignores a plan with a smaller one than it has.
    pub revision: i64,
    /// The models.
    pub models: BTreeMap<ModelName, ModelPlan>,
}

impl TrafficPlan {
    /// Whether the plan, or its part for any model, was made before `other`.
    pub(crate) fn is_older_than(&self, other: &Self) -> bool {
        // A model without a revision of its own is not released any more.
        let older = |(name, model): (&ModelName, &ModelPlan)| {
            model.revision > 0 && other.models.get(name).is_some_and(|other| model.revision < other.revision)
        };
        self.revision < other.revision || self.models.iter().any(older)
    }
}

/// One model's part of a plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPlan {
    /// The model's own revision: grows with every change of this model, and is what a gateway acknowledges. 0 where
    /// nothing but an alias decides.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: i64,
    /// The version that serves by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<VersionPlan>,
    /// The version that is being rolled out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// The version that gets copies of requests, whose answers nobody sees; none, unless `watch` says for which release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<VersionPlan>,
    /// What is counted for the release that rolls out; without it nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
    /// The entity key (or any other input) that keeps a caller on one version: the same value, the same version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_by: Option<String>,
    /// Inputs that are logged with each prediction because quality is judged by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<String>,
    /// Versions that are kept loaded but get no traffic: candidates under gates, versions to roll back to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<VersionPlan>,
}

impl ModelPlan {
    /// Every version in it, each once.
    pub fn versions(&self) -> impl Iterator<Item = &VersionPlan> {
        let canary = self.canary.iter().map(|canary| &canary.version);
        self.stable.iter().chain(canary).chain(&self.shadow).chain(&self.others)
    }
}

fn is_zero(revision: &i64) -> bool {
    *revision == 0
}

/// What a release that rolls out wants to be counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// The release.
    pub release: String,
    /// An answer that took longer is slow; without it, none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_after: Option<Duration>,
}

/// The version that is being rolled out, and its share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// The version.
    pub version: VersionPlan,
    /// Its share of the traffic.
    pub weight: Percent,
}

/// One version, with all that is needed to load it and to make its inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionPlan {
    /// The version.
    pub version: ModelVersion,
    /// The backend that executes it: `onnx`, `http`.
    pub backend: String,
    /// The artifact's digest; another artifact is refused at load.
    pub digest: Digest,
    /// The features that the model takes, in the order that it takes them: `user_activity:clicks_7d`. Empty for a model
    /// whose callers send every input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// The definition's digest for each view and on-demand feature.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub feature_digests: BTreeMap<String, Digest>,
    /// The entity keys that a request carries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entity_keys: Vec<(String, ValueType)>,
    /// The request-time values that a request carries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_values: Vec<(String, ValueType)>,
    /// The type of each feature, by the model input's name (the part of the feature's name after the colon).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feature_types: Vec<(String, ValueType)>,
    /// The release that brought it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
}

impl VersionPlan {
    /// A version whose callers send every input.
    #[must_use]
    pub fn plain(version: ModelVersion, backend: impl Into<String>, digest: Digest) -> Self {
        Self {
            version,
            backend: backend.into(),
            digest,
            features: Vec::new(),
            feature_digests: BTreeMap::new(),
            entity_keys: Vec::new(),
            request_values: Vec::new(),
            feature_types: Vec::new(),
            release: None,
        }
    }

    /// The type of a feature, by input name.
    #[must_use]
    pub fn feature_type(&self, input: &str) -> Option<ValueType> {
        self.feature_types.iter().find(|(name, _)| name == input).map(|(_, value_type)| *value_type)
    }

    /// Whether both are the same artifact, executed by the same backend.
    pub(crate) fn same_artifact(&self, other: &Self) -> bool {
        self.version == other.version && self.backend == other.backend && self.digest == other.digest
    }
}

/// The model input that carries a feature: the part of `view:feature` after the colon.
#[must_use]
pub fn input_name(feature: &str) -> &str {
    feature.rsplit_once(':').map_or(feature, |(_, name)| name)
}
