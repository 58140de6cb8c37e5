//! What a canary may do, and what is said when it did more.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model_file::RollbackOn;

/// What a canary may do, from the model file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// How much more often than stable it may fail and count as no worse, as a fraction; `None`: not judged.
    pub errors: Option<f64>,
    /// The bound on its excess error rate, absolute, below which it may be promoted.
    pub max_excess: f64,
    /// How much more often it may be slow and count as no worse; `None`: not judged.
    pub latency: Option<f64>,
    /// The chance of rolling back a canary that is no worse, over the whole rollout and both metrics.
    pub false_rollback: f64,
}

impl Default for Limits {
    /// What holds for a rollout that declares none.
    fn default() -> Self {
        Self { errors: Some(0.10), max_excess: 0.01, latency: Some(0.20), false_rollback: 0.01 }
    }
}

impl Limits {
    /// The declared ones. Errors that are not watched still bound the promotion, at the default.
    #[must_use]
    pub fn of(declared: &RollbackOn) -> Self {
        let errors = declared.errors.as_ref();
        Self {
            errors: errors.map(|limit| limit.tolerance.fraction()),
            max_excess: errors.map_or(Self::default().max_excess, |limit| limit.max_excess.fraction()),
            latency: declared.latency.as_ref().map(|limit| limit.tolerance.fraction()),
            false_rollback: declared.false_rollback.fraction(),
        }
    }

    pub(super) fn tolerance(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Errors => self.errors,
            Metric::Latency => self.latency,
        }
    }

    /// What E must reach: `1/alpha`, the same for each metric, since the stakes share alpha out.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        1.0 / self.false_rollback
    }

    /// What E of a metric begins with. The stakes on the judged metrics make 1, so that the chance that any of them ever
    /// reaches the threshold is at most alpha.
    pub(super) fn stake(&self, metric: Metric) -> f64 {
        if self.tolerance(metric).is_none() {
            return 1.0;
        }
        let judged = Metric::ALL.into_iter().filter(|other| self.tolerance(*other).is_some());
        metric.weight() / judged.map(Metric::weight).sum::<f64>()
    }
}

/// What a canary can be worse in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Requests that fail.
    Errors,
    /// Answers slower than stable's frozen 95th percentile.
    Latency,
}

impl Metric {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Errors, Self::Latency];

    /// How much of alpha it gets, beside others. Errors are rare, and each is one caller without an answer; of the slow
    /// there are plenty, as stable has a twentieth by definition. So errors need less evidence.
    const fn weight(self) -> f64 {
        match self {
            Self::Errors => 2.0,
            Self::Latency => 1.0,
        }
    }

    /// The metric as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Latency => "latency",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why the canary goes back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alarm {
    /// What it is worse in.
    pub metric: Metric,
    /// The highest that E was.
    pub e_value: f64,
    /// What it had to reach.
    pub threshold: f64,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.metric {
            Metric::Errors => "fails",
            Metric::Latency => "is slow",
        };
        let Self { metric, e_value, threshold } = self;
        write!(f, "the canary {what} more often than stable: E of {metric} is ")?;
        if *e_value < 1e6 { write!(f, "{e_value:.0}") } else { write!(f, "{e_value:.0e}") }?;
        write!(f, ", and {threshold:.0} is enough")
    }
}
