//! Bounds on a rate that hold at every moment at once: the beta-binomial mixture's confidence sequence.
//!
//! For the true rate `p` the ratio of the mixture's likelihood to that of `p` is a martingale that starts at 1, so it
//! ever reaches `1/misses` with a chance of at most `misses` (Robbins 1970; Howard, Ramdas, McAuliffe & Sekhon, Annals
//! of Statistics 2021, §4). The rates at which it has not are the interval. It assumes a rate that stays as it is; of
//! one that moves it bounds the average, not exactly.

use statrs::function::beta::ln_beta;

/// The mixture is a beta distribution with these parameters: heaviest near zero, where error rates are, so that a rate
/// of nothing is believed soon (570 entities until it is below 1 %, where the uniform one takes twice as many), and
/// with a tail that still covers one half.
const NEAR_ZERO: f64 = 0.5;
const NEAR_ONE: f64 = 10.0;
/// Halvings of the unit interval until the bound is known to more digits than anyone reads.
const HALVINGS: u32 = 24;

/// The rate that is not exceeded; 1 where nothing is known.
pub(super) fn upper(bad: u64, all: u64, misses: f64) -> f64 {
    let bad = bad.min(all);
    if bad == all { 1.0 } else { end(bad, all, misses, 1.0) }
}

/// The rate that is reached at least; 0 where nothing is known.
pub(super) fn lower(bad: u64, all: u64, misses: f64) -> f64 {
    let bad = bad.min(all);
    if bad == 0 { 0.0 } else { end(bad, all, misses, 0.0) }
}

/// The end of the interval between what was seen and `outside`, from its outer side.
fn end(bad: u64, all: u64, misses: f64, mut outside: f64) -> f64 {
    let mixture = log_mixture(bad, all);
    let is_excluded = |rate| mixture - log_likelihood(bad, all, rate) >= -misses.ln();
    let mut inside = bad as f64 / all as f64;
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(inside, outside);
        if is_excluded(middle) { outside = middle } else { inside = middle }
    }
    outside
}

fn log_mixture(bad: u64, all: u64) -> f64 {
    ln_beta(NEAR_ZERO + bad as f64, NEAR_ONE + (all - bad) as f64) - ln_beta(NEAR_ZERO, NEAR_ONE)
}

fn log_likelihood(bad: u64, all: u64, rate: f64) -> f64 {
    // Something that never happened does not care how unlikely it is.
    let times_ln = |times: u64, chance: f64| if times == 0 { 0.0 } else { times as f64 * chance.ln() };
    times_ln(bad, rate) + times_ln(all - bad, 1.0 - rate)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_seen_bounds_nothing() {
        assert_eq!((lower(0, 0, 0.025), upper(0, 0, 0.025)), (0.0, 1.0));
        assert_eq!((lower(0, 50, 0.025), upper(50, 50, 0.025)), (0.0, 1.0));
    }

    #[test]
    fn a_rate_of_nothing_is_believed_to_be_below_one_per_cent_after_570_or_so() {
        assert!(upper(0, 550, 0.025) > 0.01);
        assert!(upper(0, 590, 0.025) < 0.01);
    }

    proptest! {
        #[test]
        fn the_ratio_at_the_true_rate_neither_grows_nor_shrinks_on_average(
            all in 0_u64..5_000,
            bad_share in 0.0_f64..1.0,
            rate in 0.001_f64..0.999,
        ) {
            let bad = (all as f64 * bad_share) as u64;
            let log_ratio = |bad, all| log_mixture(bad, all) - log_likelihood(bad, all, rate);
            let before = log_ratio(bad, all);
            let after = rate * (log_ratio(bad + 1, all + 1) - before).exp()
                + (1.0 - rate) * (log_ratio(bad, all + 1) - before).exp();
            prop_assert!((after - 1.0).abs() < 1e-6, "{after}");
        }

        #[test]
        fn the_bounds_enclose_what_was_seen_and_narrow_as_more_is(
            all in 1_u64..100_000,
            bad_share in 0.0_f64..1.0,
        ) {
            let bad = (all as f64 * bad_share) as u64;
            let seen = bad as f64 / all as f64;
            let (low, high) = (lower(bad, all, 0.025), upper(bad, all, 0.025));
            prop_assert!(low <= seen && seen <= high, "{low} {seen} {high}");
            let more = upper(10 * bad, 10 * all, 0.025) - lower(10 * bad, 10 * all, 0.025);
            prop_assert!(more <= high - low);
        }
    }
}
