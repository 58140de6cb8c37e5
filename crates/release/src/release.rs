//! A release as people and programs see it: the record, with its evidence.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use types::{Digest, ModelVersion, ParseError, Percent, Timestamp};

use crate::{Author, GateName, ModelFile, ReleaseId, machine::Progress};

mod standing;

/// Why there is a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// To bring a version to production.
    Release,
    /// To go back to one that was there before.
    Rollback,
}

impl Kind {
    /// The kind as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Rollback => "rollback",
        }
    }
}

/// The stages of a release, without what belongs to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Gates run.
    Gating,
    /// A gate failed and is not waived.
    GatesFailed,
    /// Signatures are missing.
    AwaitingApproval,
    /// On its way to production.
    RollingOut,
    /// It became stable.
    Done,
    /// It could not become stable.
    Failed,
    /// Someone ended it.
    Aborted,
    /// It was sent back on its way.
    RolledBack,
}

impl Stage {
    /// All stages.
    pub const ALL: [Self; 8] = [
        Self::Gating,
        Self::GatesFailed,
        Self::AwaitingApproval,
        Self::RollingOut,
        Self::Done,
        Self::Failed,
        Self::Aborted,
        Self::RolledBack,
    ];

    /// The stage as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gating => "gating",
            Self::GatesFailed => "gates_failed",
            Self::AwaitingApproval => "awaiting_approval",
            Self::RollingOut => "rolling_out",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::RolledBack => "rolled_back",
        }
    }

    /// Whether the release waits for nothing any more that could happen by itself: over, or in need of a person.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        !matches!(self, Self::Gating | Self::RollingOut)
    }

    /// Whether it keeps other releases of its model from starting.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Gating | Self::AwaitingApproval | Self::RollingOut)
    }

    /// Whether it is over, for good.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Aborted | Self::RolledBack)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL
            .into_iter()
            .find(|stage| stage.as_str() == text)
            .ok_or_else(|| ParseError::new("stage", text, "a stage of a release, such as `gating`"))
    }
}

/// Where one gate stands, with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// Which gate.
    pub gate: GateName,
    /// Its verdict.
    pub verdict: Verdict,
    /// One line for people.
    pub summary: Option<String>,
    /// What the verdict rests on.
    pub evidence: Option<serde_json::Value>,
    /// How often it was asked in vain.
    pub attempts: u32,
    /// When it may be asked again, while there is no verdict.
    pub not_before: Timestamp,
    /// When it gave its verdict.
    pub concluded_at: Option<Timestamp>,
}

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing yet.
    Pending,
    /// The candidate passes.
    Passed,
    /// It does not, or there was no verdict to be had.
    Failed,
}

impl Verdict {
    /// The verdict as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, ParseError> {
        [Self::Pending, Self::Passed, Self::Failed]
            .into_iter()
            .find(|verdict| verdict.as_str() == text)
            .ok_or_else(|| ParseError::new("verdict", text, "pending, passed or failed"))
    }
}

/// A recorded sign-off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub principal: String,
    /// What they said.
    pub comment: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What a waiver says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewWaiver {
    /// The gate that need not pass.
    pub gate: GateName,
    /// Why not.
    pub reason: String,
    /// Until when.
    pub until: Timestamp,
}

/// A recorded waiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// The gate that need not pass.
    pub gate: GateName,
    /// Who says so.
    pub principal: String,
    /// Why.
    pub reason: String,
    /// Until when.
    pub until: Timestamp,
    /// Since when.
    pub at: Timestamp,
}

/// The record of a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// Its number.
    pub id: ReleaseId,
    /// Why there is one.
    pub kind: Kind,
    /// What it brings to production.
    pub version: ModelVersion,
    /// Where it stands.
    pub stage: Stage,
    /// Why it ended, where it did not end well.
    pub reason: Option<String>,
    /// Whether an operator holds it where it is.
    pub paused: bool,
    /// How many decisions were taken.
    pub sequence: i64,
    /// Who asked for it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When the last decision was taken.
    pub updated_at: Timestamp,
    /// Who registered the version.
    pub author: Option<Author>,
    /// What executes the version.
    pub backend: String,
    /// The model's files, as judged.
    pub artifact_digest: Digest,
    /// The project, as judged.
    pub project_digest: Digest,
    /// The feature definitions, as judged.
    pub feature_digests: BTreeMap<String, Digest>,
    /// The model's declaration, as judged.
    pub model_file: ModelFile,
    /// Each required gate, in the order in which they run.
    pub gates: Vec<GateReport>,
    /// Who signed.
    pub approvals: Vec<Approval>,
    /// Which gates were let pass regardless, by whom, why and until when; expired ones too.
    pub waivers: Vec<Waiver>,
    /// What was stable when this one became it.
    pub previous: Option<u32>,
    /// The step being executed, from 0.
    pub step: u32,
    /// The share of the entities that the release gave its version.
    pub weight: Percent,
    /// Since when the step lasts.
    pub step_entered_at: Option<Timestamp>,
    /// How far that step has come.
    pub progress: Progress,
    /// What a reader of this record must know, such as that declared steps were not executed.
    pub notes: Vec<String>,
}

impl Release {
    /// Whether it came as far as a rollout, of which there is something to tell.
    #[must_use]
    pub fn has_rollout(&self) -> bool {
        self.kind == Kind::Release && self.step_entered_at.is_some()
    }
}

/// Which releases to list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Only this model's.
    pub model: Option<types::ModelName>,
    /// Only those that are not over.
    pub open_only: bool,
    /// At most this many.
    pub limit: u32,
}

impl Default for Filter {
    /// The last hundred of all models.
    fn default() -> Self {
        Self { model: None, open_only: false, limit: 100 }
    }
}
