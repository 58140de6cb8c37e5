//! Collecting, verifying and backing up, over all stores. One at a time on one database: a backup must not lose files to a
//! collection.

use std::{path::PathBuf, sync::Arc};

use api::{
    error::Error,
    maintenance::{BackedUp, Maintenance},
};
use async_trait::async_trait;
use database::{Database, Lease};
use registry::{Collected, Collection, Problem, Verified};
use serde_json::{Value as JsonValue, json};
use tokio::{sync::Mutex, time};
use types::{AuditEntry, Duration, ErrorKind, ModelVersion, Principal};

use super::governance::pins;
use crate::backup;

/// The lease that whoever collects or backs up holds.
const LEASE: &str = "maintenance";
/// How long one that was killed keeps others out.
const TTL: Duration = Duration::from_secs(10);
/// How often the lease is renewed.
const RENEW: time::Duration = time::Duration::from_secs(3);
/// How often somebody else's lease is asked for: until whoever was killed with it has lost it.
const ATTEMPTS: u32 = 12;
/// How long to wait between.
const WAIT: time::Duration = time::Duration::from_secs(1);

/// The stores.
#[derive(Debug)]
pub(crate) struct Upkeep {
    pub(crate) database: Database,
    pub(crate) registry: registry::Service,
    pub(crate) releases: release::Service,
    pub(crate) identity: identity::Service,
    pub(crate) stores: backup::Stores,
    pub(crate) clock: runtime::SharedClock,
    /// One at a time in this process.
    pub(crate) busy: Mutex<()>,
}

impl Upkeep {
    /// Runs `work` while nobody else collects or backs up, on any process.
    async fn alone<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let taken = || Error::new(ErrorKind::Conflict, "a collection or a backup is on its way: try again after it");
        let _here = self.busy.try_lock().map_err(|_| taken())?;
        let lease = self.lease().await?.ok_or_else(taken)?;
        let outcome = tokio::select! {
            outcome = work => outcome,
            error = self.renewed(&lease) => Err(error),
        };
        if let Err(error) = self.database.release_lease(&lease).await {
            tracing::warn!(%error, "the lease could not be given back; it ends in a minute");
        }
        outcome
    }

    /// The lease, once whoever was killed with it has lost it; `None` if somebody goes on holding it.
    async fn lease(&self) -> Result<Option<Lease>, Error> {
        // No other process has this name at this time, so nobody's lease is taken for ours.
        let holder = format!("{}-{}", std::process::id(), self.clock.now().as_micros());
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                time::sleep(WAIT).await;
            }
            let acquired = self.database.acquire_lease(LEASE, &holder, TTL).await.map_err(|error| away(&error))?;
            if acquired.is_some() {
                return Ok(acquired);
            }
        }
        Ok(None)
    }

    /// Renews the lease until that fails.
    async fn renewed(&self, lease: &Lease) -> Error {
        loop {
            time::sleep(RENEW).await;
            if let Err(error) = self.database.renew_lease(lease, TTL).await {
                return away(&error);
            }
        }
    }

    async fn record(&self, by: &Principal, action: &str, subject: String, detail: JsonValue) -> Result<(), Error> {
        let (at, principal, action) = (self.clock.now(), by.name.clone(), action.to_owned());
        Ok(self.identity.append(AuditEntry { at, principal, action, subject, detail }).await?)
    }

    /// What releases froze is what lies there.
    async fn verify_pins(&self, verified: &mut Verified) -> Result<(), Error> {
        for assignment in self.releases.assignments().await? {
            for pinned in pins(&assignment) {
                let version = ModelVersion::new(assignment.model.clone(), pinned.version);
                let problem = match self.registry.artifact_digest(&version).await {
                    Ok(digest) if digest == pinned.artifact_digest => continue,
                    Ok(digest) => {
                        format!("its files are {digest}, release {} froze {}", pinned.release, pinned.artifact_digest)
                    }
                    Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error.into()),
                    Err(error) => format!("release {} pins it, and its files cannot be read: {error}", pinned.release),
                };
                let problem = Problem::new("pinned version", version.to_string(), problem);
                if !verified.problems.contains(&problem) {
                    verified.problems.push(problem);
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Maintenance for Upkeep {
    async fn collect(&self, by: &Principal, collection: Collection) -> Result<Collected, Error> {
        if collection.dry_run {
            return Ok(self.registry.collect(collection).await?);
        }
        let collected = self.alone(async { Ok(self.registry.collect(collection).await?) }).await?;
        self.record(by, "registry.collect", "registry".to_owned(), json!(collected)).await?;
        Ok(collected)
    }

    async fn verify(&self) -> Result<Verified, Error> {
        let mut verified = self.registry.verify().await?;
        self.verify_pins(&mut verified).await?;
        Ok(verified)
    }

    async fn back_up(&self, by: &Principal, to: PathBuf) -> Result<BackedUp, Error> {
        let made = self.alone(async { backup::back_up(&self.stores, &to).await.map_err(refused) }).await?;
        self.record(by, "backup", to.display().to_string(), json!(made)).await?;
        Ok(made)
    }
}

fn away(error: &database::Error) -> Error {
    Error::of(error.kind(), error)
}

/// An operator is told everything: it is the operator's machine.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn refused(error: anyhow::Error) -> Error {
    Error::new(ErrorKind::FailedPrecondition, format!("{error:#}"))
}

/// The adapter over these services.
pub(crate) fn over(
    database: &Database,
    registry: &registry::Service,
    releases: &release::Service,
    identity: &identity::Service,
    stores: backup::Stores,
    clock: &runtime::SharedClock,
) -> Arc<Upkeep> {
    Arc::new(Upkeep {
        database: database.clone(),
        registry: registry.clone(),
        releases: releases.clone(),
        identity: identity.clone(),
        stores,
        clock: Arc::clone(clock),
        busy: Mutex::new(()),
    })
}
