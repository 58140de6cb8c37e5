//! The quality gate's decision: metrics over labels and scores, and the bounds that a team declared on them.
//!
//! Pure functions over columns. Where scores come from (the candidate and stable, rescored on the same rows) is the
//! caller's business.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{MetricBound, QualityMetric};

/// Probabilities are kept this far from 0 and 1 in the log loss, so that one certain mistake stays finite (the
/// convention of scikit-learn at double precision).
const CLIP: f64 = f64::EPSILON;

/// One metric, measured and judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The metric.
    pub metric: QualityMetric,
    /// The candidate's; `None` where the rows do not define it (an AUC needs both classes).
    pub candidate: Option<f64>,
    /// Stable's on the same rows, if there is a stable version.
    pub stable: Option<f64>,
    /// What was declared.
    pub bound: MetricBound,
    /// Whether it holds.
    pub passed: bool,
    /// For people, with the numbers that decided.
    pub summary: String,
}

/// Judges the candidate's scores (and stable's, on the same rows) by the declared bounds.
#[must_use]
pub fn judge(
    bounds: &BTreeMap<QualityMetric, MetricBound>,
    labels: &[f64],
    candidate: &[f64],
    stable: Option<&[f64]>,
) -> Vec<Verdict> {
    let one = |(metric, bound): (&QualityMetric, &MetricBound)| {
        let measured = measure(*metric, labels, candidate);
        let beside = stable.and_then(|scores| measure(*metric, labels, scores));
        verdict(*metric, *bound, measured, beside)
    };
    bounds.iter().map(one).collect()
}

fn verdict(metric: QualityMetric, bound: MetricBound, candidate: Option<f64>, stable: Option<f64>) -> Verdict {
    let name = metric.as_str();
    let Some(value) = candidate else {
        let summary = format!("{name} is not defined on these rows");
        return Verdict { metric, candidate, stable, bound, passed: false, summary };
    };
    let mut broken = Vec::new();
    let mut check = |what: &str, number: f64, min: Option<f64>, max: Option<f64>| {
        if let Some(min) = min.filter(|min| number < *min) {
            broken.push(format!("{what} {number:.4} is below {min}"));
        }
        if let Some(max) = max.filter(|max| number > *max) {
            broken.push(format!("{what} {number:.4} is above {max}"));
        }
    };
    check(name, value, bound.min, bound.max);
    if let Some(stable) = stable {
        check(&format!("{name} minus stable's"), value - stable, bound.min_delta, bound.max_delta);
    }
    let beside = stable.map_or(String::new(), |stable| format!(" (stable {stable:.4})"));
    let passed = broken.is_empty();
    let summary = if passed { format!("{name} {value:.4}{beside}") } else { broken.join("; ") + &beside };
    Verdict { metric, candidate, stable, bound, passed, summary }
}

/// The metric of `scores` against `labels` (for classifiers 0 or 1 against a probability). `None` when it is not defined:
/// no rows, or for AUC only one class; also when a label or score is not a number.
///
/// # Panics
/// When there are not as many scores as labels.
#[must_use]
pub fn measure(metric: QualityMetric, labels: &[f64], scores: &[f64]) -> Option<f64> {
    assert_eq!(labels.len(), scores.len(), "one score for each label");
    if labels.is_empty() || labels.iter().chain(scores).any(|number| number.is_nan()) {
        return None;
    }
    let mean = |of: fn(f64, f64) -> f64| {
        labels.iter().zip(scores).map(|(label, score)| of(*label, *score)).sum::<f64>() / labels.len() as f64
    };
    match metric {
        QualityMetric::Auc => auc(labels, scores),
        QualityMetric::Accuracy => Some(mean(|label, score| f64::from(u8::from((score >= 0.5) == (label >= 0.5))))),
        QualityMetric::Logloss => Some(mean(|label, score| {
            let p = score.clamp(CLIP, 1.0 - CLIP);
            -(label * p.ln() + (1.0 - label) * (1.0 - p).ln())
        })),
        QualityMetric::Brier => Some(mean(|label, score| (score - label).powi(2))),
        QualityMetric::Rmse => Some(mean(|label, score| (score - label).powi(2)).sqrt()),
        QualityMetric::Mae => Some(mean(|label, score| (score - label).abs())),
    }
}

/// The Mann–Whitney statistic over mid-ranks, divided by the number of pairs (Hanley & McNeil, Radiology 1982): ties
/// count one half.
fn auc(labels: &[f64], scores: &[f64]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let positives = labels.iter().filter(|label| **label >= 0.5).count() as f64;
    let negatives = labels.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let mut rank_sum = 0.0;
    let mut start = 0;
    while start < order.len() {
        let tied = order[start..].iter().take_while(|row| scores[**row] == scores[order[start]]).count();
        let mid_rank = start as f64 + (tied as f64 + 1.0) / 2.0;
        let positives_here = order[start..start + tied].iter().filter(|row| labels[**row] >= 0.5).count() as f64;
        rank_sum += mid_rank * positives_here;
        start += tied;
    }
    Some((rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values computed by hand from the definitions.
    #[test]
    fn metrics_follow_their_definitions() {
        let (labels, scores) = ([0.0, 0.0, 1.0, 1.0], [0.1, 0.4, 0.35, 0.8]);
        let close = |metric, expected: f64| {
            let measured = measure(metric, &labels, &scores).unwrap();
            assert!((measured - expected).abs() < 1e-12, "{metric:?}: {measured} is not {expected}");
        };
        close(QualityMetric::Auc, 0.75);
        close(QualityMetric::Accuracy, 0.75);
        close(QualityMetric::Brier, (0.01 + 0.16 + 0.4225 + 0.04) / 4.0);
        close(QualityMetric::Mae, (0.1 + 0.4 + 0.65 + 0.2) / 4.0);
        close(QualityMetric::Logloss, -(0.9_f64.ln() + 0.6_f64.ln() + 0.35_f64.ln() + 0.8_f64.ln()) / 4.0);
    }

    #[test]
    fn tied_scores_count_one_half() {
        assert_eq!(measure(QualityMetric::Auc, &[0.0, 1.0, 0.0, 1.0], &[0.5; 4]), Some(0.5));
    }

    #[test]
    fn auc_of_one_class_fails_the_gate_rather_than_passing_it() {
        let bounds = BTreeMap::from([(QualityMetric::Auc, MetricBound { min: Some(0.0), ..MetricBound::default() })]);
        assert!(!judge(&bounds, &[1.0, 1.0], &[0.2, 0.3], None)[0].passed);
        assert!(!judge(&bounds, &[1.0, 0.0], &[f64::NAN, 0.3], None)[0].passed);
    }

    #[test]
    fn deltas_bind_only_beside_a_stable_version() {
        let bound = MetricBound { min: Some(0.5), min_delta: Some(-0.005), ..MetricBound::default() };
        let bounds = BTreeMap::from([(QualityMetric::Auc, bound)]);
        let (labels, worse, better) = ([0.0, 0.0, 1.0, 1.0], [0.1, 0.4, 0.35, 0.8], [0.1, 0.2, 0.3, 0.4]);
        assert!(judge(&bounds, &labels, &worse, None)[0].passed);
        let beside = &judge(&bounds, &labels, &worse, Some(&better))[0];
        assert!(!beside.passed && beside.summary.contains("below -0.005"), "{}", beside.summary);
    }
}
