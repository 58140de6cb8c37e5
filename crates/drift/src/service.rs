//! What programs can ask of drift.

use std::{collections::BTreeMap, sync::Arc};

use database::Database;
use prediction_log::Log;
use runtime::{SharedClock, Tasks};
use telemetry::Metrics;
use types::ModelName;

use crate::{DriftReport, Error, Finding, KpiRow, Ports, WatchedModel, repo, watcher};

/// The windows of a report, the open one included: enough for a line over a day of hours.
const WINDOWS_SHOWN: i64 = 25;

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
        Ok(self.inner.database.migrate("drift", repo::ddl::MIGRATIONS).await?)
    }

    /// Starts looking at traffic, in one process at a time.
    pub fn watch(&self, tasks: &Tasks) {
        watcher::spawn(self, tasks);
    }

    /// Which versions are watched, and how.
    pub(crate) async fn watched(&self) -> Result<Vec<WatchedModel>, Error> {
        self.inner.ports.watched.watched().await.map_err(|error| Error::Watched(Arc::from(error)))
    }

    /// What holds now, most urgent first. A trouble that several versions show is told once.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn findings(&self) -> Result<Vec<Finding>, Error> {
        let stored = self.inner.database.read(async move |tx| repo::findings(tx).await).await?;
        Ok(told_once(stored))
    }

    /// What is known of a model's drift.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn report(&self, model: &ModelName) -> Result<DriftReport, Error> {
        let asked = model.clone();
        let (windows, version, reference, stored) = self
            .inner
            .database
            .read(async move |tx| {
                let windows = repo::windows(tx, &asked, WINDOWS_SHOWN).await?;
                let version = windows.first().map(|(version, _)| version.clone());
                let reference = match &version {
                    Some(version) => repo::reference(tx, version).await?,
                    None => None,
                };
                Ok::<_, Error>((windows, version, reference, repo::findings(tx).await?))
            })
            .await?;
        let of_version = windows.into_iter().filter(|(of, _)| Some(of) == version.as_ref());
        Ok(DriftReport {
            model: model.clone(),
            reference_frozen_at: reference.as_ref().map(|reference| reference.frozen_at),
            reference_rows: reference.map_or(0, |reference| reference.rows),
            windows: of_version.map(|(_, window)| window).collect(),
            version,
            findings: told_once(stored).into_iter().filter(|finding| finding.version.model == *model).collect(),
        })
    }

    /// The KPIs of a model, by version and segment, as they were counted last.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn kpis(&self, model: &ModelName) -> Result<Vec<KpiRow>, Error> {
        let model = model.clone();
        self.inner.database.read(async move |tx| repo::kpis(tx, &model).await).await
    }
}

/// Of findings with the same key the most urgent, then the one seen last, since the first was seen.
fn told_once(findings: Vec<Finding>) -> Vec<Finding> {
    let mut by_key: BTreeMap<String, Finding> = BTreeMap::new();
    for finding in findings {
        match by_key.get_mut(&finding.key) {
            None => {
                by_key.insert(finding.key.clone(), finding);
            }
            Some(known) => {
                let since = known.since.min(finding.since);
                if (finding.severity, finding.seen_at) > (known.severity, known.seen_at) {
                    *known = finding;
                }
                known.since = since;
            }
        }
    }
    let mut findings: Vec<Finding> = by_key.into_values().collect();
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.since.cmp(&b.since)));
    findings
}
