//! Parity: whether what the online rail answered is what the offline rail computes, value by value.
//!
//! A pure comparison. Whole numbers, text, truth values, times and nulls are equal or not; floats are equal bit for bit.
//! What the caller sent (request values, overrides) is not compared. A value that a producer pushed is held against the
//! offline row of the same entity and event time; where that has not landed, it is `ahead`: never counted as equal. A row
//! that both rails refuse is equal in all its values; one that only one of them refuses differs in those.

mod diagnosis;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::{Timestamp, Value};

use crate::{EntityRow, FeatureCell, FeatureRow, OfflineRow, Origin, ReadPlan};

pub use diagnosis::Diagnosis;

/// Differing rows that are shown, per feature: enough to see the pattern, few enough to read.
const SHOWN_PER_FEATURE: usize = 5;

/// A dimension by which differences are also counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Its name, such as `customer_id`.
    pub name: String,
    /// Its value for each row.
    pub values: Vec<Value>,
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'a> {
    /// What was read.
    pub plan: &'a ReadPlan,
    /// For whom.
    pub rows: &'a [EntityRow],
    /// What the online rail answered.
    pub online: &'a [FeatureRow],
    /// What the offline rail computes for the same rows.
    pub offline: &'a [OfflineRow],
    /// What the offline rail computes for a day before, to recognize values that stood still.
    pub day_before: Option<&'a [OfflineRow]>,
    /// Dimensions to count by.
    pub segments: &'a [Segment],
}

/// How two values differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// Both rails have a value, and they are not the same.
    Mismatch,
    /// Only offline has one.
    Missing,
    /// Only online has one.
    Extra,
    /// Online has the value of an older row than offline knew at the watermark.
    Stale,
}

/// How many values were compared, and with what result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Values that both rails could be asked for.
    pub compared: u64,
    /// See [`DifferenceKind::Mismatch`].
    pub mismatches: u64,
    /// See [`DifferenceKind::Missing`].
    pub missing: u64,
    /// See [`DifferenceKind::Extra`].
    pub extra: u64,
    /// See [`DifferenceKind::Stale`].
    pub stale: u64,
    /// Pushed values whose offline row has not landed; not among those compared.
    pub ahead: u64,
}

impl Counts {
    /// Values that differ in any way.
    #[must_use]
    pub const fn differences(&self) -> u64 {
        self.mismatches + self.missing + self.extra + self.stale
    }

    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Ahead => self.ahead += 1,
            Outcome::Equal => self.compared += 1,
            Outcome::Different(kind) => {
                self.compared += 1;
                match kind {
                    DifferenceKind::Mismatch => self.mismatches += 1,
                    DifferenceKind::Missing => self.missing += 1,
                    DifferenceKind::Extra => self.extra += 1,
                    DifferenceKind::Stale => self.stale += 1,
                }
            }
        }
    }
}

/// One rail's value, and where it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// The value, as plain JSON.
    pub value: serde_json::Value,
    /// When it became true.
    pub event_time: Option<Timestamp>,
    /// Where it came from.
    pub origin: Origin,
    /// The file, on the offline rail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

impl Side {
    fn of(cell: &FeatureCell) -> Self {
        Self {
            value: cell.value.to_json(),
            event_time: cell.event_time,
            origin: cell.origin,
            file: cell.file.as_deref().map(str::to_owned),
        }
    }
}

/// One value that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Which of the rows.
    pub row: usize,
    /// The entity: `user_id=7, item_id=3`.
    pub entity: String,
    /// `view:feature`.
    pub feature: String,
    /// How.
    pub kind: DifferenceKind,
    /// What was served.
    pub online: Side,
    /// What should have been.
    pub offline: Side,
}

/// One feature's part of a report.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FeatureParity {
    /// How many values.
    #[serde(flatten)]
    pub counts: Counts,
    /// What turns one rail's values into the other's, if a rule is known that does.
    pub diagnosis: Option<Diagnosis>,
}

/// The outcome of a comparison.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ParityReport {
    /// Rows asked for.
    pub rows: u64,
    /// Over all features.
    #[serde(flatten)]
    pub counts: Counts,
    /// By feature.
    pub by_feature: BTreeMap<String, FeatureParity>,
    /// By segment and its value.
    pub by_segment: BTreeMap<String, BTreeMap<String, Counts>>,
    /// The first values that differ, of each feature.
    pub first_differences: Vec<Difference>,
    /// That of the feature with the most differences.
    pub diagnosis: Option<Diagnosis>,
}

impl ParityReport {
    /// Whether nothing differs. Values that are ahead do not fail it, and do not prove it.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.counts.differences() == 0
    }
}

#[derive(Clone, Copy)]
enum Outcome {
    Equal,
    Ahead,
    Different(DifferenceKind),
}

/// Compares every feature of every row.
#[must_use]
pub fn compare(comparison: &Comparison<'_>) -> ParityReport {
    let Comparison { plan, rows, online, offline, .. } = *comparison;
    let mut report = ParityReport { rows: rows.len() as u64, ..ParityReport::default() };
    let mut worst = 0;
    for (feature, planned) in plan.features().iter().enumerate() {
        let name = planned.reference.to_string();
        let mut parity = FeatureParity::default();
        let mut differing = Vec::new();
        for (row, (online, offline)) in online.iter().zip(offline).enumerate() {
            let (cell, reference) = (&online.cells[feature], &offline.row.cells[feature]);
            if matches!(cell.origin, Origin::Request | Origin::Override) {
                continue;
            }
            let refused = online.refusal.is_some() && offline.row.refusal.is_some();
            let ahead = offline.ahead.get(feature).copied().unwrap_or(false);
            let outcome = if refused { Outcome::Equal } else { judge(cell, reference, ahead) };
            if let Outcome::Different(kind) = outcome {
                if differing.len() < SHOWN_PER_FEATURE {
                    report.first_differences.push(Difference {
                        row,
                        entity: entity(plan, &rows[row]),
                        feature: name.clone(),
                        kind,
                        online: Side::of(cell),
                        offline: Side::of(reference),
                    });
                }
                differing.push(row);
            }
            report.count(comparison.segments, row, outcome);
            parity.counts.add(outcome);
        }
        if !differing.is_empty() {
            parity.diagnosis = diagnosis::diagnose(comparison, feature, &differing);
        }
        if parity.counts.differences() > worst {
            worst = parity.counts.differences();
            report.diagnosis.clone_from(&parity.diagnosis);
        }
        report.by_feature.insert(name, parity);
    }
    report
}

impl ParityReport {
    fn count(&mut self, segments: &[Segment], row: usize, outcome: Outcome) {
        self.counts.add(outcome);
        for segment in segments {
            let Some(value) = segment.values.get(row) else { continue };
            let value = if let Value::String(text) = value { text.clone() } else { value.to_string() };
            let by_value = self.by_segment.entry(segment.name.clone()).or_default();
            by_value.entry(value).or_default().add(outcome);
        }
    }
}

fn judge(online: &FeatureCell, offline: &FeatureCell, ahead: bool) -> Outcome {
    if ahead {
        return Outcome::Ahead;
    }
    if online.value.same(&offline.value) {
        return Outcome::Equal;
    }
    let found = |cell: &FeatureCell| cell.origin.is_found() && !cell.value.is_null();
    let older = match (online.event_time, offline.event_time) {
        (Some(online_time), Some(offline_time)) => online_time < offline_time,
        (_, None) | (None, _) => false,
    };
    Outcome::Different(match (found(online), found(offline)) {
        (_, _) if older => DifferenceKind::Stale,
        (false, true) => DifferenceKind::Missing,
        (true, false) => DifferenceKind::Extra,
        (true, true) | (false, false) => DifferenceKind::Mismatch,
    })
}

fn entity(plan: &ReadPlan, row: &EntityRow) -> String {
    let parts = plan.entity_keys().iter().zip(&row.keys).map(|(key, value)| format!("{}={value}", key.name));
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
