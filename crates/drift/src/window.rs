//! The rows of one window, compact: which bin each value fell into, and what each row hangs on.

mod drift;
mod news;
mod over;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use prediction_log::PredictionRecord;
use types::{PredictionId, Timestamp, Value};

use crate::{Finding, FindingKind, Segment, WatchedModel, datum::Datum, reference::Reference, shape::Place};

/// The most segment values that are kept apart beyond those that the reference knows.
const MOST_NEW_SLICES: usize = 500;
/// Where values come from that are the request's own, or computed of these: `hour_of_day` is one.
const OF_REQUEST: [&str; 3] = ["request", "on_demand", "override"];

/// The rows of one window of one version.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) watched: WatchedModel,
    pub(crate) reference: Arc<Reference>,
    pub(crate) since: Timestamp,
    rows: Vec<Row>,
    seen: HashSet<PredictionId>,
    /// The entity keys, as the first row names them; after them the request itself.
    keys: Vec<Key>,
    slices: Vec<Option<Segment>>,
    slice_numbers: HashMap<Segment, u32>,
    new_values: Vec<String>,
    new_numbers: HashMap<String, u32>,
    /// By feature: whether any row has it, and whether it comes with the request.
    is_served: Vec<bool>,
    is_of_request: Vec<bool>,
}

#[derive(Debug)]
struct Row {
    at: Timestamp,
    /// Its group of each key.
    groups: Box<[u32]>,
    /// The slices that it is in, besides that of all rows.
    slices: Box<[u32]>,
    /// By feature.
    bins: Box<[u16]>,
    /// Which new value which feature has.
    news: Box<[(u16, u32)]>,
}

#[derive(Debug, Default)]
struct Key {
    name: String,
    /// Whether rows are sliced by it: then its values are what is compared, and not a source of chance.
    is_segment: bool,
    numbers: HashMap<String, u32>,
}

impl Key {
    fn number(&mut self, name: String) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry(name).or_insert(next)
    }
}

impl Window {
    /// An empty window that begins at `since`.
    pub(crate) fn new(watched: WatchedModel, reference: Arc<Reference>, since: Timestamp) -> Self {
        let features = reference.features.len();
        let slices = reference.slices.clone();
        let numbered = slices.iter().zip(0..).filter_map(|(slice, number)| Some((slice.clone()?, number)));
        Self {
            watched,
            since,
            rows: Vec::new(),
            seen: HashSet::new(),
            keys: Vec::new(),
            slice_numbers: numbered.collect(),
            slices,
            new_values: Vec::new(),
            new_numbers: HashMap::new(),
            is_served: vec![false; features],
            is_of_request: vec![false; features],
            reference,
        }
    }

    /// How many rows it has.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Takes a row of the log, once.
    pub(crate) fn add(&mut self, record: &PredictionRecord) {
        if !self.seen.insert(record.id) {
            return;
        }
        if self.keys.is_empty() {
            self.keys = keys(record, &self.watched);
        }
        let (mut bins, mut news) = (Vec::new(), Vec::new());
        let reference = Arc::clone(&self.reference);
        for (index, feature) in reference.features.iter().enumerate() {
            let logged = record.features.iter().find(|logged| input_name(&logged.name) == feature.name);
            let value = if feature.is_prediction {
                answer(record, &feature.name)
            } else {
                logged.map(|logged| Datum::of(&logged.value))
            };
            self.is_served[index] |= value.is_some();
            self.is_of_request[index] |= logged.is_some_and(|logged| OF_REQUEST.contains(&logged.origin.as_str()));
            bins.push(match feature.shape.place(value.unwrap_or(Datum::Missing)) {
                Place::Bin(bin) => bin,
                Place::New(text) => {
                    news.push((index as u16, self.new_number(text)));
                    feature.shape.new_bin().unwrap_or_else(|| feature.shape.missing())
                }
            });
        }
        let segments = segments(record, &self.watched);
        let slices = segments.into_iter().filter_map(|segment| self.slice_number(segment)).collect();
        let groups = self.groups(record);
        self.rows.push(Row { at: record.at, groups, slices, bins: bins.into(), news: news.into() });
    }

    fn groups(&mut self, record: &PredictionRecord) -> Box<[u32]> {
        let request = record.id.request.to_string();
        let value_of = |name: &str| {
            let value = record.entities.iter().find(|(entity, _)| entity == name).map(|(_, value)| Datum::of(value));
            value.and_then(|value| value.name())
        };
        let (of_request, of_entities) = self.keys.split_last_mut().expect("the request is always a key");
        let mut groups: Vec<u32> = of_entities
            .iter_mut()
            .map(|key| key.number(value_of(&key.name).unwrap_or_else(|| request.clone())))
            .collect();
        groups.push(of_request.number(request));
        groups.into()
    }

    fn new_number(&mut self, text: String) -> u32 {
        let next = self.new_values.len() as u32;
        let values = &mut self.new_values;
        *self.new_numbers.entry(text).or_insert_with_key(|text| {
            values.push(text.clone());
            next
        })
    }

    fn slice_number(&mut self, segment: Segment) -> Option<u32> {
        if let Some(number) = self.slice_numbers.get(&segment) {
            return Some(*number);
        }
        if self.slices.len() >= self.reference.slices.len() + MOST_NEW_SLICES {
            return None;
        }
        let number = self.slices.len() as u32;
        self.slices.push(Some(segment.clone()));
        self.slice_numbers.insert(segment, number);
        Some(number)
    }

    /// The rows of each slice, those of all rows first, in the order of time.
    fn members(&self) -> Vec<Vec<u32>> {
        let mut order: Vec<u32> = (0..self.rows.len() as u32).collect();
        order.sort_by_key(|row| self.rows[*row as usize].at);
        let mut members = vec![Vec::new(); self.slices.len()];
        for row in &order {
            for slice in &self.rows[*row as usize].slices {
                members[*slice as usize].push(*row);
            }
        }
        members[0] = order;
        members
    }

    /// Whether a feature is left out by declaration, or not in the log at all.
    fn is_left_out(&self, feature: usize) -> bool {
        self.watched.policy.exclude.contains(&self.reference.features[feature].name) || !self.is_served[feature]
    }

    /// A finding with what all have in common.
    fn finding(&self, kind: FindingKind, feature: usize, slice: usize, now: Timestamp) -> Finding {
        let feature = self.reference.features[feature].name.clone();
        let segment = self.slices[slice].clone();
        Finding {
            key: Finding::key_of(&self.watched.version, kind, &feature, segment.as_ref()),
            kind,
            severity: telemetry::Severity::Ticket,
            version: self.watched.version.clone(),
            feature,
            segment,
            since: now,
            seen_at: now,
            summary: String::new(),
            rows: 0,
            share: 0.0,
            new_categories: Vec::new(),
            mappings: Vec::new(),
            psi: 0.0,
            jensen_shannon: 0.0,
        }
    }
}

/// The input that a logged feature went into: of `user_profile:user_country` the part after the colon.
fn input_name(logged: &str) -> &str {
    logged.rsplit_once(':').map_or(logged, |(_, input)| input)
}

/// What rows are about. The log keeps the request's values beside entity keys; those that are inputs of the model, such as
/// the device, are no keys: what every third row shares is not what rows hang on.
pub(crate) fn entity_keys<'r>(
    record: &'r PredictionRecord,
    watched: &WatchedModel,
) -> impl Iterator<Item = &'r String> {
    record.entities.iter().map(|(name, _)| name).filter(|name| !watched.features.contains(name))
}

/// The entity keys that rows hang on, and the request.
fn keys(record: &PredictionRecord, watched: &WatchedModel) -> Vec<Key> {
    let of = |name: &String| Key { name: name.clone(), is_segment: watched.segments.contains(name), ..Key::default() };
    let entities = entity_keys(record, watched);
    entities.map(of).chain([Key { name: "request".to_owned(), ..Key::default() }]).collect()
}

/// The segment values of a row: entity keys or inputs.
pub(crate) fn segments(record: &PredictionRecord, watched: &WatchedModel) -> Vec<Segment> {
    let value_of = |name: &String| -> Option<Value> {
        let entity = record.entities.iter().find(|(entity, _)| entity == name).map(|(_, value)| value);
        let input = || {
            let logged = record.features.iter().find(|feature| input_name(&feature.name) == name);
            logged.map(|feature| &feature.value)
        };
        entity.or_else(input).cloned()
    };
    let segment = |name: &String| {
        let value = Datum::of(&value_of(name)?).name()?;
        Some(Segment { name: name.clone(), value })
    };
    watched.segments.iter().filter_map(segment).collect()
}

/// The model's answer as one number: of the output of that name, else of the first of floats, the last element, which is
/// the positive class of a pair of probabilities.
fn answer(record: &PredictionRecord, name: &str) -> Option<Datum> {
    let is_float = |values: &[Value]| matches!(values.last(), Some(Value::Float32(_) | Value::Float64(_)));
    let named = record.outputs.iter().find(|(output, _)| output == name);
    let output = named.or_else(|| record.outputs.iter().find(|(_, values)| is_float(values)));
    output.and_then(|(_, values)| values.last()).map(Datum::of)
}

#[cfg(test)]
mod tests;
