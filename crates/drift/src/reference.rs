//! What a version's traffic is compared with: its reference, frozen once.
//!
//! Only counts are kept, of all rows and of each value of each segment, so that years later a window is compared with
//! exactly the same thing, whether or not the rows still exist.

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::{array::RecordBatch, error::ArrowError};
use serde::{Deserialize, Serialize};
use types::Timestamp;

use crate::{
    ReferenceRows, Segment, WatchedModel,
    datum::{self, Datum},
    independence::{Groups, concentration, robust},
    shape::{Place, Shape},
};

/// The most rows that are frozen; the last ones, should there be more.
const MOST_ROWS: usize = 200_000;
/// The most segment values that are kept apart, largest first.
const MOST_SLICES: usize = 500;
/// What is added to the number of values that were seen once, for an upper bound of the unseen: none seen in n means,
/// with 95 % confidence, at most three in n.
const RULE_OF_THREE: f64 = 3.0;
/// A key with fewer groups says nothing about how often something unseen turns up.
const LEAST_GROUPS: usize = 100;
/// The bound that holds if nothing better is known.
const UNSEEN_ANYHOW: f64 = 0.05;
/// A feature follows the clock if within an hour two rows differ at most so much as often as any two rows do.
const FOLLOWS_CLOCK: f64 = 0.1;
/// Microseconds in an hour.
const HOUR: f64 = 3_600_000_000.0;

/// A frozen reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reference {
    pub(crate) frozen_at: Timestamp,
    pub(crate) rows: u64,
    /// All rows first, then one for each segment value.
    pub(crate) slices: Vec<Option<Segment>>,
    pub(crate) features: Vec<Feature>,
}

/// One feature of a reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Feature {
    pub(crate) name: String,
    /// Whether it is the model's answer.
    pub(crate) is_prediction: bool,
    pub(crate) shape: Shape,
    /// Whether it hardly varies within an hour, if the reference tells times.
    pub(crate) follows_clock: Option<bool>,
    /// The upper bound of the probability that a row has a category that the reference has not.
    pub(crate) unseen: f64,
    /// By slice.
    pub(crate) sides: Vec<Frozen>,
}

/// The counts of one feature in one slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frozen {
    pub(crate) counts: Vec<u64>,
    /// How many independent rows they are worth.
    pub(crate) effective: f64,
}

/// A column as group numbers.
type GroupNumbers = Vec<u32>;
/// A segment's column as numbers of slices.
type SliceNumbers = Vec<Option<u32>>;

impl Reference {
    /// Freezes `rows` for `watched`, whose rows are about `entities`.
    pub(crate) fn freeze(
        rows: &ReferenceRows,
        watched: &WatchedModel,
        entities: &[String],
        now: Timestamp,
    ) -> Result<Self, ArrowError> {
        let all = rows.columns.num_rows();
        let kept = all.min(MOST_ROWS);
        let batch = rows.columns.slice(all - kept, kept);
        let (slices, slice_of) = slices(&batch, watched)?;
        let by_slice = members(slices.len(), kept, &slice_of);
        let mut keys = Vec::new();
        for entity in entities.iter().filter(|entity| !watched.segments.contains(entity)) {
            if let Some(column) = batch.column_by_name(entity) {
                keys.push(numbered(&datum::read(column)?));
            }
        }
        let clock = clock(&batch, watched)?;
        // Per slice and key, once for all features.
        let groups: Vec<Vec<Groups>> = by_slice
            .iter()
            .map(|rows| keys.iter().map(|key| Groups::new(rows.iter().copied(), |row| key[row as usize])).collect())
            .collect();
        let mut features = Vec::new();
        let names = watched.features.iter().map(|name| (name, false)).chain(rows.score.iter().map(|name| (name, true)));
        for (name, is_prediction) in names {
            let Some(column) = batch.column_by_name(name) else { continue };
            let Ok(values) = datum::read(column) else {
                tracing::debug!(feature = %name, "is of a type that is not compared");
                continue;
            };
            let Some(shape) = Shape::of(&values) else { continue };
            let unseen = unseen(&values, &keys);
            let bins: Vec<u16> = values.into_iter().map(|value| bin(&shape, value)).collect();
            let sides =
                by_slice.iter().zip(&groups).map(|(rows, groups)| freeze_side(rows, groups, &bins, shape.bins()));
            let sides = sides.collect();
            let follows_clock = clock.as_ref().map(|hours| follows(hours, &bins, shape.bins()));
            features.push(Feature { name: name.clone(), is_prediction, shape, follows_clock, unseen, sides });
        }
        Ok(Self { frozen_at: now, rows: all as u64, slices, features })
    }
}

fn bin(shape: &Shape, value: Datum) -> u16 {
    match shape.place(value) {
        Place::Bin(bin) => bin,
        Place::New(_) => shape.new_bin().unwrap_or_else(|| shape.missing()),
    }
}

fn freeze_side(rows: &[u32], groups: &[Groups], bins: &[u16], count: usize) -> Frozen {
    let mut counts = vec![0; count];
    for row in rows {
        counts[usize::from(bins[*row as usize])] += 1;
    }
    let worth = groups.iter().map(|groups| robust(groups, count, |row| bins[row as usize]));
    Frozen { counts, effective: worth.fold(rows.len() as f64, f64::min) }
}

/// The slices, and to which each row belongs for each segment.
fn slices(
    batch: &RecordBatch,
    watched: &WatchedModel,
) -> Result<(Vec<Option<Segment>>, Vec<SliceNumbers>), ArrowError> {
    let mut rows_of: BTreeMap<Segment, usize> = BTreeMap::new();
    let mut columns = Vec::new();
    for name in &watched.segments {
        let Some(column) = batch.column_by_name(name) else { continue };
        let values: Vec<Option<Segment>> = datum::read(column)?
            .iter()
            .map(|value| value.name().map(|value| Segment { name: name.clone(), value }))
            .collect();
        for segment in values.iter().flatten() {
            *rows_of.entry(segment.clone()).or_default() += 1;
        }
        columns.push(values);
    }
    let mut largest: Vec<_> = rows_of.into_iter().collect();
    largest.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    largest.truncate(MOST_SLICES);
    let place: HashMap<&Segment, u32> = largest.iter().map(|(segment, _)| segment).zip(1..).collect();
    let numbered = |values: &Vec<Option<Segment>>| {
        values.iter().map(|segment| segment.as_ref().and_then(|segment| place.get(segment).copied())).collect()
    };
    let slice_of = columns.iter().map(numbered).collect();
    let slices = std::iter::once(None).chain(largest.iter().map(|(segment, _)| Some(segment.clone()))).collect();
    Ok((slices, slice_of))
}

/// The rows of each slice.
fn members(slices: usize, rows: usize, slice_of: &[SliceNumbers]) -> Vec<Vec<u32>> {
    let mut members = vec![Vec::new(); slices];
    members[0] = (0..rows as u32).collect();
    for column in slice_of {
        for (row, slice) in column.iter().enumerate() {
            if let Some(slice) = slice {
                members[*slice as usize].push(row as u32);
            }
        }
    }
    members
}

fn numbered(values: &[Datum]) -> GroupNumbers {
    let mut numbers: HashMap<Option<String>, u32> = HashMap::new();
    values
        .iter()
        .map(|value| {
            let next = numbers.len() as u32;
            *numbers.entry(value.name()).or_insert(next)
        })
        .collect()
}

/// The rows by hour, if a column tells times: of those that nobody asks for, the first that is a point in time.
fn clock(batch: &RecordBatch, watched: &WatchedModel) -> Result<Option<Groups>, ArrowError> {
    let schema = batch.schema();
    let field = schema.fields().iter().find(|field| {
        matches!(field.data_type(), arrow::datatypes::DataType::Timestamp(..))
            && !watched.features.contains(field.name())
    });
    let Some(column) = field.and_then(|field| batch.column_by_name(field.name())) else { return Ok(None) };
    let micros = arrow::datatypes::DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None);
    let times = datum::read(&arrow::compute::cast(column, &micros)?)?;
    let hour = |row: u32| match times[row as usize] {
        Datum::Number(micros) => (micros / HOUR).floor() as u32,
        Datum::Missing | Datum::Text(_) => u32::MAX,
    };
    Ok(Some(Groups::new(0..batch.num_rows() as u32, hour)))
}

fn follows(hours: &Groups, bins: &[u16], count: usize) -> bool {
    let mut total = vec![0; count];
    let (mut differing, mut weight) = (0.0, 0.0);
    for hour in hours.iter().filter(|hour| hour.len() > 1) {
        let mut within = vec![0; count];
        for row in hour {
            within[usize::from(bins[*row as usize])] += 1;
            total[usize::from(bins[*row as usize])] += 1;
        }
        differing += (1.0 - concentration(&within)) * hour.len() as f64;
        weight += hour.len() as f64;
    }
    let anyhow = 1.0 - concentration(&total);
    hours.len() > 1 && weight > 0.0 && anyhow > 0.0 && differing / weight <= FOLLOWS_CLOCK * anyhow
}

/// Good and Turing: what is still unseen is as frequent as what was seen once. Counted by what rows hang on, of which the
/// most cautious counts.
fn unseen(values: &[Datum], keys: &[GroupNumbers]) -> f64 {
    let by_row: GroupNumbers = (0..values.len() as u32).collect();
    let bounds = keys.iter().chain([&by_row]).filter_map(|groups| {
        let mut holders: HashMap<&str, Option<u32>> = HashMap::new();
        for (value, group) in values.iter().zip(groups) {
            if let Datum::Text(text) = value {
                let holder = holders.entry(text).or_insert(Some(*group));
                if *holder != Some(*group) {
                    *holder = None;
                }
            }
        }
        let count = groups.iter().collect::<HashSet<_>>().len();
        let once = holders.values().flatten().count() as f64;
        (count >= LEAST_GROUPS).then(|| (once + RULE_OF_THREE) / count as f64)
    });
    bounds.reduce(f64::max).unwrap_or(UNSEEN_ANYHOW)
}
