//! What producers push: feature values fresher than the last materialization.
//!
//! A pushed row is a whole row, typed as the view declares, and obeys the same rule as everything else: of two rows of
//! one entity the newer (event time, created time) stays. A producer that does not say when a row was created means now,
//! so a push wins over what was computed before for the same event time, and loses to a correction that comes later.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value as Json};
use types::{Duration, Timestamp, Value};

use crate::{
    Error,
    definitions::View,
    online::{EntityKey, Rank, StoredRow},
    suggest::{closest, hint},
};

/// The name of a pushed row's event time, beside the name that the view's source has for it.
const EVENT_TIMESTAMP: &str = "event_timestamp";
/// The name of a pushed row's created time, beside the name that the view's source has for it.
const CREATED: &str = "created";

/// How far a producer's clock may be ahead: more than machines that keep time differ by, less than a wrong time zone.
const SKEW: Duration = Duration::from_secs(300);

/// One row from a producer.
#[derive(Debug, Clone, PartialEq)]
pub struct PushRow {
    /// The view's join keys.
    pub keys: BTreeMap<String, Value>,
    /// Every feature of the view; null if it has no value.
    pub values: BTreeMap<String, Value>,
    /// When the values became true.
    pub event_time: Timestamp,
    /// When they became known; `None` is now.
    pub created: Option<Timestamp>,
}

/// What a push did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PushReport {
    /// Rows that the store answers with now.
    pub rows: u64,
    /// Rows that were older than what the store has.
    pub superseded: u64,
}

impl PushRow {
    /// From a JSON object with the view's keys, its features, `event_timestamp` and perhaps `created`; `row` is its
    /// number, for messages.
    ///
    /// # Errors
    /// When something is missing, of another type, or unknown.
    pub fn from_json(view: &View, row: usize, object: &Map<String, Json>) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Push { view: view.name().to_owned(), row, reason };
        let source = view.source();
        let mut pushed =
            Self { keys: BTreeMap::new(), values: BTreeMap::new(), event_time: Timestamp::MIN, created: None };
        let mut event_time = None;
        for (name, json) in object {
            let typed = |kind| {
                let wrong = |_| refuse(format!("`{name}` is {kind}, and {json} is not"));
                Value::from_json(json, kind).map_err(wrong)
            };
            let time = || match Value::from_json(json, types::ValueType::Timestamp) {
                Ok(Value::Timestamp(time)) => Ok(time),
                Ok(_) | Err(_) => {
                    Err(refuse(format!("`{name}` is {json}, not a time such as \"2026-11-23T14:00:00Z\"")))
                }
            };
            if let Some(key) = view.keys().iter().find(|key| key.name == *name) {
                pushed.keys.insert(name.clone(), typed(key.value_type)?);
            } else if let Some(index) = view.feature_index(name) {
                pushed.values.insert(name.clone(), typed(view.features()[index].value_type)?);
            } else if name == EVENT_TIMESTAMP || *name == source.event_time {
                event_time = Some(time()?);
            } else if name == CREATED || source.created.as_ref() == Some(name) {
                pushed.created = Some(time()?);
            } else {
                let known = view.keys().iter().map(|key| key.name.as_str());
                let known = known.chain(view.features().iter().map(|feature| feature.name.as_str()));
                let suggestion = closest(name, known.chain([EVENT_TIMESTAMP, CREATED]));
                return Err(refuse(format!("there is no `{name}`{}", hint(suggestion.as_ref()))));
            }
        }
        pushed.event_time = event_time.ok_or_else(|| refuse(format!("`{EVENT_TIMESTAMP}` is missing")))?;
        Ok(pushed)
    }

    /// The row as it is stored.
    pub(crate) fn encode(&self, view: &View, row: usize, now: Timestamp) -> Result<(EntityKey, StoredRow), Error> {
        let refuse = |reason: String| Error::Push { view: view.name().to_owned(), row, reason };
        let missing = |name: &str| refuse(format!("`{name}` is missing"));
        let mut keys = Vec::with_capacity(view.keys().len());
        for key in view.keys() {
            let value = self.keys.get(&key.name).ok_or_else(|| missing(&key.name))?;
            if value.value_type() != Some(key.value_type) {
                return Err(refuse(format!("the key `{}` is {}, and {value} is not", key.name, key.value_type)));
            }
            keys.push(value);
        }
        let mut values = Vec::with_capacity(view.features().len());
        for feature in view.features() {
            let value = self.values.get(&feature.name).ok_or_else(|| {
                refuse(format!("`{}` is missing; a push is a whole row, so give null if it has no value", feature.name))
            })?;
            if value.value_type().is_some_and(|found| found != feature.value_type) {
                return Err(refuse(format!("`{}` is {}, and {value} is not", feature.name, feature.value_type)));
            }
            values.push(value);
        }
        if let Some(name) = self.values.keys().find(|name| view.feature_index(name).is_none()) {
            return Err(refuse(format!("there is no `{name}`")));
        }
        if self.event_time > now + SKEW {
            let at = self.event_time;
            return Err(refuse(format!("its event time {at} is in the future: it is {now}")));
        }
        let key = EntityKey::encode(keys).ok_or_else(|| refuse("its key has no value".to_owned()))?;
        let rank = Rank { event_time: self.event_time, created: Some(self.created.unwrap_or(now)) };
        Ok((key, view.layout().encode(rank, true, values)))
    }
}
