//! Which entities to ask both rails about: some at random, those pushed last, and those at the edges.
//!
//! The same seed chooses the same entities from the same sources, so that a gate that failed can be run again.

use std::{cmp::Reverse, collections::HashSet, path::Path};

use types::{Timestamp, Value, ValueType};

use crate::{
    EntityRow, Error, ReadPlan, columns::value_at, join, offline::Frame, online::EntityKey, plan::PlannedView,
};

/// Entities of each edge: enough to see a pattern, few beside the sample.
const EDGE: usize = 5;

/// Entities that nobody has: one is an edge, two show that it is no accident.
const NEVER_SEEN: usize = 2;

/// Why an entity is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SampleKind {
    /// Drawn at random.
    Random,
    /// Its row was pushed last.
    Pushed,
    /// Its newest row lacks a value.
    Null,
    /// Its newest row is the oldest.
    Oldest,
    /// Its newest row is the newest.
    Newest,
    /// No source has it.
    NeverSeen,
}

/// One row to ask about.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The keys and request values.
    pub row: EntityRow,
    /// Why.
    pub kind: SampleKind,
}

/// A deterministic generator (SplitMix64): the sample must not depend on a library's version.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.next() % bound as u64) as usize }
    }
}

/// The keys of one view, by why they were chosen.
struct Keys {
    random: Vec<Vec<Value>>,
    pushed: Vec<Vec<Value>>,
    null: Vec<Vec<Value>>,
    oldest: Vec<Vec<Value>>,
    newest: Vec<Vec<Value>>,
}

impl Keys {
    fn of(&self, kind: SampleKind) -> &[Vec<Value>] {
        match kind {
            SampleKind::Random => &self.random,
            SampleKind::Pushed => &self.pushed,
            SampleKind::Null => &self.null,
            SampleKind::Oldest => &self.oldest,
            SampleKind::Newest => &self.newest,
            SampleKind::NeverSeen => &[],
        }
    }
}

/// Draws `wanted` entities and the edges; `pushed` are the keys pushed last, per view of the plan. Reads files; runs
/// where blocking is allowed.
pub(crate) fn draw(
    project: &Path,
    plan: &ReadPlan,
    pushed: &[Vec<EntityKey>],
    wanted: usize,
    seed: u64,
    now: Timestamp,
) -> Result<Vec<Sample>, Error> {
    let mut random = Random(seed);
    let mut keys = Vec::new();
    for (planned, pushed) in plan.planned_views().iter().zip(pushed) {
        keys.push(view_keys(project, planned, pushed, wanted, now, &mut random)?);
    }
    let mut samples = Vec::new();
    let kinds = [SampleKind::Pushed, SampleKind::Null, SampleKind::Oldest, SampleKind::Newest, SampleKind::Random];
    for kind in kinds {
        let rows = keys.iter().map(|keys| keys.of(kind).len()).max().unwrap_or(0);
        for number in 0..rows {
            samples.push(Sample { row: row(plan, &keys, kind, number, &mut random, now), kind });
        }
    }
    for number in 0..NEVER_SEEN {
        let never = |kind| match kind {
            ValueType::Int32 => Value::Int32(i32::MIN + number as i32),
            ValueType::Int64 => Value::Int64(i64::MIN + number as i64),
            ValueType::String => Value::String(format!("never-seen-{number}")),
            ValueType::Bool | ValueType::Float32 | ValueType::Float64 | ValueType::Timestamp => Value::Null,
        };
        let keys = plan.entity_keys().iter().map(|key| never(key.value_type)).collect();
        let row = EntityRow { keys, request: request(plan, &mut random, now), overrides: Vec::new() };
        samples.push(Sample { row, kind: SampleKind::NeverSeen });
    }
    Ok(samples)
}

fn view_keys(
    project: &Path,
    planned: &PlannedView,
    pushed: &[EntityKey],
    wanted: usize,
    now: Timestamp,
    random: &mut Random,
) -> Result<Keys, Error> {
    let view = &planned.view;
    let features: Vec<usize> = planned.features.iter().map(|(feature, _)| *feature).collect();
    let frame = Frame::load(project, view, &features)?;
    let mut rows: Vec<u32> = join::newest(&frame.facts, now).values().to_vec();
    let event = |row: &u32| frame.facts.event_time.at(*row as usize).unwrap_or(Timestamp::MIN);
    let key = |row: &u32| frame.key(view, *row as usize);
    let null = |row: &&u32| {
        frame.features.iter().any(|column| value_at(&column.values, column.value_type, **row as usize).is_null())
    };
    let with_null = rows.iter().filter(null).take(EDGE).map(key).collect();
    rows.sort_unstable_by_key(|row| (event(row), *row));
    let oldest = rows.iter().take(EDGE).map(key).collect();
    rows.sort_unstable_by_key(|row| (Reverse(event(row)), *row));
    let newest = rows.iter().take(EDGE).map(key).collect();
    // A partial shuffle from a fixed order.
    rows.sort_unstable();
    let count = wanted.min(rows.len());
    for place in 0..count {
        let other = place + random.below(rows.len() - place);
        rows.swap(place, other);
    }
    let kinds = || view.keys().iter().map(|key| key.value_type);
    Ok(Keys {
        random: rows[..count].iter().map(key).collect(),
        pushed: pushed.iter().filter_map(|key| key.decode(kinds())).collect(),
        null: with_null,
        oldest,
        newest,
    })
}

/// Row `number` of a kind: each view gives its keys, those of several entities first so that they stay together; what
/// the kind has none of is drawn at random.
fn row(
    plan: &ReadPlan,
    keys: &[Keys],
    kind: SampleKind,
    number: usize,
    random: &mut Random,
    now: Timestamp,
) -> EntityRow {
    let mut values = vec![Value::Null; plan.entity_keys().len()];
    let mut set: HashSet<usize> = HashSet::new();
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|view| Reverse(plan.planned_views()[*view].keys.len()));
    for chosen in [Some(kind), None] {
        for view in &order {
            let planned = &plan.planned_views()[*view];
            if planned.keys.iter().any(|place| set.contains(place)) {
                continue;
            }
            let key = match chosen {
                Some(kind) => keys[*view].of(kind).get(number),
                None => {
                    let pool = &keys[*view].random;
                    pool.get(random.below(pool.len()))
                }
            };
            let Some(key) = key else { continue };
            for (place, value) in planned.keys.iter().zip(key) {
                values[*place] = value.clone();
                set.insert(*place);
            }
        }
    }
    EntityRow { keys: values, request: request(plan, random, now), overrides: Vec::new() }
}

/// Any values do: both rails get the same. Small whole numbers are hours, weekdays and positions.
fn request(plan: &ReadPlan, random: &mut Random, now: Timestamp) -> Vec<Value> {
    let mut value = |kind: ValueType| {
        let small = random.below(24);
        match kind {
            ValueType::Bool => Value::Bool(small % 2 == 1),
            ValueType::Int32 => Value::Int32(small as i32),
            ValueType::Int64 => Value::Int64(small as i64),
            ValueType::Float32 => Value::Float32(small as f32 / 24.0),
            ValueType::Float64 => Value::Float64(small as f64 / 24.0),
            ValueType::String => Value::String(small.to_string()),
            ValueType::Timestamp => Value::Timestamp(now),
        }
    };
    plan.request_values().iter().map(|(_, kind)| value(*kind)).collect()
}
