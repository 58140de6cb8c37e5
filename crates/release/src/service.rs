//! What people and programs can do with releases.

mod decide;
mod rollback;

use std::sync::Arc;

use database::Database;
use runtime::{SharedClock, Signal};
use telemetry::Metrics;
use types::{AuditEntry, ModelName, ModelVersion, Principal, Role};

use crate::{
    Assignment, Candidate, Error, Filter, NewWaiver, Ports, Refusal, Release, ReleaseId, Stage,
    machine::{Effect, Observation},
    repo,
};
use decide::{Decision, DecisionBy};

/// Releases of all models. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) ports: Ports,
    pub(crate) clock: SharedClock,
    pub(crate) signal: Signal,
    pub(crate) metrics: Metrics,
}

impl Service {
    /// The service over `database`. `signal` wakes the controller, here and wherever else a clone of it is held.
    #[must_use]
    pub fn new(database: Database, ports: Ports, clock: SharedClock, signal: Signal, metrics: Metrics) -> Self {
        Self { inner: Arc::new(Inner { database, ports, clock, signal, metrics }) }
    }
}
