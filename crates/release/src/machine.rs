//! The decision of a release: `step(policy, state, observation, now) → (state, effects)`.
//!
//! Pure, so that what runs is what the property tests and the model checker look at. Nothing here reads a clock or a
//! row. Whoever calls it commits the new state, the effects and an audit row in one transaction.
//!
//! Observations come late, twice and out of order. One that was applied before changes nothing; one that comes too late
//! to matter changes nothing if a machine made it, and is refused with a reason if a person did. A state in which a
//! release is over is never left.

mod authority;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;
use types::{Digest, Duration, ErrorKind, Principal, Role, Timestamp};

use crate::{Author, GateName, ReleaseId, Stage};

/// How often a gate that gives no verdict is asked. With the delays below this rides out a minute of a database or a
/// store being away, and ends before a person stops waiting.
pub const GATE_ATTEMPTS: u32 = 6;
/// The delay before the second attempt; each further one doubles it.
const GATE_BACKOFF: Duration = Duration::from_secs(2);

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

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// Time passed.
    Tick,
    /// A gate gave its verdict.
    GateConcluded {
        /// Which.
        gate: GateName,
        /// Whether the candidate passes.
        passed: bool,
    },
    /// A gate gave no verdict.
    GateErrored {
        /// Which.
        gate: GateName,
        /// How often it had been asked in vain before; tells a repeated message from a repeated failure.
        attempt: u32,
        /// Whether another attempt may succeed.
        retryable: bool,
    },
    /// The candidate's bytes were digested again, before they go to production.
    ArtifactChecked {
        /// What they are now.
        digest: Digest,
    },
    /// The candidate's bytes are gone for good.
    ArtifactMissing {
        /// What was said about it.
        reason: String,
    },
    /// Someone signs.
    Approved {
        /// Who.
        by: Principal,
    },
    /// Someone lets a gate pass regardless.
    Waived {
        /// Who.
        by: Principal,
        /// Which gate.
        gate: GateName,
        /// Until when.
        until: Timestamp,
    },
    /// Someone holds it.
    Paused {
        /// Who.
        by: Principal,
    },
    /// Someone lets it go on.
    Resumed {
        /// Who.
        by: Principal,
    },
    /// Someone ends it.
    Aborted {
        /// Who.
        by: Principal,
        /// Why.
        reason: String,
    },
    /// Someone sends it back on its way.
    RolledBack {
        /// Who.
        by: Principal,
        /// Why.
        reason: String,
    },
    /// Another release of the model takes its place.
    Superseded {
        /// Which.
        by: ReleaseId,
    },
}

/// What a decision does to the traffic. At most one for each decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// The candidate becomes stable, and stable becomes previous.
    Promote,
    /// The candidate gets no traffic any more and need not be loadable.
    Withdraw,
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

/// Why a person's observation was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No token.
    #[error("to {action} needs a token with the role {role} or higher; an anonymous caller cannot")]
    Anonymous {
        /// What was attempted.
        action: &'static str,
        /// What it takes.
        role: Role,
    },
    /// Not enough of a role.
    #[error("`{principal}` has the role {has}, and to {action} takes {role} or higher")]
    Role {
        /// Who.
        principal: String,
        /// Its role.
        has: Role,
        /// What was attempted.
        action: &'static str,
        /// What it takes.
        role: Role,
    },
    /// Four eyes.
    #[error("`{principal}` registered this version and cannot {action}: someone else must")]
    Author {
        /// Who.
        principal: String,
        /// What was attempted.
        action: &'static str,
    },
    /// It is over.
    #[error("this release is {phase}: nothing can {action} it any more")]
    Over {
        /// Where it ended.
        phase: Stage,
        /// What was attempted.
        action: &'static str,
    },
    /// Not yet, or no longer.
    #[error("{0}")]
    NotNow(String),
    /// The waiver would not waive anything.
    #[error("{0}")]
    Useless(String),
}

impl Refusal {
    /// The kind of failure, from the caller's point of view.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Anonymous { .. } | Self::Role { .. } | Self::Author { .. } => ErrorKind::PermissionDenied,
            Self::Over { .. } | Self::NotNow(_) => ErrorKind::FailedPrecondition,
            Self::Useless(_) => ErrorKind::InvalidArgument,
        }
    }
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
        }
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
            Phase::RollingOut { .. } if !self.paused => Work::CheckArtifact,
            Phase::RollingOut { .. }
            | Phase::GatesFailed
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

    fn are_gates_concluded(&self) -> bool {
        self.gates.values().all(|state| matches!(state, GateState::Passed | GateState::Failed))
    }
}

/// Whether `by` may roll back at all.
///
/// # Errors
/// When not, the reason.
pub fn may_roll_back(by: &Principal) -> Result<(), Refusal> {
    authority::operate(by, "roll back")
}

/// Applies one observation.
///
/// # Errors
/// When a person asked for something that its role, authorship or the release's stage forbids. The state stays.
pub fn step(
    policy: &Policy,
    state: &State,
    observation: &Observation,
    now: Timestamp,
) -> Result<(State, Vec<Effect>), Refusal> {
    let mut next = state.clone();
    let mut effects = Vec::new();
    match observation {
        Observation::Tick => {}
        Observation::GateConcluded { gate, passed } => conclude(&mut next, *gate, *passed),
        Observation::GateErrored { gate, attempt, retryable } => {
            gate_errored(&mut next, *gate, *attempt, *retryable, now)
        }
        Observation::ArtifactChecked { digest } => artifact_checked(policy, &mut next, digest, &mut effects),
        Observation::ArtifactMissing { reason } => {
            if matches!(next.phase, Phase::RollingOut { .. }) {
                end(&mut next, Phase::Failed { reason: reason.clone() }, &mut effects);
            }
        }
        Observation::Approved { by } => approve(policy, &mut next, by, now)?,
        Observation::Waived { by, gate, until } => waive(policy, &mut next, by, *gate, *until, now)?,
        Observation::Paused { by } => hold(&mut next, by, true)?,
        Observation::Resumed { by } => hold(&mut next, by, false)?,
        Observation::Aborted { by, reason } => abort(&mut next, by, reason, &mut effects)?,
        Observation::RolledBack { by, reason } => roll_back(&mut next, by, reason, &mut effects)?,
        Observation::Superseded { by } => {
            if next.phase == Phase::GatesFailed {
                let reason = format!("its gates failed, and release {by} took its place");
                end(&mut next, Phase::Failed { reason }, &mut effects);
            }
        }
    }
    settle(policy, &mut next, now);
    Ok((next, effects))
}

/// Moves on for as long as nothing is missing.
fn settle(policy: &Policy, state: &mut State, now: Timestamp) {
    loop {
        let next = match &state.phase {
            Phase::Gating if state.are_gates_concluded() => {
                if state.unmet(now).is_empty() {
                    Phase::AwaitingApproval
                } else {
                    Phase::GatesFailed
                }
            }
            Phase::GatesFailed if state.unmet(now).is_empty() => Phase::AwaitingApproval,
            // A waiver may run out while signatures are missing.
            Phase::AwaitingApproval if !state.unmet(now).is_empty() => Phase::GatesFailed,
            Phase::AwaitingApproval if !state.paused && state.approvals.len() >= policy.approvals_required as usize => {
                Phase::RollingOut { step: 0, entered_at: now }
            }
            Phase::Gating
            | Phase::GatesFailed
            | Phase::AwaitingApproval
            | Phase::RollingOut { .. }
            | Phase::Done
            | Phase::Failed { .. }
            | Phase::Aborted { .. }
            | Phase::RolledBack { .. } => return,
        };
        state.phase = next;
    }
}

fn conclude(state: &mut State, gate: GateName, passed: bool) {
    if state.phase != Phase::Gating {
        return;
    }
    if let Some(verdict @ GateState::Pending { .. }) = state.gates.get_mut(&gate) {
        *verdict = if passed { GateState::Passed } else { GateState::Failed };
    }
}

fn gate_errored(state: &mut State, gate: GateName, attempt: u32, retryable: bool, now: Timestamp) {
    if state.phase != Phase::Gating {
        return;
    }
    if let Some(verdict) = state.gates.get_mut(&gate)
        && let GateState::Pending { attempts, .. } = *verdict
        && attempts == attempt
    {
        *verdict = if retryable && attempts + 1 < GATE_ATTEMPTS {
            let delay = Duration::from_micros(GATE_BACKOFF.as_micros() << attempts);
            GateState::Pending { attempts: attempts + 1, not_before: now + delay }
        } else {
            GateState::Failed
        };
    }
}

fn artifact_checked(policy: &Policy, state: &mut State, digest: &Digest, effects: &mut Vec<Effect>) {
    if !matches!(state.phase, Phase::RollingOut { .. }) {
        return;
    }
    if *digest != policy.artifact_digest {
        let reason = format!(
            "the artifact changed after its gates: {} was judged, {} is stored now",
            policy.artifact_digest, digest
        );
        end(state, Phase::Failed { reason }, effects);
    } else if !state.paused {
        state.phase = Phase::Done;
        effects.push(Effect::Promote);
    }
}

fn approve(policy: &Policy, state: &mut State, by: &Principal, now: Timestamp) -> Result<(), Refusal> {
    authority::sign(policy, by, "approve")?;
    if state.approvals.contains(&by.name) {
        return Ok(());
    }
    match state.phase {
        Phase::AwaitingApproval if state.unmet(now).is_empty() => {
            state.approvals.insert(by.name.clone());
            Ok(())
        }
        Phase::AwaitingApproval | Phase::GatesFailed => Err(Refusal::NotNow(format!(
            "this release cannot be approved while a gate is failed and not waived: {}",
            listed(&state.unmet(now))
        ))),
        Phase::Gating => {
            Err(Refusal::NotNow("this release is still gating: approve it once its gates are through".to_owned()))
        }
        Phase::RollingOut { .. } => {
            Err(Refusal::NotNow("this release has its approvals and is rolling out".to_owned()))
        }
        Phase::Done | Phase::Failed { .. } | Phase::Aborted { .. } | Phase::RolledBack { .. } => {
            Err(Refusal::Over { phase: state.phase.stage(), action: "approve" })
        }
    }
}

fn waive(
    policy: &Policy,
    state: &mut State,
    by: &Principal,
    gate: GateName,
    until: Timestamp,
    now: Timestamp,
) -> Result<(), Refusal> {
    authority::sign(policy, by, "waive a gate")?;
    if state.waivers.get(&gate) == Some(&until) {
        return Ok(());
    }
    match state.phase {
        Phase::Gating | Phase::GatesFailed | Phase::AwaitingApproval => {}
        Phase::RollingOut { .. } => return Err(Refusal::NotNow("this release is past its gates".to_owned())),
        Phase::Done | Phase::Failed { .. } | Phase::Aborted { .. } | Phase::RolledBack { .. } => {
            return Err(Refusal::Over { phase: state.phase.stage(), action: "waive a gate of" });
        }
    }
    if !state.gates.contains_key(&gate) {
        return Err(Refusal::Useless(format!("this release has no gate `{gate}` to waive")));
    }
    if until <= now {
        return Err(Refusal::Useless(format!("a waiver until {until} is already over")));
    }
    state.waivers.insert(gate, until);
    Ok(())
}

fn hold(state: &mut State, by: &Principal, paused: bool) -> Result<(), Refusal> {
    let action = if paused { "pause" } else { "resume" };
    authority::operate(by, action)?;
    if state.phase.is_over() {
        return Err(Refusal::Over { phase: state.phase.stage(), action });
    }
    state.paused = paused;
    Ok(())
}

fn abort(state: &mut State, by: &Principal, reason: &str, effects: &mut Vec<Effect>) -> Result<(), Refusal> {
    authority::operate(by, "abort")?;
    let ended = Phase::Aborted { reason: format!("aborted by {}: {reason}", by.name) };
    if state.phase == ended {
        return Ok(());
    }
    if state.phase.is_over() {
        return Err(Refusal::Over { phase: state.phase.stage(), action: "abort" });
    }
    end(state, ended, effects);
    Ok(())
}

fn roll_back(state: &mut State, by: &Principal, reason: &str, effects: &mut Vec<Effect>) -> Result<(), Refusal> {
    may_roll_back(by)?;
    let ended = Phase::RolledBack { reason: format!("rolled back by {}: {reason}", by.name) };
    if state.phase == ended {
        return Ok(());
    }
    if matches!(state.phase, Phase::RollingOut { .. }) {
        end(state, ended, effects);
        Ok(())
    } else if state.phase.is_over() {
        Err(Refusal::Over { phase: state.phase.stage(), action: "roll back" })
    } else {
        Err(Refusal::NotNow("this release is not rolling out: abort it instead".to_owned()))
    }
}

/// Ends the release without a promotion.
fn end(state: &mut State, phase: Phase, effects: &mut Vec<Effect>) {
    state.phase = phase;
    effects.push(Effect::Withdraw);
}

fn listed(gates: &[GateName]) -> String {
    gates.iter().map(|gate| format!("`{gate}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
