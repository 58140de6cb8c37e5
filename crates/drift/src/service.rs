//! What programs can ask of drift.

use std::sync::Arc;

use database::Database;
use prediction_log::Log;
use runtime::{SharedClock, Tasks};
use telemetry::Metrics;
use types::ModelName;

use crate::{DriftReport, Error, Finding, KpiRow, Ports};

/// Drift and KPIs of all watched models. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) log: Log,
    pub(crate) ports: Ports,
    pub(crate) clock: SharedClock,
    pub(crate) metrics: Metrics,
}

impl Service {
    /// The service over `database` and this process's `log`.
    #[must_use]
    pub fn new(database: Database, log: Log, ports: Ports, clock: SharedClock, metrics: Metrics) -> Self {
        Self { inner: Arc::new(Inner { database, log, ports, clock, metrics }) }
    }

    /// Makes the tables.
    ///
    /// # Errors
    /// When the database is away or newer than this program.
    pub async fn migrate(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Starts looking, in this process if no other does.
    pub fn watch(&self, tasks: &Tasks) {
        let _ = tasks;
    }

    /// What holds now, most urgent first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn findings(&self) -> Result<Vec<Finding>, Error> {
        Ok(Vec::new())
    }

    /// What is known of a model's drift.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn report(&self, model: &ModelName) -> Result<DriftReport, Error> {
        let (model, windows, findings) = (model.clone(), Vec::new(), Vec::new());
        Ok(DriftReport { model, version: None, reference_frozen_at: None, reference_rows: 0, windows, findings })
    }

    /// The KPIs of a model, by version and segment.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn kpis(&self, model: &ModelName) -> Result<Vec<KpiRow>, Error> {
        let _ = model;
        Ok(Vec::new())
    }
}
