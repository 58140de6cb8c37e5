//! A hint that something changed, which cannot be missed and of which many count as one.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::watch;

/// Wakes everyone who holds a clone. Each clone remembers what it has seen, so a notification that comes while its holder
/// is busy is not lost: the next [`Signal::wait`] returns at once.
#[derive(Debug)]
pub struct Signal {
    notified: Arc<watch::Sender<u64>>,
    seen: AtomicU64,
}

impl Signal {
    /// A signal that nobody has given yet.
    #[must_use]
    pub fn new() -> Self {
        Self { notified: Arc::new(watch::Sender::new(0)), seen: AtomicU64::new(0) }
    }

    /// Tells every clone, this one too.
    pub fn notify(&self) {
        self.notified.send_modify(|count| *count += 1);
    }

    /// Returns once there has been a notification since this clone last returned from `wait`. Cancel-safe.
    pub async fn wait(&self) {
        let mut notified = self.notified.subscribe();
        loop {
            let count = *notified.borrow_and_update();
            if self.seen.swap(count, Ordering::AcqRel) != count {
                return;
            }
            if notified.changed().await.is_err() {
                // Cannot be: `self` holds the sender.
                return;
            }
        }
    }
}

impl Default for Signal {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Signal {
    fn clone(&self) -> Self {
        Self { notified: Arc::clone(&self.notified), seen: AtomicU64::new(self.seen.load(Ordering::Acquire)) }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn every_clone_sees_a_notification_once_even_when_it_came_first() {
        let first = Signal::new();
        let second = first.clone();
        first.notify();
        first.notify();
        for signal in [&first, &second] {
            assert!(signal.wait().now_or_never().is_some());
            assert!(signal.wait().now_or_never().is_none(), "two notifications count as one");
        }
        assert!(first.clone().wait().now_or_never().is_none(), "a clone has seen what its origin had");
    }
}
