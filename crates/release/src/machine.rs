//! The decision of a release: `step(policy, state, observation, now) → (state, effects)`.
//!
//! Pure, so that what runs is what the property tests and the model checker look at. Nothing here reads a clock or a
//! row. Whoever calls it commits the new state, the effects and an audit row in one transaction.
//!
//! Observations come late, twice and out of order. One that was applied before changes nothing; one that comes too late
//! to matter changes nothing if a machine made it, and is refused with a reason if a person did. A state in which a
//! release is over is never left.

mod authority;
mod observation;
mod refusal;
mod rollout;
mod state;

use types::{Duration, Principal, Timestamp};

use crate::GateName;

pub use observation::{Effect, Look, Observation};
pub use refusal::Refusal;
pub use rollout::{Asked, asked};
pub use state::{Cause, GateState, Leg, Phase, Policy, Progress, State, Work};

/// How often a gate that gives no verdict is asked. With the delays below this rides out a minute of a database or a
/// store being away, and ends before a person stops waiting.
pub const GATE_ATTEMPTS: u32 = 6;
/// The delay before the second attempt; each further one doubles it.
const GATE_BACKOFF: Duration = Duration::from_secs(2);

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
    // What time alone did, such as the end of a waiver, came before what is observed now.
    settle(policy, &mut next, now);
    match observation {
        Observation::Tick => {}
        Observation::GateConcluded { gate, passed } => conclude(&mut next, *gate, *passed),
        Observation::GateErrored { gate, attempt, retryable } => {
            gate_errored(&mut next, *gate, *attempt, *retryable, now)
        }
        Observation::ArtifactChecked { digest } => rollout::checked(policy, &mut next, digest, now, &mut effects),
        Observation::Looked(look) => rollout::look(policy, &mut next, look, now, &mut effects),
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
    if !paused && state.progress.overdue.take().is_some() {
        // Whoever resumes it grants it the declared time once more.
        state.progress.waited = Duration::from_micros(0);
    }
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
