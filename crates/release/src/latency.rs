//! The latency gate's decision: percentiles of interleaved calls, and a confidence interval on their ratio.
//!
//! Candidate and stable are called in turn, so that whatever disturbs the machine disturbs both. The ratio of the 95th
//! percentiles is bootstrapped (Efron & Tibshirani 1993, percentile interval); the gate fails on the ratio only when
//! the whole interval lies above the bound, so that noise alone does not stop a release.

use serde::Serialize;
use types::Duration;

use crate::LatencyGate;

/// Resamples of the bootstrap: the ends of a 95 % interval are then the 25th of 1,000 from either side.
const RESAMPLES: usize = 1_000;
/// Cut from either side of the resampled ratios.
const TAIL: f64 = 0.025;
/// The bootstrap's seed, fixed so that the same calls give the same verdict.
const SEED: u64 = 0x0063_726f_7373_7469;

/// The latency of a candidate, judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Calls of the candidate.
    pub calls: usize,
    /// The candidate's 50th, 95th and 99th percentile, microseconds.
    pub candidate: [f64; 3],
    /// Stable's, if there is a stable version.
    pub stable: Option<[f64; 3]>,
    /// The ratio of the 95th percentiles, with the ends of its 95 % interval.
    pub ratio: Option<[f64; 3]>,
    /// Whether the bounds hold.
    pub passed: bool,
    /// For people, with the numbers that decided.
    pub summary: String,
}

/// Judges calls, in microseconds. No calls at all do not pass.
#[must_use]
pub fn judge(gate: &LatencyGate, candidate: &[f64], stable: Option<&[f64]>) -> Verdict {
    let of = |calls: &[f64]| [0.5, 0.95, 0.99].map(|q| percentile(&mut calls.to_vec(), q));
    let stable = stable.filter(|calls| !calls.is_empty());
    let percentiles = of(candidate);
    let ratio = stable.map(|stable| ratio(candidate, stable));
    let bound = gate.p95.as_micros() as f64;
    let fast = percentiles[1] <= bound;
    let slower = gate.max_ratio.zip(ratio).is_some_and(|(most, [_, low, _])| low > most);
    let passed = fast && !slower;
    let shown = |micros: f64| Duration::from_micros(micros.round() as i64);
    let beside =
        ratio.map_or(String::new(), |[ratio, low, high]| format!(", {ratio:.2}× stable's [{low:.2}, {high:.2}]"));
    let why = match (fast, slower) {
        (true, false) => String::new(),
        (false, _) => format!(": above {}", gate.p95),
        (true, true) => format!(": above {}×", gate.max_ratio.unwrap_or_default()),
    };
    let summary = format!("p95 {}{beside} over {} calls{why}", shown(percentiles[1]), candidate.len());
    Verdict { calls: candidate.len(), candidate: percentiles, stable: stable.map(of), ratio, passed, summary }
}

/// The nearest-rank percentile; NaN of nothing, which passes no bound.
fn percentile(calls: &mut [f64], quantile: f64) -> f64 {
    if calls.is_empty() {
        return f64::NAN;
    }
    let rank = ((calls.len() as f64 * quantile).ceil() as usize).clamp(1, calls.len()) - 1;
    *calls.select_nth_unstable_by(rank, f64::total_cmp).1
}

/// The ratio of the 95th percentiles and the ends of its bootstrapped interval.
fn ratio(candidate: &[f64], stable: &[f64]) -> [f64; 3] {
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut resample = |calls: &[f64]| -> f64 {
        let mut drawn: Vec<f64> = calls.iter().map(|_| calls[random.usize(..calls.len())]).collect();
        percentile(&mut drawn, 0.95)
    };
    let mut ratios: Vec<f64> = (0..RESAMPLES).map(|_| resample(candidate) / resample(stable)).collect();
    let mut at = |quantile| percentile(&mut ratios, quantile);
    let (low, high) = (at(TAIL), at(1.0 - TAIL));
    [percentile(&mut candidate.to_vec(), 0.95) / percentile(&mut stable.to_vec(), 0.95), low, high]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(max_ratio: Option<f64>) -> LatencyGate {
        LatencyGate { p95: Duration::from_micros(1_000), max_ratio }
    }

    fn calls(mean: f64) -> Vec<f64> {
        let mut random = fastrand::Rng::with_seed(7);
        (0..400).map(|_| mean * (0.8 + 0.4 * random.f64())).collect()
    }

    #[test]
    fn the_bound_on_the_95th_percentile_holds_or_fails_the_gate() {
        assert!(judge(&gate(None), &calls(500.0), None).passed);
        assert!(!judge(&gate(None), &calls(1_500.0), None).passed);
        assert!(!judge(&gate(None), &[], None).passed);
    }

    #[test]
    fn noise_alone_does_not_fail_the_ratio_but_double_latency_does() {
        let (noise, twice) = (calls(501.0), calls(900.0));
        assert!(judge(&gate(Some(1.05)), &noise, Some(&calls(500.0))).passed);
        let verdict = judge(&gate(Some(1.05)), &twice, Some(&calls(450.0)));
        assert!(!verdict.passed && verdict.ratio.unwrap()[1] > 1.05, "{}", verdict.summary);
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        assert_eq!(percentile(&mut [3.0, 1.0, 2.0, 4.0], 0.5), 2.0);
        assert_eq!(percentile(&mut [3.0, 1.0, 2.0, 4.0], 0.95), 4.0);
    }
}
