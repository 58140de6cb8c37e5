//! The watcher: compares what holds with what was raised, and sees messages out.
//!
//! It reads what there is to do off the stored state, on signal and on timer, so it may end at any moment and another may
//! take over. Only the holder of the lease acts; each of its writes commits with a check of the lease's epoch.

mod outbox;
mod sources;

use std::{sync::Arc, time::Duration as Wait};

use database::Leader;
use runtime::{Tasks, reconcile_loop};
use serde_json::{Value as Json, json};
use telemetry::Severity;
use tokio::sync::Mutex;
use types::{Duration, Timestamp};
use uuid::Uuid;

use crate::{
    Alert, Condition, Error, Service, Status,
    metrics::{FAILED_PASSES, FIRING, LEADER},
    repo,
    rules::{self, Change, Said},
};

/// What is leased.
const LEASE: &str = "alerts";
/// How often the watcher looks without being signalled.
const EVERY: Wait = Wait::from_secs(1);
/// How long the lease lasts without renewal: how long nobody watches after a process dies. It outlasts a pass, which takes
/// at most as long as the slowest source may.
const LEASE_TTL: Duration = Duration::from_secs(8);
/// How long resolved alerts are kept.
const KEPT: Duration = Duration::from_secs(90 * 86_400);

impl Service {
    /// Starts the watcher of this process.
    pub fn watch(&self, tasks: &Tasks) {
        let token = tasks.shutdown_token();
        let watcher = Arc::new(Mutex::new(Watcher::new(self.clone())));
        let signal = self.inner.signal.clone();
        tasks.spawn("alert watcher", async move {
            let passing = Arc::clone(&watcher);
            let pass = move || {
                let watcher = Arc::clone(&passing);
                async move { watcher.lock().await.pass().await }
            };
            reconcile_loop("alert watcher", signal, EVERY, token, pass).await;
            watcher.lock().await.stop().await;
        });
    }
}

struct Watcher {
    service: Service,
    leader: Leader,
    sending: outbox::Sending,
}

impl Watcher {
    fn new(service: Service) -> Self {
        Self { service, leader: Leader::new(LEASE, LEASE_TTL), sending: outbox::Sending::default() }
    }

    async fn pass(&mut self) {
        let outcome = self.try_pass().await;
        let metrics = &self.service.inner.metrics;
        metrics.set(&LEADER, &[], if self.leader.leads() { 1.0 } else { 0.0 });
        if let Err(error) = outcome {
            metrics.add(&FAILED_PASSES, &[], 1.0);
            tracing::warn!(error = &error as &dyn std::error::Error, "the alert watcher tries again");
            if let Error::Database(error) = &error
                && self.leader.heed(error)
            {
                tracing::warn!("another process is the alert watcher now");
                self.sending.abort();
            }
        }
    }

    async fn try_pass(&mut self) -> Result<(), Error> {
        let Some(epoch) = self.leader.lead(&self.service.inner.database).await? else { return Ok(()) };
        let answers = sources::ask(&self.service).await;
        self.reconcile(&answers, epoch).await?;
        self.sending.step(&self.service, epoch).await
    }

    /// Writes what changed, with the messages that follow.
    async fn reconcile(&self, answers: &sources::Answers, epoch: i64) -> Result<(), Error> {
        let inner = Arc::clone(&self.service.inner);
        let now = inner.clock.now();
        let before = now - KEPT;
        let (firing, written, prunable) = inner
            .database
            .read(async move |tx| {
                let firing = repo::firing(tx).await?;
                let written = repo::outbox::written(tx).await?;
                Ok::<_, Error>((firing, written, repo::is_prunable(tx, before).await?))
            })
            .await?;
        let said: Vec<Said<'_>> =
            answers.iter().map(|(source, conditions)| Said { source, conditions: conditions.as_deref() }).collect();
        let changes = rules::changes(&firing, &said, now, inner.config.resolve_after);
        let routing = &inner.config.routing;
        let untold = firing.iter().any(|alert| {
            let told = |route: String| written.contains(&(alert.id.clone(), alert.sequence, route));
            routing.receivers(alert.severity).any(|receiver| !told(receiver.id()))
        });
        for severity in [Severity::Info, Severity::Ticket, Severity::Page] {
            let count = firing.iter().filter(|alert| alert.severity == severity).count();
            inner.metrics.set(&FIRING, &[&severity.to_string()], count as f64);
        }
        if changes.is_empty() && !untold && !prunable {
            return Ok(());
        }
        for change in &changes {
            log(change);
        }
        let database = inner.database.clone();
        let write = async move |tx: &mut database::Transaction| {
            tx.lock(repo::LOCK).await?;
            tx.check_fence(LEASE, epoch).await?;
            for change in &changes {
                write_change(tx, change, now).await?;
            }
            for alert in repo::firing(tx).await? {
                for receiver in inner.config.routing.receivers(alert.severity) {
                    repo::outbox::add(tx, &alert, receiver, &payload(&alert, now), now).await?;
                }
            }
            if prunable {
                repo::prune(tx, before).await?;
            }
            Ok::<_, Error>(())
        };
        database.write(write).await
    }

    async fn stop(&mut self) {
        self.sending.finish().await;
        self.leader.stop(&self.service.inner.database).await;
    }
}

async fn write_change(tx: &mut database::Transaction, change: &Change, now: Timestamp) -> Result<(), Error> {
    match change {
        Change::Raise { source, condition } => repo::insert(tx, &raised(source, condition, now)).await,
        Change::Update(alert) => {
            repo::update(tx, alert).await?;
            match alert.status {
                Status::Firing => Ok(()),
                Status::Resolved => repo::outbox::add_resolved(tx, alert, &payload(alert, now), now).await,
            }
        }
    }
}

fn raised(source: &str, condition: &Condition, now: Timestamp) -> Alert {
    Alert {
        id: Uuid::now_v7().to_string(),
        source: source.to_owned(),
        key: condition.key.clone(),
        name: condition.name.clone(),
        severity: condition.severity,
        summary: condition.summary.clone(),
        model: condition.model.clone(),
        labels: condition.labels.clone(),
        details: condition.details.clone(),
        since: condition.since,
        status: Status::Firing,
        sequence: 1,
        fired_at: now,
        resolved_at: None,
        missing_since: None,
        deliveries: Vec::new(),
    }
}

/// What a receiver gets. Described in `docs/alerts.md`; fields are only ever added.
fn payload(alert: &Alert, now: Timestamp) -> Json {
    json!({
        "version": 1,
        "id": alert.id,
        "sequence": alert.sequence,
        "status": alert.status,
        "severity": alert.severity.to_string(),
        "source": alert.source,
        "key": alert.key,
        "name": alert.name,
        "summary": alert.summary,
        "model": alert.model,
        "labels": alert.labels,
        "details": alert.details,
        "since": alert.since,
        "at": now,
    })
}

fn log(change: &Change) {
    match change {
        Change::Raise { source, condition } => {
            let Condition { key, name, severity, summary, .. } = condition;
            tracing::warn!(source, key, name, %severity, "alert: {summary}");
        }
        Change::Update(alert) => match alert.status {
            Status::Firing => tracing::debug!(source = alert.source, key = alert.key, "alert goes on"),
            Status::Resolved => tracing::info!(source = alert.source, key = alert.key, "alert resolved"),
        },
    }
}
