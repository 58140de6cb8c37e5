//! What a shadow showed: the candidate's answers to copies of live requests beside the answers that went out.
//!
//! A [`Summary`] is folded row by row where the copies are executed, and is small whatever their number, so it can be sent
//! whole each time and replaced; the summaries of several gateways add up. It also says *which feature* the differences go
//! along with. Where the primary tells the features it used (outputs `features.NAME`, as a legacy server may be declared
//! to), they are compared value by value. Otherwise, for a feature of few values, the share of differing rows by value
//! shows it. Both are associations, and are worded as such.

mod explanation;
mod features;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::Value;

use crate::histogram::Histogram;
use features::Features;

pub use features::{FeatureSummary, Mismatch, ValueCount};

/// The most that two scores may differ and count as the same: what single precision loses on its way through a model.
pub const TOLERANCE: f64 = 1e-6;
/// What an output is called that tells a feature which the primary used.
pub const FEATURE_PREFIX: &str = "features.";
/// Messages of failed copies that are kept.
const MOST_MESSAGES: usize = 5;

/// The outputs of one row, each with its elements.
pub type Row = Vec<(String, Vec<Value>)>;

/// One row as both answered it.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The features that the shadow used.
    pub features: Vec<(String, Value)>,
    /// What went out.
    pub primary: Row,
    /// What the shadow answered.
    pub shadow: Row,
    /// How long the primary took for the request.
    pub primary_latency: Duration,
    /// How long the shadow took.
    pub shadow_latency: Duration,
}

/// What was compared, and what came out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Rows that both answered.
    pub rows: u64,
    /// Of these, rows with a score that differs by more than [`TOLERANCE`], or another output that is not the same.
    pub differing: u64,
    /// Rows in which the two share no output, so that there was nothing to compare.
    pub incomparable: u64,
    /// The greatest difference of a score.
    pub max_difference: f64,
    /// The sum of the rows' greatest differences.
    pub sum_difference: f64,
    /// Copies that the shadow failed to answer.
    pub errors: u64,
    /// What it said, a few of them.
    pub messages: Vec<String>,
    /// How long the primary took.
    pub primary_latency: Histogram,
    /// How long the shadow took.
    pub shadow_latency: Histogram,
    features: Features,
}

impl Summary {
    /// Takes one row in.
    pub fn compare(&mut self, comparison: &Comparison) {
        self.primary_latency.record(comparison.primary_latency);
        self.shadow_latency.record(comparison.shadow_latency);
        self.rows += 1;
        let Some(apart) = difference(&comparison.primary, &comparison.shadow) else {
            self.incomparable += 1;
            return;
        };
        self.differing += u64::from(apart.differs);
        self.max_difference = self.max_difference.max(apart.score);
        self.sum_difference += apart.score;
        self.features.compare(comparison, apart);
    }

    /// Takes in a copy that the shadow did not answer.
    pub fn fail(&mut self, message: &str) {
        self.errors += 1;
        self.keep(message);
    }

    /// Takes in what another gateway compared.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.differing += other.differing;
        self.incomparable += other.incomparable;
        self.max_difference = self.max_difference.max(other.max_difference);
        self.sum_difference += other.sum_difference;
        self.errors += other.errors;
        other.messages.iter().for_each(|message| self.keep(message));
        self.primary_latency.merge(&other.primary_latency);
        self.shadow_latency.merge(&other.shadow_latency);
        self.features.merge(&other.features);
    }

    /// The mean over rows of their greatest difference.
    #[must_use]
    pub fn mean_difference(&self) -> f64 {
        let compared = self.rows.saturating_sub(self.incomparable);
        if compared == 0 { 0.0 } else { self.sum_difference / compared as f64 }
    }

    /// What is known by feature, the most explaining first.
    #[must_use]
    pub fn features(&self) -> Vec<FeatureSummary> {
        self.features.summaries()
    }

    /// What came out, in words: the whole first, then the most explaining feature.
    #[must_use]
    pub fn explanation(&self) -> Vec<String> {
        explanation::of(self)
    }

    fn keep(&mut self, message: &str) {
        if self.messages.len() < MOST_MESSAGES && !self.messages.iter().any(|kept| kept == message) {
            self.messages.push(message.to_owned());
        }
    }
}

/// How far two answers to one row are apart.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Apart {
    /// The greatest difference of a score. Labels are no scores, and what has no finite difference has none here.
    score: f64,
    /// Whether they differ at all: in a score by more than [`TOLERANCE`], or in anything else.
    differs: bool,
}

/// How far the outputs that both have are apart; `None` when they have no output in common.
fn difference(primary: &Row, shadow: &Row) -> Option<Apart> {
    let shared = primary.iter().filter(|(name, _)| !name.starts_with(FEATURE_PREFIX)).filter_map(|(name, ours)| {
        let (_, theirs) = shadow.iter().find(|(other, _)| other == name)?;
        Some((ours, theirs))
    });
    let apart = shared.map(|(one, other)| {
        let pairs = one.iter().zip(other).map(|(one, other)| {
            let distance = distance(one, other);
            let is_score = is_float(one) && is_float(other) && distance.is_finite();
            Apart { score: if is_score { distance } else { 0.0 }, differs: distance > TOLERANCE }
        });
        let longer = Apart { score: 0.0, differs: one.len() != other.len() };
        pairs.fold(longer, Apart::or)
    });
    apart.reduce(Apart::or)
}

impl Apart {
    fn or(self, other: Self) -> Self {
        Self { score: self.score.max(other.score), differs: self.differs || other.differs }
    }
}

const fn is_float(value: &Value) -> bool {
    matches!(value, Value::Float32(_) | Value::Float64(_))
}

/// How far two values are apart. Numbers of different types are compared as numbers.
fn distance(one: &Value, other: &Value) -> f64 {
    match (number(one), number(other)) {
        (Some(one), Some(other)) if one.is_finite() && other.is_finite() => (one - other).abs(),
        (Some(one), Some(other)) if one == other || (one.is_nan() && other.is_nan()) => 0.0,
        (None, None) if one.same(other) => 0.0,
        (Some(_) | None, Some(_) | None) => f64::INFINITY,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int32(value) => Some(f64::from(*value)),
        Value::Int64(value) => Some(*value as f64),
        Value::Float32(value) => Some(f64::from(*value)),
        Value::Float64(value) => Some(*value),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Timestamp(_) => None,
    }
}

#[cfg(test)]
mod tests;
