//! How a rollout goes, as people and programs see it: steps, shares, the course of the analysis, the shadow, the gateways.

use serde::{Deserialize, Serialize};
use types::{Duration, ModelVersion, Percent, Timestamp};

use crate::{Acknowledgement, ReleaseId, model_file::Step, shadow};

/// How one rollout goes, or went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutReport {
    /// Which release.
    pub release: ReleaseId,
    /// What it rolls out.
    pub version: ModelVersion,
    /// What it is compared with, if anything was stable.
    pub stable: Option<u32>,
    /// The declared steps.
    pub steps: Vec<StepReport>,
    /// The hold that is on, while one is.
    pub hold: Option<Hold>,
    /// What each step's version got and how it went, in order; steps that shared no traffic are left out.
    pub shares: Vec<Share>,
    /// The course of the analysis, oldest first; thinned out as it gets long.
    pub points: Vec<Point>,
    /// What is judged, and where that stands.
    pub analysis: Option<Judgement>,
    /// What the shadow showed, over all gateways.
    pub shadow: Option<shadow::Summary>,
    /// That in words, the most explaining feature first.
    pub explanation: Vec<String>,
    /// The last revision that the release decided.
    pub revision: Option<i64>,
    /// When every live gateway had acknowledged that.
    pub settled_at: Option<Timestamp>,
    /// The gateways that are live, or were within a day.
    pub acknowledgements: Vec<Acknowledgement>,
}

/// One declared step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Its place, from 0.
    pub step: u32,
    /// What was declared.
    pub declared: Step,
    /// Where it stands.
    pub progress: StepProgress,
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepProgress {
    /// Behind.
    Done,
    /// Being executed, or where the rollout ended.
    Current,
    /// Not reached.
    Ahead,
    /// Never executed: nothing was stable to compare with.
    Skipped,
}

/// A hold that is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Whether it has begun: every live gateway serves the step.
    pub begun: bool,
    /// For how long it has lasted.
    pub held: Duration,
    /// For how long it must.
    pub duration: Duration,
    /// How many requests the version has answered since it began.
    pub requests: u64,
    /// How many it must.
    pub min_requests: u64,
    /// After how long a person is asked.
    pub max: Option<Duration>,
    /// Whether that is now.
    pub overdue: bool,
    /// What it waits for, in words; empty when nothing is missing.
    pub waits_for: Vec<String>,
}

/// What both versions got while one step's weight held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The step that set the weight.
    pub step: u32,
    /// The share of entities that was meant; of a shadow, all of them.
    pub intended: Percent,
    /// Whether these were copies.
    pub is_shadow: bool,
    /// The share of requests that it was; `None` before the first.
    pub of_requests: Option<Percent>,
    /// The share of entities that it was.
    pub of_entities: Option<Percent>,
    /// What stable got.
    pub stable: ArmTotal,
    /// What the candidate got.
    pub canary: ArmTotal,
}

/// What one version got, and how it went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmTotal {
    /// Requests.
    pub requests: u64,
    /// Entities, counted anew in each span of seconds.
    pub entities: u64,
    /// Requests that failed.
    pub failed_requests: u64,
    /// Entities with a failure.
    pub errors: u64,
    /// Entities with a slow answer.
    pub slow: u64,
    /// The median of how long answers took.
    pub p50: Option<Duration>,
    /// The 95th percentile of that.
    pub p95: Option<Duration>,
}

/// The analysis at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// When, in database time.
    pub at: Timestamp,
    /// At which step.
    pub step: u32,
    /// With which weight.
    pub weight: Percent,
    /// Requests of the candidate so far.
    pub canary_requests: u64,
    /// Requests of stable so far.
    pub stable_requests: u64,
    /// How much the errors speak against the candidate.
    pub e_errors: f64,
    /// How much the slow answers do.
    pub e_latency: f64,
    /// At how much it is sent back.
    pub threshold: f64,
    /// The candidate's excess error rate is at most this, as a fraction.
    pub excess_bound: f64,
}

/// What is judged, and where that stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// How much the errors speak against the candidate; `None` if errors are not judged.
    pub e_errors: Option<f64>,
    /// How much the slow answers do; `None` if they are not judged.
    pub e_latency: Option<f64>,
    /// At how much it is sent back.
    pub threshold: f64,
    /// The candidate's excess error rate is at most this, as a fraction.
    pub excess_bound: f64,
    /// Below which it may be promoted.
    pub max_excess: f64,
    /// Whether it may, as far as the analysis goes.
    pub promotable: bool,
    /// What counts as slow, once frozen.
    pub slow_after: Option<Duration>,
    /// Requests of the candidate so far.
    pub canary_requests: u64,
    /// Requests of stable so far.
    pub stable_requests: u64,
}
