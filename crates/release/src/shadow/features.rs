//! By feature: how often the two used different values, or how often rows with one value came out different.
//!
//! Both tables are bounded. A feature of more values than fit is one that a table of values cannot explain, and is dropped
//! from it; pairs of values that no longer fit still count as mismatches.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::Value;

use super::{Apart, Comparison, FEATURE_PREFIX, distance};

/// Values of a feature that are counted apart: the countries of a customer base, the hours of a day.
const MOST_VALUES: usize = 48;
/// Pairs of values of a feature that are counted apart.
const MOST_PAIRS: usize = 48;
/// A value in a table, at most this many letters.
const LONGEST_VALUE: usize = 60;
/// How far two told values may differ and count as the same, relative to the larger.
const TOLERANCE: f64 = 1e-6;

/// One feature beside the differences of the answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureSummary {
    /// Its name.
    pub feature: String,
    /// From 0, which is no association with the differences, to 1: the answers differ exactly where the feature does, or
    /// its value says whether they differ.
    pub explains: f64,
    /// Where every answer differs since the models do, this still tells: what the scores differ by where the feature
    /// differs, beyond what they do elsewhere, as a share of all their differences.
    #[serde(default)]
    pub follows: f64,
    /// How far the scores are apart on average where the feature differs, and elsewhere.
    #[serde(default)]
    pub apart: Option<(f64, f64)>,
    /// Rows in which the primary told its value and it was another one; none where it tells nothing.
    pub mismatches: Option<u64>,
    /// The commonest of these, the commonest first.
    pub pairs: Vec<Mismatch>,
    /// Rows and differing rows by value, the value with the greatest share of differing rows first.
    pub values: Vec<ValueCount>,
}

/// The primary used one value where the shadow used another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    /// What the primary used.
    pub primary: String,
    /// What the shadow used.
    pub shadow: String,
    /// In how many rows.
    pub rows: u64,
}

/// How rows with one value came out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueCount {
    /// The value.
    pub value: String,
    /// Rows with it.
    pub rows: u64,
    /// Of these, rows whose answers differ.
    pub differing: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Features {
    told: BTreeMap<String, Told>,
    by_value: BTreeMap<String, Values>,
}

/// A feature that the primary tells.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Told {
    rows: u64,
    mismatches: u64,
    differing: u64,
    /// Rows in which both the feature and the answers differ.
    both: u64,
    /// The scores' differences, and those of rows in which the feature differs.
    #[serde(default)]
    apart: f64,
    #[serde(default)]
    apart_where_mismatched: f64,
    pairs: Vec<Mismatch>,
}

/// Rows and differing rows by value; `None` once there were too many values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Values(Option<BTreeMap<String, (u64, u64)>>);

impl Features {
    pub(super) fn compare(&mut self, comparison: &Comparison, apart: Apart) {
        for (feature, ours) in &comparison.features {
            let input = feature.rsplit_once(':').map_or(feature.as_str(), |(_, input)| input);
            let told = comparison.primary.iter().find_map(|(name, values)| {
                name.strip_prefix(FEATURE_PREFIX).filter(|name| *name == feature || *name == input)?;
                values.first()
            });
            match told {
                Some(theirs) => self.told.entry(feature.clone()).or_default().compare(theirs, ours, apart),
                None => {
                    let values = self.by_value.entry(feature.clone());
                    values.or_insert_with(|| Values(Some(BTreeMap::new()))).count(
                        &shown(ours),
                        1,
                        u64::from(apart.differs),
                    );
                }
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (feature, told) in &other.told {
            self.told.entry(feature.clone()).or_default().merge(told);
        }
        for (feature, theirs) in &other.by_value {
            let ours = self.by_value.entry(feature.clone()).or_insert_with(|| Values(Some(BTreeMap::new())));
            match &theirs.0 {
                Some(counts) => {
                    counts.iter().for_each(|(value, (rows, differing))| ours.count(value, *rows, *differing))
                }
                None => ours.0 = None,
            }
        }
    }

    pub(super) fn summaries(&self) -> Vec<FeatureSummary> {
        let told = self.told.iter().map(|(feature, told)| FeatureSummary {
            feature: feature.clone(),
            explains: told.explains(),
            follows: told.follows(),
            apart: told.means(),
            mismatches: Some(told.mismatches),
            pairs: told.commonest(),
            values: Vec::new(),
        });
        let by_value = self.by_value.iter().filter_map(|(feature, values)| {
            let counts = values.0.as_ref()?;
            let mut rows: Vec<_> = counts
                .iter()
                .map(|(value, (rows, differing))| ValueCount {
                    value: value.clone(),
                    rows: *rows,
                    differing: *differing,
                })
                .collect();
            rows.sort_by(|a, b| share(b.differing, b.rows).total_cmp(&share(a.differing, a.rows)));
            let explains = explained(&rows);
            Some(FeatureSummary {
                feature: feature.clone(),
                explains,
                follows: 0.0,
                apart: None,
                mismatches: None,
                pairs: Vec::new(),
                values: rows,
            })
        });
        let mut all: Vec<_> = told.chain(by_value).collect();
        all.sort_by(|a, b| b.explains.total_cmp(&a.explains).then(b.follows.total_cmp(&a.follows)));
        all
    }
}

impl Told {
    fn compare(&mut self, theirs: &Value, ours: &Value, apart: Apart) {
        let mismatches = !is_same(theirs, ours);
        self.rows += 1;
        self.differing += u64::from(apart.differs);
        self.apart += apart.score;
        if mismatches {
            self.mismatches += 1;
            self.both += u64::from(apart.differs);
            self.apart_where_mismatched += apart.score;
            self.pair(&shown(theirs), &shown(ours), 1);
        }
    }

    fn pair(&mut self, primary: &str, shadow: &str, rows: u64) {
        if let Some(pair) = self.pairs.iter_mut().find(|pair| pair.primary == primary && pair.shadow == shadow) {
            pair.rows += rows;
        } else if self.pairs.len() < MOST_PAIRS {
            self.pairs.push(Mismatch { primary: primary.to_owned(), shadow: shadow.to_owned(), rows });
        }
    }

    fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.mismatches += other.mismatches;
        self.differing += other.differing;
        self.both += other.both;
        self.apart += other.apart;
        self.apart_where_mismatched += other.apart_where_mismatched;
        other.pairs.iter().for_each(|pair| self.pair(&pair.primary, &pair.shadow, pair.rows));
    }

    fn commonest(&self) -> Vec<Mismatch> {
        let mut pairs = self.pairs.clone();
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.rows));
        pairs
    }

    /// How much more often the answers differ where the feature does.
    fn explains(&self) -> f64 {
        let elsewhere = share(self.differing - self.both, self.rows - self.mismatches);
        (share(self.both, self.mismatches) - elsewhere).max(0.0)
    }

    /// How far the scores are apart where the feature differs, and elsewhere; unknown without rows of both.
    fn means(&self) -> Option<(f64, f64)> {
        let others = self.rows - self.mismatches;
        let known = self.mismatches > 0 && others > 0;
        let (there, elsewhere) = (self.apart_where_mismatched, self.apart - self.apart_where_mismatched);
        known.then(|| (there / self.mismatches as f64, elsewhere / others as f64))
    }

    /// What the scores differ by where the feature differs, beyond what they do elsewhere, as a share of all differences.
    /// It weighs rows: a few that are far apart by chance come to little.
    fn follows(&self) -> f64 {
        let Some((there, elsewhere)) = self.means().filter(|(there, elsewhere)| there > elsewhere) else { return 0.0 };
        (there - elsewhere) * self.mismatches as f64 / self.apart
    }
}

impl Values {
    fn count(&mut self, value: &str, rows: u64, differing: u64) {
        let Some(counts) = &mut self.0 else { return };
        if counts.len() >= MOST_VALUES && !counts.contains_key(value) {
            self.0 = None;
            return;
        }
        let counted = counts.entry(value.to_owned()).or_default();
        counted.0 += rows;
        counted.1 += differing;
    }
}

/// The share of the variance of "differs" that lies between the values (correlation ratio).
fn explained(values: &[ValueCount]) -> f64 {
    let rows: u64 = values.iter().map(|value| value.rows).sum();
    let all = share(values.iter().map(|value| value.differing).sum(), rows);
    let between: f64 =
        values.iter().map(|value| value.rows as f64 * (share(value.differing, value.rows) - all).powi(2)).sum();
    let variance = rows as f64 * all * (1.0 - all);
    if variance > 0.0 { between / variance } else { 0.0 }
}

pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Equality of two values that came by different ways: numbers count as numbers.
fn is_same(one: &Value, other: &Value) -> bool {
    let apart = distance(one, other);
    let size = [one, other].into_iter().filter_map(super::number).map(f64::abs).fold(1.0, f64::max);
    apart <= TOLERANCE * size
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= LONGEST_VALUE { text } else { text.chars().take(LONGEST_VALUE).chain(['…']).collect() }
}
