//! The point-in-time join: for each label row, the feature row that was known at its time.
//!
//! A feature row is visible to a label row iff their keys are equal, its event time is not after the label's, and it is
//! not older than the TTL. Of the visible rows the one with the newest event time wins, then the newest created time
//! (null is lowest), then the last in source order. With knowledge times a row must also have been created by then; a
//! null created time is lowest here too, that is, it was always known. A null key equals nothing, not even a null key.
//!
//! The kernel is a function over columns: keys of the labels are numbered, feature rows are put into one run per
//! entity by a counting sort, each run is put in order unless it is, and each label row searches its run. It allocates
//! per column, never per row, and reads no feature values: its result are row numbers, with which columns are taken.

mod keys;
mod times;

use arrow::array::UInt32Array;
use types::{Duration, Timestamp};

pub use keys::KeyColumn;
pub use times::TimeColumn;

use keys::NONE;

/// The rows of a source, in its order.
#[derive(Debug)]
pub struct Facts {
    /// The join keys.
    pub keys: Vec<KeyColumn>,
    /// When each row became true; a row without is never visible.
    pub event_time: TimeColumn,
    /// When each row became known.
    pub created: Option<TimeColumn>,
}

/// The rows that ask.
#[derive(Debug)]
pub struct Labels {
    /// The join keys, as those of the facts.
    pub keys: Vec<KeyColumn>,
    /// The time of each row; a row without sees nothing (callers refuse it before).
    pub at: TimeColumn,
    /// The latest created time that each row may know of.
    pub knowledge: Option<TimeColumn>,
}

/// For each label row the number of the fact that it sees, or null.
///
/// # Panics
/// When there are 2^32 facts or more, or the key columns of both sides are not of the same types, which callers ensure.
#[must_use]
pub fn point_in_time(facts: &Facts, labels: &Labels, ttl: Option<Duration>) -> UInt32Array {
    let times = [Some(&facts.event_time), facts.created.as_ref(), Some(&labels.at), labels.knowledge.as_ref()];
    let nanos = times.iter().flatten().any(|column| column.is_nanos());
    let scale = if nanos { 1_000 } else { 1 };
    let ttl = ttl.map_or(i64::MAX, |ttl| ttl.as_micros().saturating_mul(scale));

    let (label_ids, fact_ids, entities) = keys::number(&labels.keys, &facts.keys);
    let runs = Runs::build(facts, &fact_ids, entities, nanos);
    let at = labels.at.ticks(nanos);
    let knowledge = labels.knowledge.as_ref().map(|column| column.ticks(nanos));

    let answer = label_ids.iter().enumerate().map(|(row, entity)| {
        let at = labels.at.is_known(row).then_some(at[row])?;
        let known = knowledge.as_ref().map_or(i64::MAX, |ticks| ticks[row]);
        if *entity == NONE { None } else { runs.find(*entity as usize, at, known, ttl) }
    });
    answer.collect()
}

/// The newest row of each entity as known at `at`: of those that are not of a later time and were not created later.
///
/// # Panics
/// When there are 2^32 facts or more.
#[must_use]
pub fn newest(facts: &Facts, at: Timestamp) -> UInt32Array {
    let at = TimeColumn::of_times([at]);
    let times = [Some(&facts.event_time), facts.created.as_ref()];
    let nanos = times.iter().flatten().any(|column| column.is_nanos());
    let (ids, _, entities) = keys::number(&facts.keys, &[]);
    let runs = Runs::build(facts, &ids, entities, nanos);
    let at = at.ticks(nanos)[0];
    (0..entities).filter_map(|entity| runs.find(entity, at, at, i64::MAX)).collect::<Vec<u32>>().into()
}

/// Facts by entity, each run in the order (event time, created time, source order).
struct Runs {
    /// Where each entity's run begins; one more at the end.
    starts: Vec<u32>,
    rows: Vec<u32>,
    events: Vec<i64>,
    /// Empty when the source has no created times.
    created: Vec<i64>,
}

impl Runs {
    fn build(facts: &Facts, ids: &[u32], entities: usize, nanos: bool) -> Self {
        assert!(u32::try_from(ids.len()).is_ok_and(|rows| rows != NONE), "a join has less than 2^32 facts");
        let usable = |row: usize| ids[row] != NONE && facts.event_time.is_known(row);
        let mut starts = vec![0_u32; entities + 1];
        for row in 0..ids.len() {
            if usable(row) {
                starts[ids[row] as usize + 1] += 1;
            }
        }
        for entity in 0..entities {
            starts[entity + 1] += starts[entity];
        }
        let total = starts[entities] as usize;
        let event_ticks = facts.event_time.ticks(nanos);
        let created_ticks = facts.created.as_ref().map(|column| column.ticks_null_lowest(nanos));
        let mut next = starts.clone();
        let mut runs = Self {
            starts,
            rows: vec![0; total],
            events: vec![0; total],
            created: vec![0; if created_ticks.is_some() { total } else { 0 }],
        };
        for row in 0..ids.len() {
            if usable(row) {
                let place = next[ids[row] as usize] as usize;
                next[ids[row] as usize] += 1;
                runs.rows[place] = row as u32;
                runs.events[place] = event_ticks[row];
                if let Some(created) = &created_ticks {
                    runs.created[place] = created[row];
                }
            }
        }
        let mut scratch = Vec::new();
        for entity in 0..entities {
            runs.order(entity, &mut scratch);
        }
        runs
    }

    fn span(&self, entity: usize) -> std::ops::Range<usize> {
        self.starts[entity] as usize..self.starts[entity + 1] as usize
    }

    fn rank(&self, place: usize) -> (i64, i64, u32) {
        (self.events[place], self.created.get(place).copied().unwrap_or(i64::MIN), self.rows[place])
    }

    /// Sources are mostly written in order, so a run is looked at before it is sorted.
    fn order(&mut self, entity: usize, scratch: &mut Vec<(i64, i64, u32)>) {
        let span = self.span(entity);
        if span.clone().skip(1).all(|place| self.rank(place - 1) < self.rank(place)) {
            return;
        }
        scratch.clear();
        scratch.extend(span.clone().map(|place| self.rank(place)));
        scratch.sort_unstable();
        for (place, (event, created, row)) in span.zip(scratch.iter()) {
            self.rows[place] = *row;
            self.events[place] = *event;
            if let Some(slot) = self.created.get_mut(place) {
                *slot = *created;
            }
        }
    }

    fn find(&self, entity: usize, at: i64, known: i64, ttl: i64) -> Option<u32> {
        let span = self.span(entity);
        let begin = span.start;
        let mut end = begin + self.events[span].partition_point(|event| *event <= at);
        while end > begin {
            let place = end - 1;
            if at.saturating_sub(self.events[place]) > ttl {
                return None;
            }
            if self.created.get(place).is_none_or(|created| *created <= known) {
                return Some(self.rows[place]);
            }
            end = place;
        }
        None
    }
}

#[cfg(test)]
mod tests;
