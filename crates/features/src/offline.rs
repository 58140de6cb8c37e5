//! The offline rail: feature values from the sources, as they were known at a time.
//!
//! A training set and an answer as known at some time are the same join over the same frames; only the form of the
//! result differs, columns for one and rows for the other.

mod frame;
mod training;

use std::{collections::BTreeMap, path::Path};

use arrow::array::{Array as _, UInt32Array};
use types::{Duration, Timestamp, Value};

use crate::{
    Error,
    columns::value_at,
    join::{self, KeyColumn, Labels, TimeColumn},
    plan::{EntityRow, FoundRow, PlannedView, Rails, ReadPlan, assemble},
    rows::{FeatureRow, Origin},
};

pub(crate) use frame::Frame;
pub use training::TrainingOptions;
#[cfg(test)]
pub(crate) use training::refuse_null_times;
pub(crate) use training::training_set;

/// Until when things are known: per view, because each view is materialized up to its own time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knowledge {
    /// For views that are not named.
    pub otherwise: Timestamp,
    /// By view.
    pub views: BTreeMap<String, Timestamp>,
}

impl From<Timestamp> for Knowledge {
    fn from(otherwise: Timestamp) -> Self {
        Self { otherwise, views: BTreeMap::new() }
    }
}

impl Knowledge {
    fn of(&self, view: &str) -> Timestamp {
        self.views.get(view).copied().unwrap_or(self.otherwise)
    }
}

/// A row as the offline rail has it, to be held against what the online rail answered.
#[derive(Debug, Clone, PartialEq)]
pub struct OfflineRow {
    /// The features.
    pub row: FeatureRow,
    /// Per feature: whether the online value was pushed for an event time that the source does not have yet, so that
    /// there is nothing to compare with.
    pub ahead: Vec<bool>,
}

/// What each row of a request is looked up as, in one view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lookup {
    /// The newest row at a time, as known then.
    AsOf(Timestamp),
    /// The row of exactly this event time.
    Exactly(Timestamp),
}

/// What was found in one view.
#[derive(Debug)]
struct Answers {
    frame: Frame,
    indices: UInt32Array,
}

impl Answers {
    fn place(&self, row: usize) -> Option<usize> {
        self.indices.is_valid(row).then(|| self.indices.value(row) as usize)
    }
}

impl Rails for Vec<Answers> {
    fn find(&self, view: usize, row: usize) -> Option<FoundRow> {
        let answers = &self[view];
        let place = answers.place(row)?;
        let event_time = answers.frame.facts.event_time.at(place)?;
        Some(FoundRow { event_time, origin: Origin::Offline, file: answers.frame.file_of(place) })
    }

    fn value(&self, view: usize, row: usize, feature: usize) -> Value {
        let answers = &self[view];
        let column = answers.frame.features.iter().find(|column| column.index == feature);
        match (answers.place(row), column) {
            (Some(place), Some(column)) => value_at(&column.values, column.value_type, place),
            (None, _) | (_, None) => Value::Null,
        }
    }
}

/// The rows of `plan` as they were known. `online` is what the online rail answered for the same rows, if it is to be
/// compared: then values that were pushed are looked up by their own event time.
///
/// Reads files and computes; runs where blocking is allowed.
///
/// # Errors
/// When a source cannot be read or an expression not be computed.
pub(crate) fn as_known_at(
    project: &Path,
    plan: &ReadPlan,
    rows: &[EntityRow],
    online: Option<&[FeatureRow]>,
    at: &[Timestamp],
    knowledge: &Knowledge,
) -> Result<Vec<OfflineRow>, Error> {
    let mut found = Vec::with_capacity(plan.planned_views().len());
    let mut ahead = vec![vec![false; rows.len()]; plan.planned_views().len()];
    for (view, planned) in plan.planned_views().iter().enumerate() {
        let known = knowledge.of(planned.view.name());
        let lookups: Vec<Lookup> = (0..rows.len())
            .map(|row| match pushed_at(planned, plan, online.and_then(|online| online.get(row))) {
                Some(event_time) => Lookup::Exactly(event_time),
                None => Lookup::AsOf(at[row].min(known)),
            })
            .collect();
        let wanted: Vec<usize> = planned.features.iter().map(|(feature, _)| *feature).collect();
        let frame = Frame::load(project, &planned.view, &wanted)?;
        let indices = look_up(&frame, planned, rows, &lookups, known);
        for (row, lookup) in lookups.iter().enumerate() {
            ahead[view][row] = matches!(lookup, Lookup::Exactly(_)) && indices.is_null(row);
        }
        found.push(Answers { frame, indices });
    }
    let made = assemble(plan, rows, at, &found);
    let is_ahead = |row: usize, feature: usize| {
        plan.slots_behind(feature).into_iter().any(|slot| plan.view_of_slot(slot).is_some_and(|view| ahead[view][row]))
    };
    let with_ahead = made.into_iter().enumerate().map(|(number, row)| {
        let ahead = (0..row.cells.len()).map(|feature| is_ahead(number, feature)).collect();
        OfflineRow { row, ahead }
    });
    Ok(with_ahead.collect())
}

/// The event time of the view's values in `row`, if they were pushed.
fn pushed_at(planned: &PlannedView, plan: &ReadPlan, row: Option<&FeatureRow>) -> Option<Timestamp> {
    let row = row?;
    let cells = planned.features.iter().filter(|(_, slot)| *slot < plan.features().len());
    let mut pushed = cells.map(|(_, slot)| &row.cells[*slot]).filter(|cell| cell.origin == Origin::Pushed);
    pushed.find_map(|cell| cell.event_time)
}

fn look_up(
    frame: &Frame,
    planned: &PlannedView,
    rows: &[EntityRow],
    lookups: &[Lookup],
    known: Timestamp,
) -> UInt32Array {
    let keys: Vec<KeyColumn> = planned
        .keys
        .iter()
        .zip(planned.view.keys())
        .map(|(place, key)| KeyColumn::of_values(key.value_type, rows.iter().map(|row| &row.keys[*place])))
        .collect();
    let join = |times: Vec<Timestamp>, knowledge: Option<Timestamp>, ttl| {
        let at = TimeColumn::of_times(times);
        let knowledge = knowledge.map(|known| TimeColumn::of_times(std::iter::repeat_n(known, rows.len())));
        join::point_in_time(&frame.facts, &Labels { keys: keys.clone(), at, knowledge }, ttl)
    };
    let times = lookups.iter().map(|lookup| match lookup {
        Lookup::AsOf(time) | Lookup::Exactly(time) => *time,
    });
    let newest = join(times.clone().collect(), Some(known), None);
    if lookups.iter().all(|lookup| matches!(lookup, Lookup::AsOf(_))) {
        return newest;
    }
    // A row of this event time, whenever it was written: no older one, so a TTL of nothing.
    let exact = join(times.collect(), None, Some(Duration::from_micros(0)));
    let chosen = lookups.iter().enumerate().map(|(row, lookup)| {
        let from = match lookup {
            Lookup::AsOf(_) => &newest,
            Lookup::Exactly(_) => &exact,
        };
        from.is_valid(row).then(|| from.value(row))
    });
    chosen.collect()
}
