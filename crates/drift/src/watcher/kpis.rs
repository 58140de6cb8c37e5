//! Counting KPIs off the log, now and then, beside the looks at drift.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration as Wait,
};

use database::Leader;
use prediction_log::Scan;
use runtime::{Signal, Tasks, blocking, reconcile_loop};
use telemetry::Metrics;
use tokio::{sync::Mutex, time::Instant};
use types::{Duration, ModelName};

use super::{LEASE_TTL, by_model};
use crate::{
    Error, KpiRow, Service, WatchedModel,
    kpi::{self, Counted},
    metrics::{FAILED_LOOKS, KPI},
    repo,
};

/// Over how many windows they are counted.
const WINDOWS: i64 = 24;
/// The most predictions that are counted, the newest.
const MOST_ROWS: usize = 200_000;
/// How often they are counted.
const EVERY: Wait = Wait::from_secs(10);
/// Counting rests so many times what it took: it costs a tenth of a core at most.
const REST: u32 = 9;
/// The lease under which one process counts.
const LEASE: &str = "kpis";

/// Starts counting in this process.
pub(super) fn spawn(counter: Counter, tasks: &Tasks) {
    let token = tasks.shutdown_token();
    let counter = Arc::new(Mutex::new(counter));
    tasks.spawn("kpis", async move {
        let passing = Arc::clone(&counter);
        let pass = move || {
            let counter = Arc::clone(&passing);
            async move { counter.lock().await.pass().await }
        };
        reconcile_loop("kpis", Signal::new(), Wait::from_secs(2), token, pass).await;
        counter.lock().await.stop().await;
    });
}

/// What counts KPIs.
pub(crate) struct Counter {
    service: Service,
    leader: Leader,
    /// When a model's are counted again.
    pub(super) count_after: HashMap<ModelName, Instant>,
    /// The labels of what is shown of a model.
    shown: HashMap<ModelName, HashSet<[String; 3]>>,
}

impl Counter {
    pub(crate) fn new(service: Service) -> Self {
        Self { service, leader: Leader::new(LEASE, LEASE_TTL), count_after: HashMap::new(), shown: HashMap::new() }
    }

    async fn pass(&mut self) {
        if let Err(error) = self.try_pass().await {
            self.failed(&error);
            if let Error::Database(error) = &error {
                self.leader.heed(error);
            }
        }
    }

    pub(crate) async fn try_pass(&mut self) -> Result<(), Error> {
        let Some(epoch) = self.leader.lead(&self.service.inner.database).await? else {
            // Another process shows them.
            self.withdraw(|_| true);
            return Ok(());
        };
        let watched = self.service.watched().await?;
        self.count_after.retain(|model, _| watched.iter().any(|watched| watched.version.model == *model));
        self.withdraw(|model| watched.iter().all(|watched| watched.version.model != *model));
        for (model, watched) in by_model(&watched) {
            let is_due = self.count_after.get(&model).is_none_or(|after| Instant::now() >= *after);
            let latest = watched.iter().max_by_key(|watched| watched.version.version);
            let Some(watched) = latest.filter(|watched| is_due && !watched.kpis.is_empty()) else { continue };
            let began = Instant::now();
            match self.count(&model, watched, epoch).await {
                Err(error @ Error::Database(_)) => return Err(error),
                // What is the matter with one model's files must not keep others from being counted.
                Err(error) => self.failed(&error),
                Ok(()) => {}
            }
            self.count_after.insert(model, Instant::now() + EVERY.max(began.elapsed() * REST));
        }
        Ok(())
    }

    async fn count(&mut self, model: &ModelName, watched: &WatchedModel, epoch: i64) -> Result<(), Error> {
        let inner = Arc::clone(&self.service.inner);
        let now = inner.clock.now();
        let until = now - watched.attribution;
        let since = until - Duration::from_micros(watched.policy.window.as_micros().saturating_mul(WINDOWS));
        let scan = Scan { model: Some(model.clone()), since, until, limit: MOST_ROWS, newest_first: true };
        let failed = |error| Error::Log(Arc::new(error));
        let of = watched.clone();
        let counted = inner.log.scan_as(scan.clone(), move |record| Counted::of(&record, &of)).await.map_err(failed)?;
        // A prediction has a few outcomes at most, and those of other models lie among them.
        let of_all = Scan { model: None, limit: 10 * MOST_ROWS, ..scan };
        let outcomes = inner.log.outcomes(of_all).await.map_err(failed)?;
        // If there are more rows than are counted, what is counted begins with the oldest of these.
        let since = counted.last().filter(|_| counted.len() == MOST_ROWS).map_or(since, |oldest| oldest.at);
        let of = watched.clone();
        let rows = blocking(move || kpi::count(&of, &counted, &outcomes, (since, until))).await;
        self.show(model, &rows);
        let of = model.clone();
        inner
            .database
            .write(async move |tx| {
                tx.check_fence(LEASE, epoch).await?;
                repo::put_kpis(tx, &of, &rows, now).await
            })
            .await
    }

    /// Shows `rows`, and no longer what is not among them: a version that answers no more has no KPI.
    fn show(&mut self, model: &ModelName, rows: &[KpiRow]) {
        let metrics = &self.service.inner.metrics;
        let mut shown = HashSet::new();
        for row in rows {
            let segment = row.segment.as_ref().map_or_else(|| "all".to_owned(), ToString::to_string);
            let labels = [row.version.version.to_string(), row.kpi.clone(), segment];
            if let Some(value) = row.value {
                set(metrics, model, &labels, value);
                shown.insert(labels);
            }
        }
        for gone in self.shown.entry(model.clone()).or_default().difference(&shown) {
            set(metrics, model, gone, f64::NAN);
        }
        self.shown.insert(model.clone(), shown);
    }

    fn withdraw(&mut self, is_over: impl Fn(&ModelName) -> bool) {
        let metrics = &self.service.inner.metrics;
        for (model, shown) in self.shown.extract_if(|model, _| is_over(model)) {
            shown.iter().for_each(|labels| set(metrics, &model, labels, f64::NAN));
        }
    }

    fn failed(&self, error: &Error) {
        self.service.inner.metrics.add(&FAILED_LOOKS, &[], 1.0);
        tracing::warn!(error = error as &dyn std::error::Error, "KPIs are counted again later");
    }

    pub(super) async fn stop(&mut self) {
        self.leader.stop(&self.service.inner.database).await;
    }
}

fn set(metrics: &Metrics, model: &ModelName, [version, kpi, segment]: &[String; 3], value: f64) {
    metrics.set(&KPI, &[model.as_str(), version, kpi, segment], value);
}
