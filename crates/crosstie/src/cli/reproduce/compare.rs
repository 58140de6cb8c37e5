//! Metric by metric: exactly the same, the same within a tolerance, or not. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use types::ModelVersion;

use crate::cli::output::table;

/// When two numbers count as the same.
#[derive(Debug, Clone)]
pub(super) struct Tolerance {
    /// The largest difference, as a share of the larger number.
    pub(super) share: f64,
    /// Metrics that are no results; `name*` for all that begin so.
    pub(super) ignored: Vec<String>,
}

/// How one metric came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// Bit by bit the same.
    Exact,
    /// The same within the tolerance.
    WithinTolerance,
    /// Another number.
    Different,
    /// Recorded, and not made again.
    Absent,
    /// Made, and not recorded.
    New,
    /// Not looked at.
    Ignored,
}

impl Outcome {
    const fn is_same(self) -> bool {
        match self {
            Self::Exact | Self::WithinTolerance | Self::Ignored => true,
            Self::Different | Self::Absent | Self::New => false,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::WithinTolerance => "within tolerance",
            Self::Different => "DIFFERENT",
            Self::Absent => "NOT MADE AGAIN",
            Self::New => "NOT RECORDED",
            Self::Ignored => "ignored",
        }
    }
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) recorded: Option<f64>,
    pub(super) made: Option<f64>,
    pub(super) outcome: Outcome,
}

/// All metrics, by name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Comparison {
    pub(super) metrics: Vec<Metric>,
}

/// Compares what was recorded with what was made.
pub(super) fn compare(
    recorded: &BTreeMap<String, f64>,
    made: &BTreeMap<String, f64>,
    tolerance: &Tolerance,
) -> Comparison {
    let names: BTreeSet<&String> = recorded.keys().chain(made.keys()).collect();
    let metric = |name: &&String| {
        let (recorded, made) = (recorded.get(*name).copied(), made.get(*name).copied());
        let outcome = match (recorded, made) {
            _ if tolerance.ignores(name) => Outcome::Ignored,
            (Some(recorded), Some(made)) if recorded.to_bits() == made.to_bits() => Outcome::Exact,
            (Some(recorded), Some(made)) if tolerance.allows(recorded, made) => Outcome::WithinTolerance,
            (Some(_), Some(_)) => Outcome::Different,
            (Some(_), None) => Outcome::Absent,
            (None, _) => Outcome::New,
        };
        Metric { name: (*name).clone(), recorded, made, outcome }
    };
    Comparison { metrics: names.iter().map(metric).collect() }
}

impl Tolerance {
    fn ignores(&self, name: &str) -> bool {
        self.ignored.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == pattern,
        })
    }

    fn allows(&self, recorded: f64, made: f64) -> bool {
        (recorded - made).abs() <= self.share * recorded.abs().max(made.abs())
    }
}

impl Comparison {
    /// Whether everything that was recorded came out again, and nothing else. A run without metrics shows nothing.
    pub(super) fn is_same(&self) -> bool {
        self.metrics.iter().any(|metric| metric.outcome != Outcome::Ignored)
            && self.metrics.iter().all(|metric| metric.outcome.is_same())
    }

    /// For people.
    pub(super) fn render(&self, version: &ModelVersion) -> String {
        let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| value.to_string());
        let rows = self.metrics.iter().map(|metric| {
            [metric.name.clone(), number(metric.recorded), number(metric.made), metric.outcome.as_str().to_owned()]
        });
        let shown = table(["METRIC", "RECORDED", "MADE AGAIN", ""], rows);
        let differ = self.metrics.iter().filter(|metric| !metric.outcome.is_same()).count();
        let verdict = match (self.is_same(), differ) {
            (true, _) => format!("{version} is reproduced: {} metric(s) came out the same", self.metrics.len()),
            (false, 0) => format!("{version} has no metric that could be compared"),
            (false, _) => format!("{version} is NOT reproduced: {differ} of {} metric(s) differ", self.metrics.len()),
        };
        format!("{shown}\n{verdict}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(pairs: &[(&str, f64)]) -> BTreeMap<String, f64> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn each_metric_is_exact_close_or_different_and_one_difference_counts() {
        let tolerance = Tolerance { share: 1e-6, ignored: vec!["seconds_*".to_owned()] };
        let recorded = metrics(&[("auc", 0.8), ("loss", 1.0), ("gone", 1.0), ("seconds_fit", 3.0)]);
        let made = metrics(&[("auc", 0.8), ("loss", 1.000_000_1), ("more", 1.0), ("seconds_fit", 4.0)]);
        let compared = compare(&recorded, &made, &tolerance);
        let outcomes: Vec<_> = compared.metrics.iter().map(|metric| (metric.name.as_str(), metric.outcome)).collect();
        assert_eq!(
            outcomes,
            [
                ("auc", Outcome::Exact),
                ("gone", Outcome::Absent),
                ("loss", Outcome::WithinTolerance),
                ("more", Outcome::New),
                ("seconds_fit", Outcome::Ignored),
            ]
        );
        assert!(!compared.is_same());
        assert!(compare(&metrics(&[("a", 1.0)]), &metrics(&[("a", 1.0)]), &tolerance).is_same());
        assert!(!compare(&metrics(&[("a", 1.0)]), &metrics(&[("a", 1.1)]), &tolerance).is_same());
        assert!(!compare(&metrics(&[]), &metrics(&[]), &tolerance).is_same(), "nothing is no evidence");
    }
}
