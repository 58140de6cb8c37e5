//! What can happen to a release, and what follows for the traffic.

use types::{Digest, Duration, Principal, Timestamp};

use crate::{GateName, ReleaseId};

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
    /// The controller looked at the rollout: at gateways, counts and analysis.
    Looked(Look),
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

/// What the controller saw of a rollout, in whole numbers: what they were made of is on the record beside the decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// The step that was looked at. A look at another one than the current says nothing about it, but for the reasons to
    /// go back.
    pub step: u32,
    /// Whether there are live gateways, and all of them serve what the step decided.
    pub settled: bool,
    /// The requests that the candidate answered under what the step shares out.
    pub requests: u64,
    /// Whether the analysis showed the candidate to be good enough for all traffic.
    pub promotable: bool,
    /// What counts as slow, once enough of stable's answers were seen to tell.
    pub slow_after: Option<Duration>,
    /// Why the candidate goes back, with the numbers.
    pub alarm: Option<String>,
    /// Which live gateway cannot load the candidate, and why.
    pub unloadable: Option<String>,
}

/// What a decision does to the traffic. At most one for each decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// The candidate gets what the step declares: copies of requests, or a share of them.
    Route {
        /// The step, from 0.
        step: u32,
    },
    /// Shares stay; what counts as slow is frozen from now on.
    Judge,
    /// The candidate becomes stable, and stable becomes previous.
    Promote,
    /// The candidate gets no traffic any more and need not be loadable.
    Withdraw,
}
