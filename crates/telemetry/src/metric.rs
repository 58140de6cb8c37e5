//! One metric as a crate declares it.

/// Bucket bounds for times of requests and statements, in seconds: from what a cached answer takes to what nobody waits
/// for, about 2.5 per step, so that a quantile is off by at most that factor.
pub const SECONDS: &[f64] =
    &[0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A metric: what it is called and what it tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricDef {
    /// Its name in the exposition: `crosstie_…`, or Triton's `nv_inference_…`.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: MetricKind,
    /// What it tells, in one sentence.
    pub help: &'static str,
    /// What its numbers are.
    pub unit: Unit,
    /// The names of its labels, in the order in which values are given.
    pub labels: &'static [&'static str],
}

/// How a metric's numbers behave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations below each bound.
    Histogram(&'static [f64]),
}

/// What a metric's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Seconds.
    Seconds,
    /// Microseconds, where Triton's metrics are followed.
    Microseconds,
    /// Bytes.
    Bytes,
    /// A share from 0 to 1.
    Ratio,
}
