//! Collecting, verifying and backing up, over all stores. One at a time on one database: a backup must not lose files to a
//! collection.

use std::{io, path::PathBuf, sync::Arc};

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

/// What a collection is called in the audit trail when it begins, so that one that is killed is there too.
const COLLECTING: &str = "registry.collecting";
/// And when it has ended.
const COLLECT: &str = "registry.collect";
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
#[derive(Debug, Clone)]
pub(crate) struct Upkeep {
    pub(crate) database: Database,
    pub(crate) registry: registry::Service,
    pub(crate) releases: release::Service,
    pub(crate) identity: identity::Service,
    pub(crate) stores: backup::Stores,
    pub(crate) clock: runtime::SharedClock,
    /// One at a time in this process.
    pub(crate) busy: Arc<Mutex<()>>,
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
            tracing::warn!(%error, "the lease could not be given back; it ends by itself");
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

    /// Runs `work` to its end, also when whoever asked for it has gone: what was begun is done, and on record.
    async fn to_its_end<T: Send + 'static>(
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        tokio::spawn(work).await.map_err(|error| Error::of(ErrorKind::Internal, &error))?
    }

    async fn record(&self, by: &Principal, action: &str, subject: String, detail: JsonValue) -> Result<(), Error> {
        let (at, principal, action) = (self.clock.now(), by.name.clone(), action.to_owned());
        Ok(self.identity.append(AuditEntry { at, principal, action, subject, detail }).await?)
    }

    /// A collection that began has an end on record, and what is gone, also when the rest could not be collected.
    async fn record_failed(&self, by: &Principal, collected: &Collected, error: &Error) {
        let mut detail = json!(collected);
        detail["failed"] = json!(error.message);
        if let Err(error) = self.record(by, COLLECT, "registry".to_owned(), detail.clone()).await {
            tracing::error!(error = error.message, %detail, "what was collected is in no audit trail");
        }
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
        let (this, by) = (self.clone(), by.clone());
        Self::to_its_end(async move {
            let (mut collected, mut began) = (Collected::default(), false);
            let collecting = async {
                this.record(&by, COLLECTING, "registry".to_owned(), json!(collection)).await?;
                began = true;
                Ok(this.registry.collect_into(collection, &mut collected).await?)
            };
            let outcome = this.alone(collecting).await;
            match outcome {
                Ok(()) => {
                    this.record(&by, COLLECT, "registry".to_owned(), json!(collected)).await?;
                    Ok(collected)
                }
                Err(error) => {
                    if began {
                        this.record_failed(&by, &collected, &error).await;
                    }
                    Err(error)
                }
            }
        })
        .await
    }

    async fn verify(&self) -> Result<Verified, Error> {
        let mut verified = self.registry.verify().await?;
        self.verify_pins(&mut verified).await?;
        Ok(verified)
    }

    async fn back_up(&self, by: &Principal, to: PathBuf) -> Result<BackedUp, Error> {
        let (this, by) = (self.clone(), by.clone());
        Self::to_its_end(async move {
            let made = this.alone(async { backup::back_up(&this.stores, &to).await.map_err(refused) }).await?;
            this.record(&by, "backup", to.display().to_string(), json!(made)).await?;
            Ok(made)
        })
        .await
    }
}

fn away(error: &database::Error) -> Error {
    Error::of(error.kind(), error)
}

/// An operator is told everything: it is the operator's machine.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn refused(error: anyhow::Error) -> Error {
    let of = |cause: &(dyn std::error::Error + 'static)| {
        let database = cause.downcast_ref().map(database::Error::kind);
        let artifacts = cause.downcast_ref().map(artifacts::Error::kind);
        let full = cause.downcast_ref().is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::StorageFull);
        database.or(artifacts).or(full.then_some(ErrorKind::OutOfSpace))
    };
    let kind = error.chain().find_map(of).unwrap_or(ErrorKind::FailedPrecondition);
    Error::new(kind, format!("{error:#}"))
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
        busy: Arc::default(),
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_backup_that_failed_says_whose_fault_it_is() {
        let kind = |error: anyhow::Error| refused(error).kind;
        let full = Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull)).context("cannot write it").unwrap_err();
        assert_eq!(kind(full), ErrorKind::OutOfSpace);
        let lost = Err::<(), _>(artifacts::Error::NotFound { path: artifacts::ArtifactPath::root() })
            .context("cannot read")
            .unwrap_err();
        assert_eq!(kind(lost), ErrorKind::NotFound);
        assert_eq!(kind(anyhow::anyhow!("the folder is not empty")), ErrorKind::FailedPrecondition);
    }
}
