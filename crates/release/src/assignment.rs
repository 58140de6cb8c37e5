//! What serves: the truth that gateways follow and the alias mirrors.

use std::{collections::BTreeMap, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::{Digest, Duration, ModelName, ParseError, Percent};

/// A release's number, counted from 1 over all models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ReleaseId(pub i64);

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ReleaseId {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        text.parse()
            .ok()
            .filter(|number| *number > 0)
            .map(Self)
            .ok_or_else(|| ParseError::new("release", text, "its number, such as `3`"))
    }
}

/// A version with the digests that its release froze. Whatever is listed in an assignment stays loadable, and the
/// values of its feature definitions stay materialized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// The version.
    pub version: u32,
    /// The release that froze it.
    pub release: ReleaseId,
    /// What executes it, such as `onnx`.
    #[serde(default = "onnx")]
    pub backend: String,
    /// The model's files.
    pub artifact_digest: Digest,
    /// The project it was judged under, and serves under.
    pub project_digest: Digest,
    /// The definition of each feature view and on-demand feature that it reads.
    pub feature_digests: BTreeMap<String, Digest>,
}

/// The backend of every version from before there was a choice.
pub(crate) fn onnx() -> String {
    "onnx".to_owned()
}

/// The version being rolled out, and its share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Canary {
    /// The version.
    pub pinned: Pinned,
    /// The share of the entities that it serves.
    pub weight: Percent,
}

/// What serves one model. A decision makes a new one; none is ever changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The model.
    pub model: ModelName,
    /// Rises with each decision, over all models.
    pub revision: i64,
    /// The release that decided it.
    pub release: ReleaseId,
    /// The decision of that release; `(release, sequence)` names the effect.
    pub sequence: i64,
    /// What serves by default; none before the first promotion.
    pub stable: Option<Pinned>,
    /// What is being rolled out.
    pub canary: Option<Canary>,
    /// What receives copies of live requests, whose answers nobody sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Pinned>,
    /// What counts as slow while a rollout is on its way; nothing does before it is frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_after: Option<Duration>,
    /// What was stable before, and where a rollback goes.
    pub previous: Option<Pinned>,
    /// What is under gates: loadable by explicit version, without traffic.
    pub candidates: Vec<Pinned>,
}
