//! The controller: finds out what decisions need to know, and tells the rest of the system what was decided.
//!
//! It reads what there is to do off the stored state, on signal and on timer, so it may end at any moment and another may
//! take over: whatever was not committed is simply still to do. Only the holder of the lease acts; each of its decisions
//! commits with a check of the lease's epoch, so one that slept through its own replacement changes nothing.
//!
//! Gates run beside the loop, one after the other for each release (they must not disturb each other's measurements), so
//! a slow gate of one model holds up no other.

mod gates;

use std::{collections::HashMap, sync::Arc, time::Duration as Wait};

use database::Leader;
use runtime::{Tasks, reconcile_loop};
use tokio::{sync::Mutex, time::Instant};
use types::{Duration, ErrorKind, ModelName, Timestamp};

use crate::{
    Error, Filter, Release, ReleaseId, Service, Stage,
    machine::{Observation, Phase, Work, step},
    metrics::{FAILED_PASSES, LEADER, UNAPPLIED},
    repo::{self, gateways, rollouts, traffic, windows},
    service::{
        decide::{Decision, LEASE, decide},
        look::look,
    },
};
use gates::Job;

/// How often the controller looks without being signalled.
const EVERY: Wait = Wait::from_secs(1);
/// How long the lease lasts without renewal: how long nobody decides after a controller dies.
const LEASE_TTL: Duration = Duration::from_secs(5);
/// How often what nobody needs any more is removed.
const TIDY_EVERY: Wait = Wait::from_secs(600);
/// For how long what gateways said and counted is kept.
const KEPT: Duration = Duration::from_secs(86_400);
/// The most open releases that one pass looks at; models have one active release each.
const MOST_OPEN: u32 = 10_000;

impl Service {
    /// Starts the controller of this process.
    pub fn controller(&self, tasks: &Tasks) {
        let token = tasks.shutdown_token();
        let controller = Arc::new(Mutex::new(Controller::new(self.clone(), tasks.clone())));
        let signal = self.inner.signal.clone();
        tasks.spawn("release controller", async move {
            let passing = Arc::clone(&controller);
            let pass = move || {
                let controller = Arc::clone(&passing);
                async move { controller.lock().await.pass().await }
            };
            reconcile_loop("release controller", signal, EVERY, token, pass).await;
            controller.lock().await.stop().await;
        });
    }
}

/// The controller of one process. [`Service::controller`] runs one; a test may do so by hand.
pub struct Controller {
    service: Service,
    tasks: Tasks,
    leader: Leader,
    jobs: HashMap<ReleaseId, Job>,
    tidied: Option<Instant>,
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controller").field("leader", &self.leader).finish()
    }
}

impl Controller {
    /// A controller that does nothing by itself.
    #[must_use]
    pub fn new(service: Service, tasks: Tasks) -> Self {
        let leader = Leader::new(LEASE, LEASE_TTL);
        Self { service, tasks, leader, jobs: HashMap::new(), tidied: None }
    }

    /// Does what there is to do, if this process leads. What fails is tried again by the next pass.
    pub async fn pass(&mut self) {
        let outcome = self.try_pass().await;
        let metrics = &self.service.inner.metrics;
        metrics.set(&LEADER, &[], if self.leader.leads() { 1.0 } else { 0.0 });
        if let Err(error) = outcome {
            metrics.add(&FAILED_PASSES, &[], 1.0);
            tracing::warn!(error = &error as &dyn std::error::Error, "the release controller tries again");
            if let Error::Database(error) = &error
                && self.leader.heed(error)
            {
                self.jobs.clear();
            }
        }
    }

    async fn try_pass(&mut self) -> Result<(), Error> {
        let Some(epoch) = self.leader.lead(&self.service.inner.database).await? else { return Ok(()) };
        // Before reading, not after: a job that ends meanwhile has changed what is about to be read.
        self.jobs.retain(|_, job| !job.is_done());
        let (now, open) = self.service.open().await?;
        self.jobs.retain(|id, _| open.iter().any(|release| release.id == *id));
        let mut outcome = Ok(());
        for release in &open {
            match self.advance(release, now, epoch).await {
                Err(fenced @ Error::Database(database::Error::Fenced { .. })) => return Err(fenced),
                // What is the matter with one release must not keep another from going back.
                Err(error) => outcome = Err(error),
                Ok(()) => {}
            }
        }
        self.tell(epoch).await?;
        self.settle(epoch).await?;
        self.tidy(&open).await?;
        outcome
    }

    async fn stop(&mut self) {
        self.jobs.clear();
        self.leader.stop(&self.service.inner.database).await;
    }

    async fn advance(&mut self, release: &Release, now: Timestamp, epoch: i64) -> Result<(), Error> {
        let state = release.state();
        // Most of the time nothing changes by itself; do not open a transaction to find that out.
        let moves = step(&release.policy(true), &state, &Observation::Tick, now).is_ok_and(|(next, _)| next != state);
        if moves {
            let tick = Decision::of_controller("release.advance", Observation::Tick, epoch);
            self.service.controller_decides(release.id, tick).await?;
            return Ok(());
        }
        if matches!(state.phase, Phase::RollingOut { .. }) {
            self.service.look(release, epoch).await?;
        }
        let work = state.work(now);
        if work == Work::Nothing {
            self.jobs.remove(&release.id);
        } else if !self.jobs.contains_key(&release.id) {
            let job = Job::start(&self.tasks, self.service.clone(), release.clone(), work, epoch);
            self.jobs.insert(release.id, job);
        }
        Ok(())
    }

    /// Tells the rest of the system what it has not been told. A model whose turn fails waits; others do not.
    async fn tell(&self, epoch: i64) -> Result<(), Error> {
        let inner = &self.service.inner;
        let unapplied = inner.database.read(async move |tx| traffic::unapplied(tx).await).await?;
        let mut waiting: Vec<ModelName> = Vec::new();
        let mut left = unapplied.len();
        for (place, assignment) in unapplied.iter().enumerate() {
            if waiting.contains(&assignment.model) {
                continue;
            }
            let revision = assignment.revision;
            if let Err(error) = inner.ports.traffic.apply(&assignment.model, assignment).await {
                let is_past = unapplied[place + 1..].iter().any(|later| later.model == assignment.model);
                let is_gone = error.kind == ErrorKind::NotFound;
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, model = %assignment.model, revision, "cannot tell what serves");
                // A version that was deleted by hand does not come back, and must not keep what serves now from being told.
                if !(is_gone && is_past) {
                    waiting.push(assignment.model.clone());
                    continue;
                }
            }
            inner
                .database
                .write(async move |tx| {
                    tx.check_fence(LEASE, epoch).await?;
                    let now = tx.now().await?;
                    traffic::mark_applied(tx, revision, now).await
                })
                .await?;
            left -= 1;
        }
        inner.metrics.set(&UNAPPLIED, &[], left as f64);
        Ok(())
    }
}

impl Controller {
    /// Remembers what every live gateway follows by now.
    async fn settle(&self, epoch: i64) -> Result<(), Error> {
        let inner = &self.service.inner;
        let desk = inner.desk.clone();
        let unsettled = inner.database.read(async move |tx| traffic::unsettled(tx).await).await?;
        if unsettled.is_empty() {
            return Ok(());
        }
        inner
            .database
            .write(async move |tx| {
                tx.check_fence(LEASE, epoch).await?;
                let now = desk.now(tx).await?;
                let heard = gateways::heard(tx, now - gateways::LIVE).await?;
                for assignment in &unsettled {
                    let gateways = gateways::acknowledgements(&heard, &assignment.model, now);
                    let mut live = gateways.iter().filter(|gateway| gateway.live).peekable();
                    if live.peek().is_some() && live.all(|gateway| gateway.follows(assignment.revision)) {
                        traffic::mark_settled(tx, &assignment.model, assignment.revision, now).await?;
                    }
                }
                Ok(())
            })
            .await
    }

    /// Removes what nobody needs any more, from time to time.
    async fn tidy(&mut self, open: &[Release]) -> Result<(), Error> {
        if self.tidied.is_some_and(|tidied| tidied.elapsed() < TIDY_EVERY) {
            return Ok(());
        }
        self.tidied = Some(Instant::now());
        let desk = self.service.inner.desk.clone();
        let rolling: Vec<_> =
            open.iter().filter(|release| release.stage == Stage::RollingOut).map(|release| release.id).collect();
        self.service
            .inner
            .database
            .write(async move |tx| {
                let before = desk.now(tx).await? - KEPT;
                windows::prune(tx, before).await?;
                for release in &rolling {
                    let taken = rollouts::tally(tx, *release).await?.cursor;
                    windows::prune_taken(tx, *release, taken, before).await?;
                }
                gateways::forget(tx, before).await
            })
            .await
    }
}

impl Service {
    /// The releases that are not over, and the time by which decisions about them are taken: by any other, the controller
    /// would wait for what is due, or insist on what is not.
    async fn open(&self) -> Result<(Timestamp, Vec<Release>), Error> {
        let desk = self.inner.desk.clone();
        let filter = Filter { model: None, open_only: true, limit: MOST_OPEN };
        self.inner.database.read(async move |tx| Ok((desk.now(tx).await?, repo::list(tx, &filter).await?))).await
    }

    /// Looks at a rollout, under the lease.
    async fn look(&self, release: &Release, epoch: i64) -> Result<(), Error> {
        let (desk, id) = (self.inner.desk.clone(), release.id);
        let after = self.inner.database.write(async move |tx| look(tx, &desk, id, epoch).await).await?;
        if after.sequence != release.sequence {
            self.decided(&after);
        }
        Ok(())
    }

    /// Takes a decision that nobody asked for, under the lease.
    pub(crate) async fn controller_decides(&self, id: ReleaseId, decision: Decision) -> Result<Release, Error> {
        let desk = self.inner.desk.clone();
        let release = self.inner.database.write(async move |tx| decide(tx, &desk, id, &decision).await).await?;
        self.decided(&release);
        Ok(release)
    }
}
