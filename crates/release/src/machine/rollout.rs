//! The declared steps, executed one look at a time.
//!
//! A step that moves traffic is over when every live gateway serves it; a hold begins then, and is over when it has
//! lasted and the candidate has answered enough requests, at least one: with no traffic it waits. Time counts only between
//! looks, and little for each, so that neither a clock that jumps nor a controller that was away can end a hold.
//!
//! All traffic takes more than an ended hold: the analysis must have shown that the candidate is good enough, and the
//! artifact must still be the one that was judged. Reasons to go back count at any moment, also while a person holds the
//! rollout.

use types::{Digest, Duration, Percent, Timestamp};

use super::{Effect, Phase, Policy, State, end};
use crate::{
    machine::{Cause, Leg, Look, Progress},
    model_file::{MinRequests, Pause, Shadow, Step},
};

/// The most that one look adds to a hold: five looks may fail in a row without costing time, and no more is believed.
const MOST_PER_LOOK: Duration = Duration::from_secs(5);

/// What a step asks for before the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// For how long it holds.
    pub duration: Duration,
    /// How many requests the candidate must have answered meanwhile.
    pub min_requests: u64,
    /// After how long a person is asked.
    pub max: Option<Duration>,
}

/// What the step asks for; nothing where there is no such step.
#[must_use]
pub fn asked(policy: &Policy, step: u32) -> Asked {
    let none = Asked { duration: Duration::from_micros(0), min_requests: 0, max: None };
    match declared(policy, step) {
        None | Some(Step::SetWeight(_)) => none,
        Some(Step::Shadow(Shadow { duration })) => Asked { duration: *duration, min_requests: 1, ..none },
        Some(Step::Pause(Pause { duration, min_requests, max })) => {
            let declared = match min_requests {
                None => 0,
                Some(MinRequests::Auto) => policy.auto_requests,
                Some(MinRequests::Count(count)) => *count,
            };
            Asked { duration: *duration, min_requests: declared.max(1), max: *max }
        }
    }
}

/// The artifact was digested again.
pub(super) fn checked(policy: &Policy, state: &mut State, digest: &Digest, now: Timestamp, effects: &mut Vec<Effect>) {
    if !matches!(state.phase, Phase::RollingOut { .. }) {
        return;
    }
    if *digest != policy.artifact_digest {
        let reason = format!(
            "the artifact changed after its gates: {} was judged, {} is stored now",
            policy.artifact_digest, digest
        );
        return end(state, Phase::Failed { reason }, effects);
    }
    if state.paused {
        return;
    }
    match state.progress.leg {
        Leg::Starting if policy.has_stable && !is_all_traffic(policy, 0) => enter(policy, state, 0, now, effects),
        Leg::Starting | Leg::Promoting => {
            state.phase = Phase::Done;
            effects.push(Effect::Promote);
        }
        Leg::Settling | Leg::Holding => {}
    }
}

/// The controller looked.
pub(super) fn look(policy: &Policy, state: &mut State, look: &Look, now: Timestamp, effects: &mut Vec<Effect>) {
    let Phase::RollingOut { step, .. } = state.phase else { return };
    for (cause, reason) in [(Cause::Alarm, &look.alarm), (Cause::DoesNotLoad, &look.unloadable)] {
        if let Some(reason) = reason {
            state.progress.cause = Some(cause);
            return end(state, Phase::RolledBack { reason: format!("rolled back by itself: {reason}") }, effects);
        }
    }
    if look.step != step || state.progress.leg == Leg::Starting {
        return;
    }
    let is_frozen = state.progress.slow_after.is_some();
    count(state, look, now);
    let asked = asked(policy, step);
    let progress = &mut state.progress;
    let is_held = progress.leg != Leg::Settling
        && progress.held >= asked.duration
        && progress.requests_held() >= asked.min_requests;
    if is_held && is_all_traffic(policy, step + 1) {
        // What was shown a moment ago may not be any more, so this also leads back.
        progress.leg = if look.promotable { Leg::Promoting } else { Leg::Holding };
    } else if is_held && !state.paused {
        enter(policy, state, step + 1, now, effects);
    }
    let progress = &mut state.progress;
    let is_waiting = matches!(state.phase, Phase::RollingOut { step: current, .. } if current == step)
        && progress.leg != Leg::Promoting;
    if is_waiting && !state.paused && asked.max.is_some_and(|max| progress.waited > max) {
        state.paused = true;
        progress.overdue = Some(now);
    }
    if !is_frozen && state.progress.slow_after.is_some() && effects.is_empty() {
        effects.push(Effect::Judge);
    }
}

/// Takes the time and the requests of a look into account.
fn count(state: &mut State, look: &Look, now: Timestamp) {
    let progress = &mut state.progress;
    let passed = progress.looked_at.map_or(Duration::from_micros(0), |before| now.since(before).min(MOST_PER_LOOK));
    progress.looked_at = Some(now);
    progress.requests = progress.requests.max(look.requests);
    progress.slow_after = progress.slow_after.or(look.slow_after);
    if !state.paused {
        progress.waited = longer(progress.waited, passed);
    }
    match progress.leg {
        Leg::Settling if look.settled => {
            progress.leg = Leg::Holding;
            progress.requests_before = progress.requests;
        }
        Leg::Holding | Leg::Promoting if look.settled => progress.held = longer(progress.held, passed),
        Leg::Starting | Leg::Settling | Leg::Holding | Leg::Promoting => {}
    }
}

/// Begins a step that is not the last.
fn enter(policy: &Policy, state: &mut State, step: u32, now: Timestamp, effects: &mut Vec<Effect>) {
    let Progress { requests, looked_at, slow_after, .. } = state.progress;
    let (leg, requests) = match declared(policy, step) {
        // Looks count the requests under this step's share alone.
        Some(Step::Shadow(_) | Step::SetWeight(_)) => {
            effects.push(Effect::Route { step });
            (Leg::Settling, 0)
        }
        // The weight before it has settled.
        Some(Step::Pause(_)) | None => (Leg::Holding, requests),
    };
    state.phase = Phase::RollingOut { step, entered_at: now };
    state.progress =
        Progress { leg, requests, requests_before: requests, looked_at, slow_after, ..Progress::default() };
}

fn declared(policy: &Policy, step: u32) -> Option<&Step> {
    policy.steps.get(usize::try_from(step).unwrap_or(usize::MAX))
}

/// Whether the step gives the candidate everything; so does the end of the steps.
fn is_all_traffic(policy: &Policy, step: u32) -> bool {
    match declared(policy, step) {
        None => true,
        Some(Step::SetWeight(weight)) => *weight == Percent::ALL,
        Some(Step::Shadow(_) | Step::Pause(_)) => false,
    }
}

fn longer(held: Duration, by: Duration) -> Duration {
    Duration::from_micros(held.as_micros().saturating_add(by.as_micros()))
}

#[cfg(test)]
mod tests;
