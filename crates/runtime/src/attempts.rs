//! Attempts at things that may fail, many at once: which are on their way, and how many of them in each lane.
//!
//! Whoever delivers keeps what is to be delivered elsewhere, where a crash does not lose it; this only knows what this
//! process is at. A lane is what may be slow on its own, such as one receiver: bounded by itself, it holds up no other.

use std::{collections::HashMap, hash::Hash, time::Duration};

use tokio::{
    task::{AbortHandle, JoinSet},
    time::timeout,
};

/// Attempts on their way, by what they are at. Dropping it abandons them.
#[derive(Debug)]
pub struct Attempts<Key> {
    tasks: JoinSet<()>,
    on_their_way: HashMap<Key, (String, AbortHandle)>,
}

impl<Key> Default for Attempts<Key> {
    fn default() -> Self {
        Self { tasks: JoinSet::new(), on_their_way: HashMap::new() }
    }
}

impl<Key: Eq + Hash> Attempts<Key> {
    /// Forgets those that have ended. To be called before what is to be done is read, not after: an attempt that ends
    /// meanwhile has changed what is about to be read.
    pub fn settle(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        self.on_their_way.retain(|_, (_, attempt)| !attempt.is_finished());
    }

    /// Whether there is an attempt at it on its way.
    pub fn has(&self, key: &Key) -> bool {
        self.on_their_way.contains_key(key)
    }

    /// How many are on their way in a lane.
    pub fn in_lane(&self, lane: &str) -> usize {
        self.on_their_way.values().filter(|(other, _)| other == lane).count()
    }

    /// Begins an attempt in a lane.
    pub fn begin(&mut self, key: Key, lane: &str, attempt: impl Future<Output = ()> + Send + 'static) {
        let handle = self.tasks.spawn(attempt);
        self.on_their_way.insert(key, (lane.to_owned(), handle));
    }

    /// Stops all of them.
    pub fn abort(&mut self) {
        self.tasks.abort_all();
        self.on_their_way.clear();
    }

    /// Lets them come to their end, for so long; then stops them. Answers whether all ended.
    pub async fn finish(&mut self, within: Duration) -> bool {
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        let all = timeout(within, ended).await.is_ok();
        self.abort();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lane_that_hangs_is_seen_and_its_attempts_end_with_the_rest() {
        let mut attempts = Attempts::default();
        attempts.begin(1, "hangs", std::future::pending());
        attempts.begin(2, "hangs", std::future::pending());
        attempts.begin(3, "answers", async {});
        tokio::task::yield_now().await;
        attempts.settle();
        assert!(attempts.has(&1) && attempts.has(&2) && !attempts.has(&3));
        assert_eq!((attempts.in_lane("hangs"), attempts.in_lane("answers")), (2, 0));
        assert!(!attempts.finish(Duration::from_secs(2)).await, "two were stopped");
        assert_eq!(attempts.in_lane("hangs"), 0);
    }
}
