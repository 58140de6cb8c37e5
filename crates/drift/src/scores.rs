//! Drift scores of two samples, as Evidently 0.7.23 computes them: the same bins, the same filling of empty ones, so that
//! a team that compares the two sees the same numbers.
//!
//! These are for whole samples side by side. Windows are judged on bins that were frozen with the reference, because bins
//! that move with the window make scores of two windows incomparable.

use std::collections::{BTreeMap, BTreeSet};

/// Numbers with more distinct values than this in the reference are binned; others are compared value by value.
const MOST_SINGLE_VALUES: usize = 20;
/// What an empty share becomes where its logarithm is needed, as long as that is below every other share.
const FILLED: f64 = 0.0001;
/// Otherwise the smallest share divided by this.
const FILLED_BELOW: f64 = 1e6;
/// The least spread that a distance is divided by.
const LEAST_SPREAD: f64 = 0.001;

/// One column of a sample, without nulls and non-finite numbers.
#[derive(Debug, Clone, Copy)]
pub enum Column<'a> {
    /// Numbers. Bins of whole numbers are never narrower than one.
    Numbers {
        /// The values.
        values: &'a [f64],
        /// Whether the column holds whole numbers by type.
        whole: bool,
    },
    /// Categories.
    Categories(&'a [&'a str]),
}

/// Population stability index. `None` if a side is empty or the sides are of different types.
#[must_use]
pub fn population_stability(reference: Column<'_>, current: Column<'_>) -> Option<f64> {
    let (mut reference, mut current) = shares(reference, current)?;
    fill(&mut reference);
    fill(&mut current);
    Some(reference.iter().zip(&current).map(|(r, c)| (r - c) * (r / c).ln()).sum())
}

/// Jensen-Shannon distance (natural logarithm, the root of the divergence). `None` as for [`population_stability`].
#[must_use]
pub fn jensen_shannon(reference: Column<'_>, current: Column<'_>) -> Option<f64> {
    let (reference, current) = shares(reference, current)?;
    Some(jensen_shannon_of(&reference, &current))
}

/// Kullback-Leibler divergence of the reference from the current sample. `None` as for [`population_stability`].
#[must_use]
pub fn kullback_leibler(reference: Column<'_>, current: Column<'_>) -> Option<f64> {
    let (mut reference, mut current) = shares(reference, current)?;
    fill(&mut reference);
    fill(&mut current);
    Some(relative_entropy(&normalized(&reference), &normalized(&current)))
}

/// Hellinger distance. `None` as for [`population_stability`].
#[must_use]
pub fn hellinger(reference: Column<'_>, current: Column<'_>) -> Option<f64> {
    let overlap: f64 = match (reference, current) {
        (Column::Categories(_), Column::Categories(_)) => {
            let (reference, current) = shares(reference, current)?;
            reference.iter().zip(&current).map(|(r, c)| (r * c).sqrt()).sum()
        }
        (Column::Numbers { values: reference, whole }, Column::Numbers { values: current, .. }) => {
            if reference.is_empty() || current.is_empty() {
                return None;
            }
            let mut distinct = [reference, current].concat();
            distinct.sort_by(f64::total_cmp);
            distinct.dedup();
            let edges = sturges(&distinct, whole);
            let width = (edges[edges.len() - 1] - edges[0]) / (edges.len() - 1) as f64;
            let (reference, current) = (density(reference, &edges), density(current, &edges));
            reference.iter().zip(&current).map(|(r, c)| (r * c).sqrt() * width).sum()
        }
        (Column::Categories(_), Column::Numbers { .. }) | (Column::Numbers { .. }, Column::Categories(_)) => {
            return None;
        }
    };
    Some((1.0 - overlap.clamp(0.0, 1.0)).sqrt())
}

/// First Wasserstein distance in standard deviations of the reference. `None` if a side is empty.
#[must_use]
pub fn wasserstein(reference: &[f64], current: &[f64]) -> Option<f64> {
    if reference.is_empty() || current.is_empty() {
        return None;
    }
    let (reference, current) = (sorted(reference), sorted(current));
    let mut all = [reference.as_slice(), current.as_slice()].concat();
    all.sort_by(f64::total_cmp);
    let distance: f64 = all
        .windows(2)
        .map(|pair| {
            let below = |values: &[f64]| values.partition_point(|value| *value <= pair[0]) as f64 / values.len() as f64;
            (below(&reference) - below(&current)).abs() * (pair[1] - pair[0])
        })
        .sum();
    let count = reference.len() as f64;
    let mean = reference.iter().sum::<f64>() / count;
    let spread = (reference.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    Some(distance / spread.max(LEAST_SPREAD))
}

/// The statistic of Kolmogorov and Smirnov: the largest difference of the two distribution functions. `None` if a side
/// is empty.
#[must_use]
pub fn kolmogorov_smirnov(reference: &[f64], current: &[f64]) -> Option<f64> {
    if reference.is_empty() || current.is_empty() {
        return None;
    }
    let (reference, current) = (sorted(reference), sorted(current));
    let below = |values: &[f64], at: f64| values.partition_point(|value| *value <= at) as f64 / values.len() as f64;
    let differences = reference.iter().chain(&current).map(|at| (below(&reference, *at) - below(&current, *at)).abs());
    differences.max_by(f64::total_cmp)
}

/// Jensen-Shannon distance of shares over the same bins, which need not sum to one.
#[must_use]
pub fn jensen_shannon_of(reference: &[f64], current: &[f64]) -> f64 {
    let (reference, current) = (normalized(reference), normalized(current));
    let middle: Vec<f64> = reference.iter().zip(&current).map(|(r, c)| f64::midpoint(*r, *c)).collect();
    let divergence = f64::midpoint(relative_entropy(&reference, &middle), relative_entropy(&current, &middle));
    divergence.max(0.0).sqrt()
}

/// The share of each bin on both sides.
fn shares(reference: Column<'_>, current: Column<'_>) -> Option<(Vec<f64>, Vec<f64>)> {
    match (reference, current) {
        (Column::Categories(reference), Column::Categories(current)) => shares_by_value(reference, current),
        (Column::Numbers { values: reference, whole }, Column::Numbers { values: current, .. }) => {
            let distinct: BTreeSet<u64> = reference.iter().map(|value| bits(*value)).collect();
            if distinct.len() <= MOST_SINGLE_VALUES {
                let of = |values: &[f64]| values.iter().map(|value| bits(*value)).collect::<Vec<_>>();
                return shares_by_value(&of(reference), &of(current));
            }
            if current.is_empty() {
                return None;
            }
            let edges = sturges(&[reference, current].concat(), whole);
            let of = |values: &[f64]| {
                histogram(values, &edges).iter().map(|count| count / values.len() as f64).collect::<Vec<_>>()
            };
            Some((of(reference), of(current)))
        }
        (Column::Categories(_), Column::Numbers { .. }) | (Column::Numbers { .. }, Column::Categories(_)) => None,
    }
}

/// Zero and minus zero are one value.
fn bits(value: f64) -> u64 {
    (value + 0.0).to_bits()
}

fn shares_by_value<T: Ord + Copy>(reference: &[T], current: &[T]) -> Option<(Vec<f64>, Vec<f64>)> {
    if reference.is_empty() || current.is_empty() {
        return None;
    }
    let mut counts: BTreeMap<T, [f64; 2]> = BTreeMap::new();
    for value in reference {
        counts.entry(*value).or_default()[0] += 1.0;
    }
    for value in current {
        counts.entry(*value).or_default()[1] += 1.0;
    }
    let of = |side: usize, rows: usize| counts.values().map(|count| count[side] / rows as f64).collect();
    Some((of(0, reference.len()), of(1, current.len())))
}

/// Edges of equal width by the rule of Sturges, as numpy makes them.
fn sturges(values: &[f64], whole: bool) -> Vec<f64> {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if least >= most {
        return vec![least - 0.5, least + 0.5];
    }
    let mut width = (most - least) / ((values.len() as f64).log2() + 1.0);
    if whole && width < 1.0 {
        width = 1.0;
    }
    let bins = ((most - least) / width).ceil().max(1.0);
    let step = (most - least) / bins;
    let mut edges: Vec<f64> = (0..bins as usize).map(|bin| bin as f64 * step + least).collect();
    edges.push(most);
    edges
}

/// How many values lie in each bin; the last includes its upper edge.
fn histogram(values: &[f64], edges: &[f64]) -> Vec<f64> {
    let bins = edges.len() - 1;
    let mut counts = vec![0.0; bins];
    for value in values {
        let bin = edges.partition_point(|edge| edge <= value).saturating_sub(1);
        counts[bin.min(bins - 1)] += 1.0;
    }
    counts
}

fn density(values: &[f64], edges: &[f64]) -> Vec<f64> {
    let widths = edges.windows(2).map(|edge| edge[1] - edge[0]);
    histogram(values, edges).iter().zip(widths).map(|(count, width)| count / width / values.len() as f64).collect()
}

fn fill(shares: &mut [f64]) {
    let least = shares.iter().copied().filter(|share| *share > 0.0).fold(f64::INFINITY, f64::min);
    let filled = if least <= FILLED { least / FILLED_BELOW } else { FILLED };
    for share in shares.iter_mut().filter(|share| **share == 0.0) {
        *share = filled;
    }
}

fn normalized(shares: &[f64]) -> Vec<f64> {
    let sum: f64 = shares.iter().sum();
    shares.iter().map(|share| share / sum).collect()
}

fn relative_entropy(of: &[f64], from: &[f64]) -> f64 {
    of.iter().zip(from).filter(|(of, _)| **of > 0.0).map(|(of, from)| of * (of / from).ln()).sum()
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}
