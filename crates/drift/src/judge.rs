//! Whether a difference of two sets of shares is drift, or what chance does.
//!
//! Two conditions, both needed. *Large*: population stability from [`EFFECT`] on, what the trade calls significant.
//! *Not chance*: under no drift, population stability times nm/(n+m) follows a chi-square distribution, n and m being the
//! effective sizes; the score must exceed its quantile for a false alarm rate of [`FALSE_ALARMS`] a window, divided by
//! the number of comparisons of the window. The approximation needs bins with a few rows each, so bins are merged until
//! each expects [`LEAST_EXPECTED`], and what remains of its heavier tail is covered by [`CAUTION`].

use statrs::{
    distribution::{ChiSquared, ContinuousCDF as _},
    function::beta::beta_reg,
};

use crate::scores::jensen_shannon_of;

/// The population stability from which a shift matters: 0.1 to 0.2 is commonly called moderate, above significant.
const EFFECT: f64 = 0.2;
/// The Jensen-Shannon distance that says the same: for small shifts its square is an eighth of population stability.
const EFFECT_OF_DISTANCE: f64 = 0.16;
/// How often a window without drift may have any finding, over all of its comparisons.
const FALSE_ALARMS: f64 = 0.001;
/// The rows that a bin expects at least; below, the chi-square distribution is no description.
const LEAST_EXPECTED: f64 = 5.0;
/// What the quantile is raised by, because tails of sparse counts are heavier than chi-square's.
const CAUTION: f64 = 1.3;
/// The least effective size of either side: smaller ones say nothing about a distribution.
const LEAST_EFFECTIVE: f64 = 30.0;

/// The counts of one side, and how many independent rows they are worth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) counts: &'a [u64],
    pub(crate) effective: f64,
}

/// What a comparison says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Judgement {
    pub(crate) psi: f64,
    pub(crate) psi_threshold: f64,
    pub(crate) jensen_shannon: f64,
    /// `None` if there are too few independent rows to tell.
    pub(crate) drifted: Option<bool>,
}

/// Judges `current` against `reference`, one of `comparisons` in its window.
pub(crate) fn judge(reference: Side<'_>, current: Side<'_>, comparisons: usize) -> Judgement {
    let (expected, observed) = merged(reference.counts, current.counts, current.effective.max(LEAST_EFFECTIVE));
    let (left, right) = (smoothed(&expected, reference.effective), smoothed(&observed, current.effective));
    let psi: f64 = left.iter().zip(&right).map(|(r, c)| (r - c) * (r / c).ln()).sum();
    let jensen_shannon = jensen_shannon_of(&left, &right);
    let is_enough = current.effective >= LEAST_EFFECTIVE && reference.effective >= LEAST_EFFECTIVE;
    if !is_enough || left.len() < 2 {
        // With one bin on both sides there is nothing that could have moved.
        let drifted = (is_enough && left.len() == 1).then_some(false);
        return Judgement { psi, psi_threshold: EFFECT, jensen_shannon, drifted };
    }
    let noise = 1.0 / reference.effective + 1.0 / current.effective;
    let chance = CAUTION * noise * quantile(left.len() - 1, FALSE_ALARMS / comparisons.max(1) as f64);
    let psi_threshold = EFFECT.max(chance);
    let distance_threshold = EFFECT_OF_DISTANCE.max((chance / 8.0).sqrt());
    let drifted = psi >= psi_threshold || jensen_shannon >= distance_threshold;
    Judgement { psi, psi_threshold, jensen_shannon, drifted: Some(drifted) }
}

/// The probability that of `units` independent units at least `new` have a value that the reference does not know, if
/// they do so with probability `unseen` each.
pub(crate) fn chance_of_new(new: u64, units: u64, unseen: f64) -> f64 {
    if new == 0 {
        1.0
    } else if new > units {
        0.0
    } else {
        beta_reg(new as f64, (units - new) as f64 + 1.0, unseen.clamp(0.0, 1.0))
    }
}

/// The chi-square quantile that is exceeded with probability `tail`.
fn quantile(degrees: usize, tail: f64) -> f64 {
    ChiSquared::new(degrees as f64).map_or(f64::INFINITY, |distribution| distribution.inverse_cdf(1.0 - tail))
}

/// Both sides with neighbouring bins merged until each expects enough rows of `rows`.
fn merged(reference: &[u64], current: &[u64], rows: f64) -> (Vec<f64>, Vec<f64>) {
    let sum = |counts: &[u64]| counts.iter().sum::<u64>().max(1) as f64;
    let (all_reference, all_current) = (sum(reference), sum(current));
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let (mut gathered, mut beside) = (0.0, 0.0);
    for (r, c) in reference.iter().zip(current) {
        gathered += *r as f64 / all_reference;
        beside += *c as f64 / all_current;
        if gathered * rows >= LEAST_EXPECTED {
            left.push(std::mem::take(&mut gathered));
            right.push(std::mem::take(&mut beside));
        }
    }
    match (left.last_mut(), right.last_mut()) {
        (Some(last), Some(last_beside)) => {
            *last += gathered;
            *last_beside += beside;
        }
        _ => {
            left.push(gathered);
            right.push(beside);
        }
    }
    (left, right)
}

/// Shares with half a row more in each bin, so that an empty one does not make the score infinite.
fn smoothed(shares: &[f64], effective: f64) -> Vec<f64> {
    let rows = effective.max(1.0);
    let all = rows + 0.5 * shares.len() as f64;
    shares.iter().map(|share| share.mul_add(rows, 0.5) / all).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(random: &mut fastrand::Rng, weights: &[f64], rows: u64) -> Vec<u64> {
        let mut counts = vec![0; weights.len()];
        for _ in 0..rows {
            let mut at = random.f64() * weights.iter().sum::<f64>();
            let bin = weights.iter().position(|weight| {
                at -= weight;
                at < 0.0
            });
            counts[bin.unwrap_or(0)] += 1;
        }
        counts
    }

    #[test]
    fn samples_of_one_distribution_never_drift_at_any_size() {
        let mut random = fastrand::Rng::with_seed(7);
        let skewed: Vec<f64> = (1..=30).map(|rank| 1.0 / f64::from(rank)).collect();
        for weights in [vec![1.0; 10], skewed, vec![0.97, 0.03]] {
            for rows in [30, 60, 200, 2_000] {
                for run in 0..2_000 {
                    let reference = counts(&mut random, &weights, 500);
                    let current = counts(&mut random, &weights, rows);
                    let current = Side { counts: &current, effective: rows as f64 };
                    let judged = judge(Side { counts: &reference, effective: 500.0 }, current, 350);
                    assert_eq!(judged.drifted, Some(false), "{judged:?} in run {run} of {rows} rows");
                }
            }
        }
    }

    #[test]
    fn a_shift_that_matters_is_seen_and_a_small_one_is_not_whatever_its_significance() {
        let reference = [1_000_u64; 10];
        let large = [100, 100, 100, 100, 100, 100, 100, 100, 100, 600];
        let small = [10_000, 10_000, 10_000, 10_000, 10_000, 10_000, 10_000, 10_000, 10_000, 15_000];
        let judged = |counts: &[u64]| {
            let effective = counts.iter().sum::<u64>() as f64;
            judge(Side { counts: &reference, effective: 10_000.0 }, Side { counts, effective }, 350).drifted
        };
        assert_eq!(judged(&large), Some(true));
        assert_eq!(judged(&small), Some(false));
        assert_eq!(judged(&[1; 10]), None, "ten rows say nothing");
    }

    #[test]
    fn values_nobody_knew_are_improbable_by_the_binomial_tail() {
        assert!((chance_of_new(1, 10, 0.1) - (1.0 - 0.9_f64.powi(10))).abs() < 1e-12);
        assert!(chance_of_new(5, 60, 2e-4) < 1e-10);
        assert!(chance_of_new(3, 10_000, 2e-4) > 0.1);
    }
}
