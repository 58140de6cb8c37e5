//! How long answers took, as counts by class: a quantile is then known to within a class, whatever the number of answers.
//!
//! A class is named by its upper end, so histograms of different makers add up without sharing a table of classes. The
//! classes made here are 3 % wide, which is finer than any decision that is taken on them.

use std::{collections::BTreeMap, time};

use serde::{Deserialize, Serialize};
use types::Duration;

/// The width of a class, as the ratio of its ends.
const WIDTH: f64 = 1.03;
/// The shortest upper end, microseconds. Nothing that is served is faster.
const SHORTEST: f64 = 10.0;

/// Counts of durations by class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram(BTreeMap<u64, u64>);

impl Histogram {
    /// Counts one duration in the class that holds it.
    pub fn record(&mut self, took: time::Duration) {
        let micros = took.as_secs_f64() * 1e6;
        let class = ((micros / SHORTEST).ln() / WIDTH.ln()).ceil().max(0.0);
        self.add((SHORTEST * WIDTH.powf(class)).round() as u64, 1);
    }

    /// Counts `count` durations of at most `upper` microseconds.
    pub fn add(&mut self, upper: u64, count: u64) {
        if count > 0 {
            *self.0.entry(upper).or_default() += count;
        }
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: &Self) {
        for (upper, count) in &other.0 {
            self.add(*upper, *count);
        }
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The upper end of the class that holds the nearest-rank quantile; `None` of nothing.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let rank = ((self.count() as f64 * quantile).ceil() as u64).max(1);
        let mut below = 0;
        let holding = self.0.iter().find(|(_, count)| {
            below += **count;
            below >= rank
        });
        holding.map(|(upper, _)| Duration::from_micros(i64::try_from(*upper).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_at_most_three_percent_too_high() {
        let mut histogram = Histogram::default();
        for millis in 1..=1_000 {
            histogram.record(time::Duration::from_millis(millis));
        }
        let p95 = histogram.quantile(0.95).unwrap().as_micros();
        assert!((950_000..=978_500).contains(&p95), "{p95}");
        assert_eq!(histogram.count(), 1_000);
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn histograms_add_up_and_survive_json() {
        let mut one = Histogram::default();
        one.add(100, 3);
        let mut other = Histogram::default();
        other.add(200, 1);
        other.add(100, 1);
        one.merge(&other);
        assert_eq!(
            (one.count(), one.quantile(0.8), one.quantile(0.81)),
            (5, Some(Duration::from_micros(100)), Some(Duration::from_micros(200)))
        );
        let json = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Histogram>(&json).unwrap(), one);
    }
}
