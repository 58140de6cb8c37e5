//! Being the only process that does something: taking a lease, and keeping it while it works.
//!
//! The decision to act is not taken here: whoever leads commits each of its writes with
//! [`Transaction::check_fence`](crate::Transaction::check_fence) and the epoch that [`Leader::lead`] answered.

use std::time::Duration as Wait;

use tokio::time::Instant;
use types::Duration;
use uuid::Uuid;

use crate::{Database, Error, Lease, Result};

/// One process's part in a lease.
#[derive(Debug)]
pub struct Leader {
    name: &'static str,
    holder: String,
    ttl: Duration,
    renew_after: Wait,
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    lease: Lease,
    renewed: Instant,
}

impl Leader {
    /// A process that wants the lease `name`. It lasts for `ttl` without renewal, which is how long nobody leads after
    /// a process dies, and is renewed by the first [`Leader::lead`] that comes `renew_after` after the last renewal.
    #[must_use]
    pub fn new(name: &'static str, ttl: Duration, renew_after: Wait) -> Self {
        Self { name, holder: Uuid::new_v4().to_string(), ttl, renew_after, held: None }
    }

    /// Takes or keeps the lease. Answers its epoch, if this process has it.
    ///
    /// # Errors
    /// [`Error::Fenced`] when another process has taken over, which [`Leader::heed`] wants to hear of; or when the
    /// database cannot be asked.
    pub async fn lead(&mut self, database: &Database) -> Result<Option<i64>> {
        if let Some(held) = &mut self.held {
            if held.renewed.elapsed() >= self.renew_after {
                // Before it was asked for, not after: the lease must not seem to last longer than it does.
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

    /// Whether this process believes that it leads.
    #[must_use]
    pub const fn leads(&self) -> bool {
        self.held.is_some()
    }

    /// Believes that another process leads, if `error` says so, and answers whether it does.
    pub fn heed(&mut self, error: &Error) -> bool {
        let fenced = matches!(error, Error::Fenced { .. });
        if fenced {
            tracing::warn!(lease = self.name, "another process has the lease now");
            self.held = None;
        }
        fenced
    }

    /// Gives the lease back, so that another need not wait for its end.
    pub async fn stop(&mut self, database: &Database) {
        if let Some(held) = self.held.take()
            && let Err(error) = database.release_lease(&held.lease).await
        {
            tracing::debug!(%error, lease = self.name, "the lease ends by itself");
        }
    }
}
