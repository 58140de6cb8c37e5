//! What every decision is taken with: where it is recorded, and what time it is.

use std::sync::Arc;

use database::Transaction;
use runtime::SharedClock;
use types::Timestamp;

use crate::{AuditSink, Error};

/// Where decisions are taken. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) audit: Arc<dyn AuditSink>,
    /// In place of the database's time.
    pub(crate) clock: Option<SharedClock>,
}

impl Desk {
    /// The time of a decision: the database's, which all processes share, unless a test holds the clock.
    pub(crate) async fn now(&self, tx: &mut Transaction) -> Result<Timestamp, Error> {
        match &self.clock {
            Some(clock) => Ok(clock.now()),
            None => Ok(tx.now().await?),
        }
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("clock", &self.clock).finish_non_exhaustive()
    }
}
