//! Being the only process that does something, under a lease.

use std::time::Duration as Wait;

use tokio::time::Instant;
use types::Duration;
use uuid::Uuid;

use crate::{Database, Error, Lease};

/// One process's part in a lease: it takes the lease when it can, and keeps it while it asks.
#[derive(Debug)]
pub struct Leader {
    name: &'static str,
    ttl: Duration,
    holder: String,
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    lease: Lease,
    renewed: Instant,
}

impl Leader {
    /// A process that wants the lease `name`, which lasts `ttl` without renewal: for so long nobody leads after the
    /// leader's death.
    #[must_use]
    pub fn new(name: &'static str, ttl: Duration) -> Self {
        Self { name, ttl, holder: Uuid::new_v4().to_string(), held: None }
    }

    /// Takes or keeps the lease. Answers its epoch, if this process has it.
    ///
    /// # Errors
    /// When the database is away, or another process has taken the lease.
    pub async fn lead(&mut self, database: &Database) -> Result<Option<i64>, Error> {
        // Renewed when a quarter has gone: three attempts fit before it ends.
        let renew_after = Wait::from_micros(u64::try_from(self.ttl.as_micros()).unwrap_or(0)) / 4;
        if let Some(held) = &mut self.held {
            if held.renewed.elapsed() >= renew_after {
                let renewed = Instant::now();
                held.lease = database.renew_lease(&held.lease, self.ttl).await?;
                held.renewed = renewed;
            }
            return Ok(Some(held.lease.epoch));
        }
        let renewed = Instant::now();
        let lease = database.acquire_lease(self.name, &self.holder, self.ttl).await?;
        self.held = lease.map(|lease| Held { lease, renewed });
        Ok(self.held.as_ref().map(|held| held.lease.epoch))
    }

    /// Whether this process has the lease, as far as it knows.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.held.is_some()
    }

    /// Believes that another process has it, if `error` says so, and answers whether it does.
    pub fn heed(&mut self, error: &Error) -> bool {
        let fenced = matches!(error, Error::Fenced { .. });
        if fenced {
            self.held = None;
        }
        fenced
    }

    /// Gives the lease back.
    pub async fn stop(&mut self, database: &Database) {
        if let Some(held) = self.held.take()
            && let Err(error) = database.release_lease(&held.lease).await
        {
            tracing::debug!(%error, lease = self.name, "the lease ends by itself");
        }
    }
}
