//! What people and programs can do with releases.

mod assign;
mod attention;
mod create;
pub(crate) mod decide;
pub(crate) mod desk;
pub(crate) mod look;
mod rollback;
mod rollout;

use std::sync::Arc;

use database::Database;
use runtime::{SharedClock, Signal};
use serde_json::json;
use telemetry::Metrics;
use types::{AuditEntry, ModelName, Principal};

use crate::{
    Assignment, Error, Filter, NewWaiver, Ports, Refusal, Release, ReleaseId,
    machine::Observation,
    metrics::{DECISIONS, REFUSALS},
    repo::{self, traffic},
};
use decide::{Decision, decide};
use desk::Desk;

/// The most letters of a comment or reason: a paragraph, not a document.
const LONGEST_TEXT: usize = 4_000;

/// Releases of all models. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) ports: Ports,
    pub(crate) desk: Desk,
    pub(crate) missing: attention::Missing,
    pub(crate) signal: Signal,
    pub(crate) metrics: Metrics,
}

impl Service {
    /// The service over `database`. `signal` wakes the controller, here and wherever else a clone of it is held.
    #[must_use]
    pub fn new(database: Database, ports: Ports, signal: Signal, metrics: Metrics) -> Self {
        let desk = Desk { audit: Arc::clone(&ports.audit), clock: None };
        let missing = attention::Missing::default();
        Self { inner: Arc::new(Inner { database, ports, desk, missing, signal, metrics }) }
    }

    /// The same service, with the time of decisions taken from `clock` in place of the database's: for tests of what time
    /// does. Leases keep to the database's.
    #[must_use]
    pub fn deciding_by(&self, clock: SharedClock) -> Self {
        let Inner { database, ports, signal, metrics, .. } = &*self.inner;
        let desk = Desk { audit: Arc::clone(&ports.audit), clock: Some(clock) };
        let inner = Inner {
            database: database.clone(),
            ports: ports.clone(),
            desk,
            missing: attention::Missing::default(),
            signal: signal.clone(),
            metrics: metrics.clone(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Makes the tables.
    ///
    /// # Errors
    /// When the database is away or newer than this program.
    pub async fn migrate(&self) -> Result<(), Error> {
        Ok(self.inner.database.migrate("release", repo::ddl::MIGRATIONS).await?)
    }

    /// The release of that number.
    ///
    /// # Errors
    /// When there is none.
    pub async fn get(&self, id: ReleaseId) -> Result<Release, Error> {
        self.inner.database.read(async move |tx| repo::load(tx, id).await).await
    }

    /// Releases, newest first, without their gates' evidence: that is in [`Service::get`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list(&self, filter: Filter) -> Result<Vec<Release>, Error> {
        self.inner.database.read(async move |tx| repo::list(tx, &filter).await).await
    }

    /// Signs a release. The last signature needed starts its rollout.
    ///
    /// # Errors
    /// When the caller is anonymous, no approver, or the author; when the release does not wait for approval.
    pub async fn approve(&self, caller: &Principal, id: ReleaseId, comment: Option<String>) -> Result<Release, Error> {
        if let Some(comment) = &comment {
            sound_text("comment", comment)?;
        }
        self.person_decides(id, Decision::approve(caller, comment)).await
    }

    /// Lets a gate pass regardless. A release that failed on it is judged again.
    ///
    /// # Errors
    /// As for [`Service::approve`]; when the waiver has no reason, no such gate, or is over already.
    pub async fn waive(&self, caller: &Principal, id: ReleaseId, waiver: NewWaiver) -> Result<Release, Error> {
        sound_waiver(&waiver)?;
        self.person_decides(id, Decision::waive(caller, &waiver)).await
    }

    /// Holds a release where it is.
    ///
    /// # Errors
    /// When the caller is no operator or the release is over.
    pub async fn pause(&self, caller: &Principal, id: ReleaseId) -> Result<Release, Error> {
        self.person_decides(
            id,
            Decision::new("release.pause", &caller.name, Observation::Paused { by: caller.clone() }),
        )
        .await
    }

    /// Lets a held release go on.
    ///
    /// # Errors
    /// When the caller is no operator or the release is over.
    pub async fn resume(&self, caller: &Principal, id: ReleaseId) -> Result<Release, Error> {
        self.person_decides(
            id,
            Decision::new("release.resume", &caller.name, Observation::Resumed { by: caller.clone() }),
        )
        .await
    }

    /// Ends a release that is not over.
    ///
    /// # Errors
    /// When the caller is no operator or the release is over.
    pub async fn abort(&self, caller: &Principal, id: ReleaseId, reason: Option<String>) -> Result<Release, Error> {
        let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
        sound_text("reason", &reason)?;
        let observation = Observation::Aborted { by: caller.clone(), reason };
        self.person_decides(id, Decision::new("release.abort", &caller.name, observation)).await
    }

    /// What serves every model, and what must stay loadable: the truth that gateways follow.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn assignments(&self) -> Result<Vec<Assignment>, Error> {
        self.inner.database.read(async move |tx| traffic::current(tx).await).await
    }

    /// What serves one model.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn assignment(&self, model: &ModelName) -> Result<Option<Assignment>, Error> {
        let model = model.clone();
        self.inner.database.read(async move |tx| traffic::latest(tx, &model).await).await
    }

    /// Takes a person's decision, or records that it was refused.
    async fn person_decides(&self, id: ReleaseId, decision: Decision) -> Result<Release, Error> {
        let desk = self.inner.desk.clone();
        let taken = decision.clone();
        let outcome = self.inner.database.write(async move |tx| decide(tx, &desk, id, &taken).await).await;
        match &outcome {
            Ok(release) => self.decided(release),
            Err(Error::Refused(refusal)) => {
                self.record_refusal(decision.action, &decision.by, format!("release {id}"), refusal).await?;
            }
            Err(_) => {}
        }
        outcome
    }

    /// Counts a decision and wakes the controller.
    pub(crate) fn decided(&self, release: &Release) {
        self.inner.metrics.add(&DECISIONS, &[release.stage.as_str()], 1.0);
        self.inner.signal.notify();
    }

    /// Records what a person tried and was refused.
    async fn record_refusal(
        &self,
        action: &'static str,
        principal: &str,
        subject: String,
        refusal: &Refusal,
    ) -> Result<(), Error> {
        self.inner.metrics.add(&REFUSALS, &[action], 1.0);
        let desk = self.inner.desk.clone();
        let principal = principal.to_owned();
        let detail = json!({ "reason": refusal.to_string() });
        self.inner
            .database
            .write(async move |tx| {
                let entry = AuditEntry {
                    at: desk.now(tx).await?,
                    principal: principal.clone(),
                    action: format!("{action}.refused"),
                    subject: subject.clone(),
                    detail: detail.clone(),
                };
                Ok(desk.audit.record(tx, &entry).await?)
            })
            .await
    }
}

fn sound_waiver(waiver: &NewWaiver) -> Result<(), Error> {
    sound_text("reason", &waiver.reason)
}

fn sound_text(what: &'static str, text: &str) -> Result<(), Error> {
    if text.trim().is_empty() {
        Err(Error::Invalid(format!("the {what} is empty")))
    } else if text.chars().count() > LONGEST_TEXT {
        Err(Error::Invalid(format!("the {what} is longer than {LONGEST_TEXT} characters")))
    } else {
        Ok(())
    }
}
