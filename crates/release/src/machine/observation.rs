//! What can happen to a release, and what follows for the traffic.

use types::{Digest, Principal, Timestamp};

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
