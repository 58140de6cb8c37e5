//! The watcher: follows the prediction log, fills windows, stores what they say.
//!
//! It may end at any moment: a window is filled again from the log from where it was opened, and what was found is in the
//! database. Only the holder of the lease writes; each write checks the lease's epoch.

mod kpis;
mod look;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration as Wait,
};

use database::Lease;
use runtime::{Signal, Tasks, reconcile_loop};
use tokio::{sync::Mutex, time::Instant};
use types::{Duration, ModelName, ModelVersion};
use uuid::Uuid;

use crate::{
    Error, Service,
    metrics::{FAILED_LOOKS, LOOK_SECONDS},
};
use look::Open;

/// How often it is looked.
const EVERY: Wait = Wait::from_secs(2);
/// After a look there is a rest of so many times what it took, so that looking costs a tenth of a core at most.
const REST: u32 = 9;
/// But no longer than this: what pages must do so within seconds, also from a machine that is busy.
const LONGEST_REST: Wait = Wait::from_secs(3);
/// The lease under which one process looks.
pub(crate) const LEASE: &str = "drift";
/// How long the lease lasts without renewal.
const LEASE_TTL: Duration = Duration::from_secs(15);
/// When it is renewed: three attempts fit before it ends.
const RENEW_AFTER: Wait = Wait::from_secs(4);

/// Starts the watcher of this process.
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
}

/// What the watcher remembers between looks. All of it can be found again.
pub(crate) struct Watcher {
    pub(crate) service: Service,
    holder: String,
    held: Option<Held>,
    pub(crate) open: BTreeMap<ModelVersion, Open>,
    /// Versions without a reference, and when they are asked about again.
    pub(crate) without: HashMap<ModelVersion, Instant>,
    /// When KPIs are counted again.
    pub(crate) count_after: HashMap<ModelName, Instant>,
    /// The labels of finding gauges that are not zero.
    pub(crate) gauged: HashSet<[String; 3]>,
    rest_until: Instant,
}

struct Held {
    lease: Lease,
    renewed: Instant,
}

impl Watcher {
    pub(crate) fn new(service: Service) -> Self {
        Self {
            service,
            holder: Uuid::new_v4().to_string(),
            held: None,
            open: BTreeMap::new(),
            without: HashMap::new(),
            count_after: HashMap::new(),
            gauged: HashSet::new(),
            rest_until: Instant::now(),
        }
    }

    async fn pass(&mut self) {
        if Instant::now() < self.rest_until {
            return;
        }
        let began = Instant::now();
        let outcome = self.try_pass().await;
        let metrics = self.service.inner.metrics.clone();
        if let Err(error) = outcome {
            metrics.add(&FAILED_LOOKS, &[], 1.0);
            tracing::warn!(error = &error as &dyn std::error::Error, "the look at drift is tried again");
            // What was not stored is found again from the log.
            self.open.clear();
            if matches!(error, Error::Database(database::Error::Fenced { .. })) {
                self.held = None;
            }
        }
        metrics.observe(&LOOK_SECONDS, &[], began.elapsed().as_secs_f64());
        self.rest_until = Instant::now() + (began.elapsed() * REST).min(LONGEST_REST);
    }

    pub(crate) async fn try_pass(&mut self) -> Result<(), Error> {
        let Some(epoch) = self.lead().await? else {
            self.open.clear();
            return Ok(());
        };
        self.look(epoch).await
    }

    /// Takes or keeps the lease. Answers its epoch, if this process has it.
    async fn lead(&mut self) -> Result<Option<i64>, Error> {
        let database = &self.service.inner.database;
        if let Some(held) = &mut self.held {
            if held.renewed.elapsed() >= RENEW_AFTER {
                let renewed = Instant::now();
                held.lease = database.renew_lease(&held.lease, LEASE_TTL).await?;
                held.renewed = renewed;
            }
            return Ok(Some(held.lease.epoch));
        }
        let renewed = Instant::now();
        let lease = database.acquire_lease(LEASE, &self.holder, LEASE_TTL).await?;
        self.held = lease.map(|lease| Held { lease, renewed });
        Ok(self.held.as_ref().map(|held| held.lease.epoch))
    }

    async fn stop(&mut self) {
        if let Some(held) = self.held.take()
            && let Err(error) = self.service.inner.database.release_lease(&held.lease).await
        {
            tracing::debug!(%error, "the lease of drift ends by itself");
        }
    }
}

#[cfg(test)]
mod tests;
