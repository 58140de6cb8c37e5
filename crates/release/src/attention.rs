//! What wants a person's attention now. Level-triggered: what is listed holds, and what is no longer listed is over.

use serde::{Deserialize, Serialize};
use types::{ModelName, Timestamp};

use crate::ReleaseId;

/// What is the matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionKind {
    /// A version was sent back by itself. Holds until the model's next release.
    RolledBack,
    /// A rollout ended because the version's files are not those that were judged, or are gone. Holds until the model's next
    /// release.
    Failed,
    /// A rollout took longer than declared and waits for a person.
    Held,
    /// The registry or the store lost the stable version; gateways serve on what they have loaded.
    StableMissing,
    /// A version was sent back because a gateway could not load it. Holds until the model's next release.
    CanaryDoesNotLoad,
    /// A live gateway does not follow what was decided.
    Unsettled,
}

impl AttentionKind {
    /// The kind as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RolledBack => "rolled_back",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::StableMissing => "stable_missing",
            Self::CanaryDoesNotLoad => "canary_does_not_load",
            Self::Unsettled => "unsettled",
        }
    }
}

/// Something that holds now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attention {
    /// What is the matter.
    pub kind: AttentionKind,
    /// With which model.
    pub model: ModelName,
    /// In which release.
    pub release: ReleaseId,
    /// With which version.
    pub version: u32,
    /// Since when.
    pub since: Timestamp,
    /// One line for people.
    pub summary: String,
    /// The numbers.
    pub details: serde_json::Value,
}
