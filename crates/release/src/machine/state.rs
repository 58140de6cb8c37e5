//! What a release is to the decision: what was frozen, where it stands, what is to be found out next.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use types::{Digest, Duration, Timestamp};

use crate::{Author, GateName, Stage, model_file::Step};

/// What was frozen when the release was created.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// What must be passed.
    pub gates: Vec<GateName>,
    /// How many must sign.
    pub approvals_required: u32,
    /// Whether the author may neither approve nor waive.
    pub not_author: bool,
    /// Who registered the version.
    pub author: Option<Author>,
    /// The bytes that were judged.
    pub artifact_digest: Digest,
    /// The declared way to all traffic.
    pub steps: Vec<Step>,
    /// What `min_requests: auto` means.
    pub auto_requests: u64,
    /// Whether a version is stable, to compare the candidate with. Nothing else can make one stable meanwhile without
    /// ending this release.
    pub has_stable: bool,
}

/// Where a release stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The stage.
    pub phase: Phase,
    /// Whether an operator holds it where it is. Gates go on; nothing moves towards production.
    pub paused: bool,
    /// Each required gate.
    pub gates: BTreeMap<GateName, GateState>,
    /// Until when each waived gate is waived.
    pub waivers: BTreeMap<GateName, Timestamp>,
    /// Who signed.
    pub approvals: BTreeSet<String>,
    /// How far the step that is being executed has come.
    pub progress: Progress,
}

/// Where the step that is being executed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    /// The artifact is digested again before anything gets traffic.
    #[default]
    Starting,
    /// What the step decided is not served by every live gateway yet.
    Settling,
    /// It is. Time and requests count.
    Holding,
    /// Nothing is missing for all traffic; the artifact is digested once more.
    Promoting,
}

/// How far the step that is being executed has come. Changes at each look, and is no decision by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Where the step stands.
    pub leg: Leg,
    /// For how long it has held, as far as somebody looked.
    pub held: Duration,
    /// For how long it lasts, without the time in which a person held it.
    pub waited: Duration,
    /// The candidate's requests at the last look.
    pub requests: u64,
    /// The candidate's requests when the hold began.
    pub requests_before: u64,
    /// The last look.
    pub looked_at: Option<Timestamp>,
    /// Since when the step takes longer than declared, and waits for a person.
    pub overdue: Option<Timestamp>,
    /// What counts as slow, once frozen.
    pub slow_after: Option<Duration>,
    /// Why the candidate went back, where no person sent it.
    pub cause: Option<Cause>,
}

impl Default for Progress {
    fn default() -> Self {
        let none = Duration::from_micros(0);
        Self {
            leg: Leg::Starting,
            held: none,
            waited: none,
            requests: 0,
            requests_before: 0,
            looked_at: None,
            overdue: None,
            slow_after: None,
            cause: None,
        }
    }
}

impl Progress {
    /// The candidate's requests since the hold began.
    #[must_use]
    pub const fn requests_held(&self) -> u64 {
        self.requests.saturating_sub(self.requests_before)
    }
}

/// Why a candidate goes back by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It is worse than stable.
    Alarm,
    /// A gateway cannot load it.
    DoesNotLoad,
}

/// The stages of a release.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Gates run.
    Gating,
    /// A gate failed and is not waived. Open to a waiver until the next release of the model takes its place.
    GatesFailed,
    /// Gates are passed or waived; signatures are missing.
    AwaitingApproval,
    /// On its way to production.
    RollingOut {
        /// The step being executed, from 0.
        step: u32,
        /// Since when.
        entered_at: Timestamp,
    },
    /// It is stable, or was until the next release.
    Done,
    /// It could not become stable.
    Failed {
        /// Why.
        reason: String,
    },
    /// Someone ended it before it was stable.
    Aborted {
        /// Who, and why.
        reason: String,
    },
    /// It was sent back on its way.
    RolledBack {
        /// By whom or what, and why.
        reason: String,
    },
}

impl Phase {
    /// The stage without what belongs to it.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self {
            Self::Gating => Stage::Gating,
            Self::GatesFailed => Stage::GatesFailed,
            Self::AwaitingApproval => Stage::AwaitingApproval,
            Self::RollingOut { .. } => Stage::RollingOut,
            Self::Done => Stage::Done,
            Self::Failed { .. } => Stage::Failed,
            Self::Aborted { .. } => Stage::Aborted,
            Self::RolledBack { .. } => Stage::RolledBack,
        }
    }

    /// Whether it is over, for good.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.stage().is_over()
    }

    /// Why it ended, where it did not end well.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Failed { reason } | Self::Aborted { reason } | Self::RolledBack { reason } => Some(reason),
            Self::Gating | Self::GatesFailed | Self::AwaitingApproval | Self::RollingOut { .. } | Self::Done => None,
        }
    }
}

/// Where one gate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GateState {
    /// No verdict yet.
    Pending {
        /// How often it was asked in vain.
        attempts: u32,
        /// When it may be asked again.
        not_before: Timestamp,
    },
    /// It passed.
    Passed,
    /// It failed, or gave no verdict too often.
    Failed,
}

/// What the controller must find out next. Read off the state, so a crash loses none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Nothing.
    Nothing,
    /// The verdicts of these gates, with how often each was asked in vain.
    Gates(Vec<(GateName, u32)>),
    /// Whether the artifact is still the one that was judged.
    CheckArtifact,
}

impl State {
    /// The beginning.
    #[must_use]
    pub fn new(policy: &Policy, now: Timestamp) -> Self {
        let pending = GateState::Pending { attempts: 0, not_before: now };
        Self {
            phase: Phase::Gating,
            paused: false,
            gates: policy.gates.iter().map(|gate| (*gate, pending)).collect(),
            waivers: BTreeMap::new(),
            approvals: BTreeSet::new(),
            progress: Progress::default(),
        }
    }

    /// Whether `next` is the same but for how far the step has come: whether nothing was decided.
    #[must_use]
    pub fn only_progresses_to(&self, next: &Self) -> bool {
        let slow_after = next.progress.slow_after;
        slow_after == self.progress.slow_after && Self { progress: self.progress.clone(), ..next.clone() } == *self
    }

    /// What to find out next.
    #[must_use]
    pub fn work(&self, now: Timestamp) -> Work {
        match self.phase {
            Phase::Gating => {
                let due: Vec<_> = self
                    .gates
                    .iter()
                    .filter_map(|(gate, state)| match state {
                        GateState::Pending { attempts, not_before } if *not_before <= now => Some((*gate, *attempts)),
                        GateState::Pending { .. } | GateState::Passed | GateState::Failed => None,
                    })
                    .collect();
                if due.is_empty() { Work::Nothing } else { Work::Gates(due) }
            }
            Phase::RollingOut { .. } => match self.progress.leg {
                Leg::Starting | Leg::Promoting if !self.paused => Work::CheckArtifact,
                Leg::Starting | Leg::Settling | Leg::Holding | Leg::Promoting => Work::Nothing,
            },
            Phase::GatesFailed
            | Phase::AwaitingApproval
            | Phase::Done
            | Phase::Failed { .. }
            | Phase::Aborted { .. }
            | Phase::RolledBack { .. } => Work::Nothing,
        }
    }

    /// The gates that failed and are not waived at `now`.
    #[must_use]
    pub fn unmet(&self, now: Timestamp) -> Vec<GateName> {
        let waived = |gate: &GateName| self.waivers.get(gate).is_some_and(|until| *until > now);
        self.gates
            .iter()
            .filter(|(gate, state)| **state == GateState::Failed && !waived(gate))
            .map(|(gate, _)| *gate)
            .collect()
    }

    pub(super) fn are_gates_concluded(&self) -> bool {
        self.gates.values().all(|state| matches!(state, GateState::Passed | GateState::Failed))
    }
}
