//! What was done to the values: rules that turn the offline value into the online one, and the share of the differing
//! rows that each explains.
//!
//! A rule either explains a row or does not; the one that explains most is told, if it explains at least half. Rules
//! that a few rows satisfy by accident (a constant, a factor) need several rows. Of rules that explain equally many the
//! more particular one, which stands first, is told.

use serde::{Deserialize, Serialize};
use types::{Timestamp, Value};

use super::Comparison;
use crate::FeatureCell;

/// Below this share a rule is as likely an accident.
const LEAST_SHARE: f64 = 0.5;
/// Rows that a rule with a free constant needs: two always fit some constant more or less.
const LEAST_ROWS: usize = 3;
const QUARTER_HOUR: i64 = 15 * 60_000_000;
/// Offsets from UTC lie between -12 and +14 hours.
const WIDEST_OFFSET: i64 = 14 * 3_600_000_000;

/// A rule that fits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// `view:feature`.
    pub feature: String,
    /// Which rule: `lower`, `upper`, `trim`, …
    pub rule: String,
    /// For people: `lower(offline) = online in 100.0 % of the differing rows`.
    pub text: String,
    /// What to look for.
    pub mend: String,
    /// The share of the differing rows that it explains, from 0 to 1.
    pub share: f64,
}

/// A differing value, from both rails.
#[derive(Clone, Copy)]
struct Pair<'a> {
    online: &'a FeatureCell,
    offline: &'a FeatureCell,
    day_before: Option<&'a FeatureCell>,
}

/// A rule that knows for itself whether it explains a pair.
struct Rule {
    name: &'static str,
    says: &'static str,
    mend: &'static str,
    explains: fn(Pair<'_>) -> bool,
}

const RULES: &[Rule] = &[
    Rule {
        name: "null_to_zero",
        says: "online is zero or empty where offline is null",
        mend: "the producer fills missing values; send null and declare a default",
        explains: |pair| pair.offline.value.is_null() && is_zero(&pair.online.value),
    },
    Rule {
        name: "value_to_null",
        says: "online is null where offline has a value",
        mend: "the producer drops values, or the row expired before it was served",
        explains: |pair| pair.online.value.is_null() && !pair.offline.value.is_null(),
    },
    Rule {
        name: "default",
        says: "online has no row and served the default",
        mend: "materialize the view, and look at its TTL",
        explains: |pair| !pair.online.origin.is_found() && pair.offline.origin.is_found(),
    },
    Rule {
        name: "lower",
        says: "lower(offline) = online",
        mend: "the producer writes lower case; apply the definition's expression where values are pushed",
        explains: |pair| texts(pair).is_some_and(|(online, offline)| offline.to_lowercase() == online),
    },
    Rule {
        name: "upper",
        says: "upper(offline) = online",
        mend: "the producer writes upper case; apply the definition's expression where values are pushed",
        explains: |pair| texts(pair).is_some_and(|(online, offline)| offline.to_uppercase() == online),
    },
    Rule {
        name: "trim",
        says: "online and offline are equal but for white space around them",
        mend: "trim in the definition, so that both rails do",
        explains: |pair| texts(pair).is_some_and(|(online, offline)| offline.trim() == online.trim()),
    },
    Rule {
        name: "case",
        says: "online and offline are equal but for case",
        mend: "normalize case in the definition, so that both rails do",
        explains: |pair| texts(pair).is_some_and(|(online, offline)| offline.to_lowercase() == online.to_lowercase()),
    },
    Rule {
        name: "truncated",
        says: "online is the beginning of offline",
        mend: "something on the producer's way cuts text to a length",
        explains: |pair| texts(pair).is_some_and(|(online, offline)| !online.is_empty() && offline.starts_with(online)),
    },
    Rule {
        name: "float32",
        says: "online is offline rounded to float32",
        mend: "the producer holds a double in single precision",
        explains: |pair| match (&pair.online.value, &pair.offline.value) {
            (Value::Float64(online), Value::Float64(offline)) => {
                f64::from(*offline as f32).to_bits() == online.to_bits()
            }
            (_, _) => false,
        },
    },
    Rule {
        name: "double",
        says: "online is offline after a trip through a double",
        mend: "whole numbers beyond 2^53 passed through floating point, as in JSON or pandas with nulls",
        explains: |pair| match (&pair.online.value, &pair.offline.value) {
            (Value::Int64(online), Value::Int64(offline)) => *offline as f64 as i64 == *online,
            (_, _) => false,
        },
    },
    Rule {
        name: "wrapped",
        says: "online is offline cut to 32 bits",
        mend: "the producer holds the number in 32 bits",
        explains: |pair| match (&pair.online.value, &pair.offline.value) {
            (Value::Int64(online), Value::Int64(offline)) => i64::from(*offline as i32) == *online,
            (_, _) => false,
        },
    },
    Rule {
        name: "day_old",
        says: "online = offline 24 h ago",
        mend: "materialization or the producer stands still",
        explains: |pair| pair.day_before.is_some_and(|before| before.value.same(&pair.online.value)),
    },
    Rule {
        name: "stale",
        says: "online is an older row than offline knew",
        mend: "materialize the view",
        explains: |pair| match (pair.online.event_time, pair.offline.event_time) {
            (Some(online), Some(offline)) => online < offline,
            (_, None) | (None, _) => false,
        },
    },
];

/// The rule that explains the differing rows of `feature` best.
pub(super) fn diagnose(comparison: &Comparison<'_>, feature: usize, differing: &[usize]) -> Option<Diagnosis> {
    let pairs: Vec<Pair<'_>> = differing
        .iter()
        .map(|row| Pair {
            online: &comparison.online[*row].cells[feature],
            offline: &comparison.offline[*row].row.cells[feature],
            day_before: comparison.day_before.and_then(|rows| rows.get(*row)).map(|row| &row.row.cells[feature]),
        })
        .collect();
    let mut best: Option<(usize, &str, String, &str)> = None;
    let mut consider = |explained: usize, name, says: String, mend| {
        if best.as_ref().is_none_or(|(most, ..)| explained > *most) {
            best = Some((explained, name, says, mend));
        }
    };
    for rule in RULES {
        let explained = pairs.iter().filter(|pair| (rule.explains)(**pair)).count();
        consider(explained, rule.name, rule.says.to_owned(), rule.mend);
    }
    if let Some((explained, offset)) = most_common(pairs.iter().filter_map(|pair| time_offset(*pair))) {
        let says = format!("online = offline {}", in_words(offset));
        consider(explained, "utc_offset", says, "a time without a zone was read as local time; store UTC");
    }
    if pairs.len() >= LEAST_ROWS {
        if let Some((explained, step)) = most_common(pairs.iter().filter_map(|pair| difference(*pair))) {
            let says = format!("online = offline {} {}", if step < 0 { '-' } else { '+' }, step.unsigned_abs());
            consider(explained, "offset", says, "one rail counts from another place, or its window is off by one");
        }
        if let Some((explained, value)) = most_common(pairs.iter().map(|pair| pair.online.value.to_string())) {
            consider(explained, "constant", format!("online is {value}"), "the producer writes a constant");
        }
    }
    let (explained, rule, says, mend) = best?;
    let share = explained as f64 / pairs.len() as f64;
    (share >= LEAST_SHARE).then(|| Diagnosis {
        feature: comparison.plan.features()[feature].reference.to_string(),
        rule: rule.to_owned(),
        text: format!("{says} in {:.1} % of the differing rows", share * 100.0),
        mend: mend.to_owned(),
        share,
    })
}

fn texts(pair: Pair<'_>) -> Option<(&str, &str)> {
    match (&pair.online.value, &pair.offline.value) {
        (Value::String(online), Value::String(offline)) => Some((online, offline)),
        (_, _) => None,
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Timestamp(_) => false,
        Value::Bool(value) => !value,
        Value::Int32(value) => *value == 0,
        Value::Int64(value) => *value == 0,
        Value::Float32(value) => *value == 0.0,
        Value::Float64(value) => *value == 0.0,
        Value::String(value) => value.is_empty(),
    }
}

/// How far a time is off, if that is what offsets from UTC are.
fn time_offset(pair: Pair<'_>) -> Option<i64> {
    let (Value::Timestamp(online), Value::Timestamp(offline)) = (&pair.online.value, &pair.offline.value) else {
        return None;
    };
    let micros = |time: &Timestamp| i128::from(time.as_micros());
    let offset = i64::try_from(micros(online) - micros(offline)).ok()?;
    (offset % QUARTER_HOUR == 0 && offset.abs() <= WIDEST_OFFSET).then_some(offset)
}

fn difference(pair: Pair<'_>) -> Option<i64> {
    match (&pair.online.value, &pair.offline.value) {
        (Value::Int32(online), Value::Int32(offline)) => Some(i64::from(*online) - i64::from(*offline)),
        (Value::Int64(online), Value::Int64(offline)) => online.checked_sub(*offline),
        (_, _) => None,
    }
}

/// `off by the UTC offset +05:30`.
fn in_words(offset: i64) -> String {
    let minutes = offset / 60_000_000;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("off by the UTC offset {sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

fn most_common<T: Ord>(values: impl Iterator<Item = T>) -> Option<(usize, T)> {
    let mut counts = std::collections::BTreeMap::new();
    for value in values {
        *counts.entry(value).or_insert(0_usize) += 1;
    }
    counts.into_iter().map(|(value, count)| (count, value)).max()
}
