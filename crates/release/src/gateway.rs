//! What gateways tell: what they serve, and how it went.
//!
//! Both come at least once and may come late. An acknowledgement replaces the one before; a window is the whole truth about
//! its gateway, revision, second and arm, and never changes, so one that comes twice counts once.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use types::{ModelName, ParseError, Timestamp};

use crate::ReleaseId;

/// What one gateway serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayReport {
    /// Which gateway.
    pub gateway: String,
    /// Each model that it has a plan of.
    pub models: BTreeMap<ModelName, ModelReport>,
}

/// What one gateway serves of one model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelReport {
    /// The revision of the assignment that it follows.
    pub revision: i64,
    /// Whether it serves all of that: every version with traffic, or with copies of traffic, is loaded.
    pub settled: bool,
    /// The versions that it cannot load, and why.
    pub failed: BTreeMap<u32, String>,
}

/// Which part of a rollout answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// The version that serves by default.
    Stable,
    /// The one being rolled out.
    Canary,
    /// The one being rolled out, on copies.
    Shadow,
}

impl Arm {
    /// The arm as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
            Self::Shadow => "shadow",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, ParseError> {
        [Self::Stable, Self::Canary, Self::Shadow]
            .into_iter()
            .find(|arm| arm.as_str() == text)
            .ok_or_else(|| ParseError::new("arm", text, "stable, canary or shadow"))
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one arm of a rollout answered on one gateway in one second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmWindow {
    /// The model.
    pub model: ModelName,
    /// The release that is rolling out.
    pub release: ReleaseId,
    /// The revision of the assignment that the gateway followed.
    pub revision: i64,
    /// Which second, since 1970 by the gateway's clock.
    pub second: i64,
    /// Which arm.
    pub arm: Arm,
    /// The version that answered.
    pub version: u32,
    /// Requests.
    pub requests: u64,
    /// Entities that this arm saw for the first time in the gateway's current span of seconds.
    pub entities: u64,
    /// Entities with their first failed request in that span.
    pub errors: u64,
    /// Entities with their first slow answer in that span.
    pub slow: u64,
    /// Requests that failed.
    pub failed_requests: u64,
    /// How long answers took: the upper end of a class in microseconds, and how many fell into it.
    pub latency: Vec<(u64, u64)>,
}

/// A gateway's last acknowledgement, as the release of one model sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Which gateway.
    pub gateway: String,
    /// When it was last heard, in database time.
    pub seen_at: Timestamp,
    /// Since when it follows that revision of the model, or does not.
    pub changed_at: Timestamp,
    /// Whether it was heard recently enough to be waited for.
    pub live: bool,
    /// What it serves of the model, if it has heard of it.
    pub model: Option<ModelReport>,
}

impl Acknowledgement {
    /// Whether the gateway serves all of what was decided by `revision`, or later.
    #[must_use]
    pub fn follows(&self, revision: i64) -> bool {
        self.model.as_ref().is_some_and(|model| model.settled && model.revision >= revision)
    }
}
