//! Exponential backoff with full jitter: each wait is drawn evenly between nothing and a ceiling that doubles.
//!
//! Full jitter spreads callers that failed together better than a fixed wait with some noise does (see "Exponential
//! Backoff and Jitter", AWS Architecture Blog).

use std::time::Duration;

/// The waits between attempts at something that fails.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    ceiling: Duration,
}

impl Backoff {
    /// Starts with a ceiling of `first`, which doubles with each wait up to `max`.
    #[must_use]
    pub fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, ceiling: first.min(max) }
    }

    /// How long to wait before the next attempt.
    #[expect(clippy::should_implement_trait, reason = "an endless sequence that is also reset is not an iterator")]
    pub fn next(&mut self) -> Duration {
        let ceiling = self.ceiling;
        self.ceiling = ceiling.saturating_mul(2).min(self.max);
        ceiling.mul_f64(fastrand::f64())
    }

    /// The wait after attempt number `attempts`, counted from 0, for those that keep only how often they tried.
    #[must_use]
    pub fn after(attempts: u32, first: Duration, max: Duration) -> Duration {
        // 2^16 times any first wait is beyond every maximum that makes sense.
        Self::new(first.saturating_mul(2_u32.saturating_pow(attempts.min(16))), max).next()
    }

    /// Starts over, after a success.
    pub fn reset(&mut self) {
        self.ceiling = self.first.min(self.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_below_a_ceiling_that_doubles_up_to_the_maximum() {
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(45));
        for _ in 0..100 {
            for ceiling in [10, 20, 40, 45, 45] {
                let wait = backoff.next();
                assert!(wait <= Duration::from_millis(ceiling), "{wait:?} is above {ceiling} ms");
            }
            backoff.reset();
        }
    }
}
