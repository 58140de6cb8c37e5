//! The watchers: one follows the prediction log, fills windows and stores what they say; the other counts KPIs.
//!
//! They may end at any moment: a window is filled again from the log from where it was opened, and what was found is in
//! the database. Only the holder of a lease writes; each write checks the lease's epoch. They are two because counting
//! reads a day of the log again and again, and nobody's page may wait for that.

mod kpis;
mod look;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration as Wait,
};

use database::Leader;
use runtime::{Signal, Tasks, reconcile_loop};
use tokio::{sync::Mutex, time::Instant};
use types::{Duration, ModelName, ModelVersion};

use crate::{
    Error, Service, WatchedModel,
    metrics::{FAILED_LOOKS, FINDINGS, LOOK_SECONDS},
};
use kpis::Counter;
use look::Open;

/// How often it is looked.
const EVERY: Wait = Wait::from_secs(2);
/// After a look there is a rest of so many times what it took, so that looking costs a tenth of a core.
const REST: u32 = 9;
/// But no longer: what arrives meanwhile makes the next look longer still, and a page is promised within seconds.
const LONGEST_REST: Wait = Wait::from_secs(3);
/// The lease under which one process looks.
pub(crate) const LEASE: &str = "drift";
/// How long a lease of this crate lasts without renewal: longer than a slow look.
const LEASE_TTL: Duration = Duration::from_secs(15);

/// Starts the watchers of this process.
pub(crate) fn spawn(service: &Service, tasks: &Tasks) {
    let token = tasks.shutdown_token();
    let watcher = Arc::new(Mutex::new(Watcher::new(service.clone())));
    tasks.spawn("drift", async move {
        let passing = Arc::clone(&watcher);
        let pass = move || {
            let watcher = Arc::clone(&passing);
            async move { watcher.lock().await.pass().await }
        };
        reconcile_loop("drift", Signal::new(), EVERY, token, pass).await;
        watcher.lock().await.stop().await;
    });
    kpis::spawn(Counter::new(service.clone()), tasks);
}

/// What the watcher remembers between looks. All of it can be found again.
pub(crate) struct Watcher {
    pub(crate) service: Service,
    leader: Leader,
    pub(crate) open: BTreeMap<ModelVersion, Open>,
    /// Versions without a reference, and when they are asked about again.
    pub(crate) without: HashMap<ModelVersion, Instant>,
    /// The labels of finding gauges that are not zero.
    pub(crate) gauged: HashSet<[String; 3]>,
    rest_until: Instant,
}

impl Watcher {
    pub(crate) fn new(service: Service) -> Self {
        Self {
            service,
            leader: Leader::new(LEASE, LEASE_TTL),
            open: BTreeMap::new(),
            without: HashMap::new(),
            gauged: HashSet::new(),
            rest_until: Instant::now(),
        }
    }

    async fn pass(&mut self) {
        let began = Instant::now();
        let is_resting = began < self.rest_until;
        // While it rests it keeps the lease, or another process takes over from one that is only slow.
        let outcome = if is_resting { self.lead().await.map(drop) } else { self.try_pass().await };
        if let Err(error) = outcome {
            self.failed(&error, |_| true);
            if let Error::Database(error) = &error {
                self.leader.heed(error);
            }
        }
        if !is_resting {
            let took = began.elapsed();
            self.service.inner.metrics.observe(&LOOK_SECONDS, &[], took.as_secs_f64());
            self.rest_until = Instant::now() + rest(took);
        }
    }

    pub(crate) async fn try_pass(&mut self) -> Result<(), Error> {
        let Some(epoch) = self.lead().await? else {
            self.open.clear();
            // Another process shows what holds.
            for [model, kind, severity] in self.gauged.drain() {
                self.service.inner.metrics.set(&FINDINGS, &[&model, &kind, &severity], 0.0);
            }
            return Ok(());
        };
        self.look(epoch).await
    }

    async fn lead(&mut self) -> Result<Option<i64>, Error> {
        Ok(self.leader.lead(&self.service.inner.database).await?)
    }

    /// A look at what is `concerned` could not be finished. What was not stored is found again from the log.
    fn failed(&mut self, error: &Error, concerned: impl Fn(&ModelVersion) -> bool) {
        self.service.inner.metrics.add(&FAILED_LOOKS, &[], 1.0);
        tracing::warn!(error = error as &dyn std::error::Error, "the look at drift is tried again");
        self.open.retain(|version, _| !concerned(version));
    }

    async fn stop(&mut self) {
        self.leader.stop(&self.service.inner.database).await;
    }
}

/// How long nothing is looked at after a look that took `took`.
fn rest(took: Wait) -> Wait {
    LONGEST_REST.min(took * REST)
}

/// Watched versions by model.
fn by_model(watched: &[WatchedModel]) -> BTreeMap<ModelName, Vec<WatchedModel>> {
    let mut by_model: BTreeMap<ModelName, Vec<WatchedModel>> = BTreeMap::new();
    for watched in watched {
        by_model.entry(watched.version.model.clone()).or_default().push(watched.clone());
    }
    by_model
}

#[cfg(test)]
mod tests;
