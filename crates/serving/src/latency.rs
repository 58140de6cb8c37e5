//! Latencies as a sparse histogram of logarithmic buckets, so that a percentile can be read from counts that were added
//! up over seconds and gateways.
//!
//! Bounds grow by 3 % from 10 microseconds to beyond 100 seconds: a percentile read from buckets is at most 3 % too high,
//! a fraction of what any limit on latency tolerates, and the 547 buckets of an arm fit in a few kilobytes.

use std::time::Duration;

/// The upper bound of the first bucket: nothing that crosses a socket is faster.
const FIRST_SECONDS: f64 = 10e-6;
/// How much larger the bound of the next bucket is.
const GROWTH: f64 = 1.03;
/// The last bucket; the first whose bound is beyond 100 seconds. What is slower is counted there, too.
pub const LAST: u16 = 546;

/// The bucket of a latency: the first whose upper bound is not below it.
#[must_use]
pub fn bucket_of(latency: Duration) -> u16 {
    let steps = (latency.as_secs_f64() / FIRST_SECONDS).ln() / GROWTH.ln();
    // A latency of zero gives minus infinity, which becomes 0.
    let near = (steps.ceil().clamp(0.0, f64::from(LAST)) as u16).saturating_sub(1);
    // The logarithm may be off by its last bit, and a bound is what `upper_bound` says.
    (near..LAST).find(|bucket| latency <= upper_bound(*bucket)).unwrap_or(LAST)
}

/// The largest latency of a bucket. The last bucket also holds everything above its own.
#[must_use]
pub fn upper_bound(bucket: u16) -> Duration {
    Duration::from_secs_f64(FIRST_SECONDS * GROWTH.powi(i32::from(bucket.min(LAST))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ends_are_ten_microseconds_and_a_hundred_seconds() {
        assert_eq!((bucket_of(Duration::ZERO), bucket_of(Duration::from_micros(10))), (0, 0));
        assert_eq!(bucket_of(Duration::from_micros(10) + Duration::from_nanos(1)), 1);
        assert!(upper_bound(LAST - 1) < Duration::from_secs(100) && upper_bound(LAST) >= Duration::from_secs(100));
        assert_eq!((bucket_of(Duration::from_secs(3_600)), bucket_of(Duration::MAX)), (LAST, LAST));
    }

    #[test]
    fn a_bound_is_in_its_own_bucket() {
        for bucket in 0..=LAST {
            assert_eq!(bucket_of(upper_bound(bucket)), bucket);
        }
    }

    proptest! {
        #[test]
        fn a_latency_is_within_three_percent_below_its_bound(micros in 10_u64..100_000_000) {
            let latency = Duration::from_micros(micros);
            let bound = upper_bound(bucket_of(latency));
            prop_assert!(latency <= bound && bound.as_secs_f64() <= latency.as_secs_f64() * 1.030_001);
        }
    }
}
