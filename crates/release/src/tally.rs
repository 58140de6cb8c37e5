//! What was counted of a rollout so far: windows folded into the analysis, and into totals for people.
//!
//! Pure. Each window is taken once, in the order of their numbers, so two controllers that take the same windows from the
//! same state come to the same one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::{Duration, Percent, Timestamp};

use crate::{
    Arm, ArmTotal, ArmWindow, Assignment, Histogram, Share,
    analysis::{Analysis, Counts, Limits, Window},
    model_file::{Rollout, Step},
};

/// How many of stable's answers tell its 95th percentile: ten are above it then.
const ENOUGH_TO_FREEZE: u64 = 200;
/// What is "slow" is what is slower than this share of stable's answers.
const SLOW_QUANTILE: f64 = 0.95;
/// Points are this fraction of the rollout's length apart, so some two hundred are kept of each doubling of it.
const POINTS: i64 = 300;

/// What a revision shares out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Route {
    pub(crate) step: u32,
    /// The candidate's share; none of it for a shadow.
    pub(crate) weight: Percent,
    pub(crate) is_shadow: bool,
}

impl Route {
    /// What `assignment` shares out between stable and the candidate of its release, if anything.
    pub(crate) fn of(assignment: &Assignment, rollout: &Rollout) -> Option<Self> {
        let is_ours = |release| release == assignment.release;
        if let Some(canary) = assignment.canary.as_ref().filter(|canary| is_ours(canary.pinned.release)) {
            let step = place(rollout, |step| *step == Step::SetWeight(canary.weight)).unwrap_or(0);
            return Some(Self { step, weight: canary.weight, is_shadow: false });
        }
        assignment.shadow.as_ref().filter(|shadow| is_ours(shadow.release))?;
        let step = place(rollout, |step| matches!(step, Step::Shadow(_))).unwrap_or(0);
        Some(Self { step, weight: Percent::NONE, is_shadow: true })
    }

    /// The share that the analysis compares with: a shadowed request goes to both.
    fn fraction(self) -> f64 {
        if self.is_shadow { 0.5 } else { self.weight.fraction() }
    }
}

/// The first step that is so.
fn place(rollout: &Rollout, is: impl FnMut(&Step) -> bool) -> Option<u32> {
    rollout.steps.iter().position(is).and_then(|place| u32::try_from(place).ok())
}

/// Everything counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Tally {
    /// What it says about the candidate.
    pub(crate) analysis: Analysis,
    /// The number of the last window taken.
    pub(crate) cursor: i64,
    /// What was counted under each step that shared traffic.
    steps: BTreeMap<u32, Shared>,
    /// The second of the candidate's first answer to a caller.
    first_second: Option<i64>,
    /// How many points there are.
    pub(crate) points: u32,
    first_point_at: Option<Timestamp>,
    last_point_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Shared {
    weight: Percent,
    is_shadow: bool,
    stable: Counted,
    canary: Counted,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Counted {
    requests: u64,
    entities: u64,
    failed_requests: u64,
    errors: u64,
    slow: u64,
    latency: Histogram,
}

impl Tally {
    /// Takes windows, which must be those after the cursor; `routes` says what each revision shared out.
    pub(crate) fn take(&mut self, limits: &Limits, routes: &BTreeMap<i64, Route>, windows: &[(i64, ArmWindow)]) {
        let mut seconds: BTreeMap<(i64, i64), Window> = BTreeMap::new();
        for (number, window) in windows {
            self.cursor = self.cursor.max(*number);
            // Counted before anything was shared out, or by a gateway that follows another release.
            let Some(route) = routes.get(&window.revision) else { continue };
            self.add(*route, window);
            let second = seconds.entry((window.second, window.revision)).or_insert_with(|| Window {
                weight: route.fraction(),
                is_shadow: route.is_shadow,
                stable: Counts::default(),
                canary: Counts::default(),
            });
            let counts = match window.arm {
                Arm::Stable => &mut second.stable,
                Arm::Canary | Arm::Shadow => &mut second.canary,
            };
            counts.requests += window.requests;
            counts.entities += window.entities;
            counts.errors += window.errors;
            // Copies wait for one another and for nobody; how long they take says little.
            counts.slow += if route.is_shadow { 0 } else { window.slow };
        }
        for window in seconds.values() {
            self.analysis.observe(limits, window);
        }
    }

    fn add(&mut self, route: Route, window: &ArmWindow) {
        let shared = self.steps.entry(route.step).or_insert_with(|| Shared {
            weight: route.weight,
            is_shadow: route.is_shadow,
            stable: Counted::default(),
            canary: Counted::default(),
        });
        let counted = match window.arm {
            Arm::Stable => &mut shared.stable,
            Arm::Canary | Arm::Shadow => &mut shared.canary,
        };
        counted.requests += window.requests;
        counted.entities += window.entities;
        counted.failed_requests += window.failed_requests;
        counted.errors += window.errors;
        counted.slow += window.slow;
        window.latency.iter().for_each(|(upper, count)| counted.latency.add(*upper, *count));
        if window.arm == Arm::Canary && window.requests > 0 {
            self.first_second = Some(self.first_second.map_or(window.second, |first| first.min(window.second)));
        }
    }

    /// What counts as slow, once enough of stable's answers were seen to tell.
    pub(crate) fn slow_after(&self, floor: Duration) -> Option<Duration> {
        let mut latency = Histogram::default();
        self.steps.values().for_each(|shared| latency.merge(&shared.stable.latency));
        if latency.count() < ENOUGH_TO_FREEZE {
            return None;
        }
        latency.quantile(SLOW_QUANTILE).map(|slow| slow.max(floor))
    }

    /// The candidate's requests, copies among them.
    pub(crate) fn candidate_requests(&self) -> u64 {
        self.steps.values().map(|shared| shared.canary.requests).sum()
    }

    /// The candidate's requests under what `step` shares out. Windows come late, and those of an earlier share, or of
    /// copies, say nothing of this one.
    pub(crate) fn requests_under(&self, rollout: &Rollout, step: u32) -> u64 {
        let upto = usize::try_from(step).map_or(usize::MAX, |step| step.saturating_add(1));
        let is_route = |step: &&Step| matches!(step, Step::Shadow(_) | Step::SetWeight(_));
        let Some(routed) = rollout.steps.iter().take(upto).rfind(is_route) else { return 0 };
        // A shadow after a shadow shares out nothing new.
        let is_same = |step: &Step| step == routed || matches!((step, routed), (Step::Shadow(_), Step::Shadow(_)));
        place(rollout, is_same).and_then(|place| self.steps.get(&place)).map_or(0, |shared| shared.canary.requests)
    }

    /// Stable's requests meanwhile.
    pub(crate) fn stable_requests(&self) -> u64 {
        self.steps.values().map(|shared| shared.stable.requests).sum()
    }

    /// What went to the candidate's callers, for the reason of a rollback: `23 requests in 7s`.
    pub(crate) fn exposure(&self, now: Timestamp) -> String {
        let requests: u64 = self.shown().map(|shared| shared.canary.requests).sum();
        let failed: u64 = self.shown().map(|shared| shared.canary.failed_requests).sum();
        let first = self.first_second.map(|second| Timestamp::from_micros(second.saturating_mul(1_000_000)));
        let took = first.map_or(String::new(), |first| format!(" in {}", now.since(first).approximate()));
        let were = if requests == 1 { "request" } else { "requests" };
        format!("the candidate answered {requests} {were}{took}, of which {failed} failed")
    }

    fn shown(&self) -> impl Iterator<Item = &Shared> {
        self.steps.values().filter(|shared| !shared.is_shadow)
    }

    /// What each step's version got, in order.
    pub(crate) fn shares(&self) -> Vec<Share> {
        let of = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64 * 100.0);
        let percent = |share: Option<f64>| share.and_then(|share| Percent::new(share).ok());
        let report = |(step, shared): (&u32, &Shared)| {
            let (stable, canary) = (&shared.stable, &shared.canary);
            // Of copies, the share is that of the requests that were copied.
            let whole = |stable, canary| if shared.is_shadow { u64::max(stable, canary) } else { stable + canary };
            Share {
                step: *step,
                intended: if shared.is_shadow { Percent::ALL } else { shared.weight },
                is_shadow: shared.is_shadow,
                of_requests: percent(of(canary.requests, whole(stable.requests, canary.requests))),
                of_entities: percent(of(canary.entities, whole(stable.entities, canary.entities))),
                stable: stable.total(),
                canary: canary.total(),
            }
        };
        self.steps.iter().map(report).collect()
    }

    /// Whether a point of the analysis is due at `now`, and if so remembers it. Points are a second apart at first, and
    /// farther as the rollout gets long, so that their number stays small.
    pub(crate) fn is_point_due(&mut self, now: Timestamp) -> bool {
        let first = *self.first_point_at.get_or_insert(now);
        let apart = now.since(first).as_micros() / POINTS;
        if self.last_point_at.is_some_and(|last| now.since(last).as_micros() < apart.max(900_000)) {
            return false;
        }
        self.point_taken(now);
        true
    }

    /// Remembers that a point was taken.
    pub(crate) fn point_taken(&mut self, now: Timestamp) {
        self.first_point_at.get_or_insert(now);
        self.last_point_at = Some(now);
        self.points += 1;
    }
}

impl Counted {
    fn total(&self) -> ArmTotal {
        ArmTotal {
            requests: self.requests,
            entities: self.entities,
            failed_requests: self.failed_requests,
            errors: self.errors,
            slow: self.slow,
            p50: self.latency.quantile(0.5),
            p95: self.latency.quantile(0.95),
        }
    }
}

#[cfg(test)]
mod tests;
