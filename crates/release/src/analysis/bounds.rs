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
const HALVINGS: u32 = 40;

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
    let good = (all - bad) as f64;
    let (bad, all) = (bad as f64, all as f64);
    let log_mixture = ln_beta(NEAR_ZERO + bad, NEAR_ONE + good) - ln_beta(NEAR_ZERO, NEAR_ONE);
    let log_limit = -misses.ln();
    let is_excluded = |rate: f64| log_mixture - times_ln(bad, rate) - times_ln(good, 1.0 - rate) >= log_limit;
    let mut inside = bad / all;
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(inside, outside);
        if is_excluded(middle) { outside = middle } else { inside = middle }
    }
    outside
}

/// `times ln(of)`, and nothing where it is taken no times.
fn times_ln(times: f64, of: f64) -> f64 {
    if times == 0.0 { 0.0 } else { times * of.ln() }
}
