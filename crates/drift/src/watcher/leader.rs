//! Being the only process that does something, under a lease.

use std::time::Duration as Wait;

use database::{Database, Lease};
use tokio::time::Instant;
use types::Duration;
use uuid::Uuid;

/// How long a lease lasts without renewal.
const TTL: Duration = Duration::from_secs(15);
/// When it is renewed: three attempts fit before it ends.
const RENEW_AFTER: Wait = Wait::from_secs(4);

/// One process's part in a lease.
#[derive(Debug)]
pub(crate) struct Leader {
    name: &'static str,
    holder: String,
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    lease: Lease,
    renewed: Instant,
}

impl Leader {
    /// A process that wants the lease `name`.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, holder: Uuid::new_v4().to_string(), held: None }
    }

    /// Takes or keeps the lease. Answers its epoch, if this process has it.
    pub(crate) async fn lead(&mut self, database: &Database) -> Result<Option<i64>, database::Error> {
        if let Some(held) = &mut self.held {
            if held.renewed.elapsed() >= RENEW_AFTER {
                let renewed = Instant::now();
                held.lease = database.renew_lease(&held.lease, TTL).await?;
                held.renewed = renewed;
            }
            return Ok(Some(held.lease.epoch));
        }
        let renewed = Instant::now();
        let lease = database.acquire_lease(self.name, &self.holder, TTL).await?;
        self.held = lease.map(|lease| Held { lease, renewed });
        Ok(self.held.as_ref().map(|held| held.lease.epoch))
    }

    /// Believes that another process has it, if `error` says so.
    pub(crate) fn heed(&mut self, error: &database::Error) {
        if matches!(error, database::Error::Fenced { .. }) {
            self.held = None;
        }
    }

    /// Gives the lease back.
    pub(crate) async fn stop(&mut self, database: &Database) {
        if let Some(held) = self.held.take()
            && let Err(error) = database.release_lease(&held.lease).await
        {
            tracing::debug!(%error, lease = self.name, "the lease ends by itself");
        }
    }
}
