//! What tests of every crate need: a clock set by hand, and waiting for a state instead of for a time.

use std::{
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use types::Timestamp;

use crate::Clock;

/// How often [`eventually`] looks.
const INTERVAL: Duration = Duration::from_millis(5);

/// A clock that moves only when told. Clones share its time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_micros())))
    }

    /// Sets the time, forwards or backwards.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_micros(), Ordering::SeqCst);
    }

    /// Moves the time forward.
    pub fn advance(&self, by: types::Duration) {
        self.0.fetch_add(by.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Calls `condition` until it answers `Ok` and hands that out.
///
/// # Panics
/// When `deadline` passes first, with the last `Err` as the status.
pub async fn eventually<T, Status, F, Answer>(deadline: Duration, mut condition: F) -> T
where
    Status: Display,
    F: FnMut() -> Answer,
    Answer: Future<Output = Result<T, Status>>,
{
    let end = tokio::time::Instant::now() + deadline;
    loop {
        let status = match condition().await {
            Ok(value) => return value,
            Err(status) => status,
        };
        assert!(tokio::time::Instant::now() < end, "not within {deadline:?}; last: {status}");
        tokio::time::sleep(INTERVAL).await;
    }
}
