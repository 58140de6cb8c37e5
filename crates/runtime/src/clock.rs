//! Where the time of day comes from. Nothing else in the house reads it.

use std::{
    fmt::Debug,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use types::Timestamp;

/// Tells the time of day. For measuring how long something took, use tokio's `Instant`, which tests can pause.
pub trait Clock: Send + Sync + Debug {
    /// The time now. May go backwards when the machine's clock is set.
    fn now(&self) -> Timestamp;
}

/// A clock as services hold it.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The machine's clock as services hold it.
    #[must_use]
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock set before 1970 reads as 1970.
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
    }
}
