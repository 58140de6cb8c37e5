//! The body of `log-batch` as clients write it, read in one pass into what the registry takes.
//!
//! A batch has up to a thousand metrics, and going through a tree of JSON values would cost as much as storing them. A body
//! that is in any way unusual (a number as text, NaN, a name in camel case, something missing, a list where an object should
//! be) is not read here: it goes the way of all other calls, which knows every convention and says what is wrong in MLflow's
//! words.

use std::{borrow::Cow, fmt, marker::PhantomData};

use registry::{KeyValue, Metric, RunBatch};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

/// What is written as an object. A struct alone would be read from a list of its fields' values, too.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow)]
    run_id: Cow<'a, str>,
    #[serde(borrow, default)]
    metrics: Vec<Object<MetricFields<'a>>>,
    #[serde(borrow, default)]
    params: Vec<Object<Entry<'a>>>,
    #[serde(borrow, default)]
    tags: Vec<Object<Entry<'a>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricFields<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    value: f64,
    timestamp: i64,
    #[serde(default)]
    step: i64,
    #[serde(default)]
    model_id: Option<String>,
    #[serde(default)]
    dataset_name: Option<String>,
    #[serde(default)]
    dataset_digest: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Cow<'a, str>,
}

/// The run and the batch, if everything is as clients write it.
pub(super) fn read(bytes: &[u8]) -> Option<(String, RunBatch)> {
    let Object(body): Object<Body<'_>> = serde_json::from_slice(bytes).ok()?;
    let keys = body.metrics.iter().map(|Object(metric)| &metric.key);
    let mut keys = keys.chain(body.params.iter().chain(&body.tags).map(|Object(entry)| &entry.key));
    if body.run_id.is_empty() || keys.any(|key| key.is_empty()) {
        return None;
    }
    let batch = RunBatch {
        metrics: body.metrics.into_iter().map(metric).collect(),
        params: body.params.into_iter().map(entry).collect(),
        tags: body.tags.into_iter().map(entry).collect(),
    };
    Some((body.run_id.into_owned(), batch))
}

fn metric(Object(fields): Object<MetricFields<'_>>) -> Metric {
    let stated = |text: Option<String>| text.filter(|text| !text.is_empty());
    Metric {
        key: fields.key.into_owned(),
        value: fields.value,
        timestamp: fields.timestamp,
        step: fields.step,
        model_id: stated(fields.model_id),
        dataset_name: stated(fields.dataset_name),
        dataset_digest: stated(fields.dataset_digest),
        run_id: None,
    }
}

fn entry(Object(entry): Object<Entry<'_>>) -> KeyValue {
    KeyValue::new(entry.key, entry.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_write_is_read_whole() {
        let body =
            br#"{"run_id": "r", "metrics": [{"key": "a\u0062", "value": 1, "timestamp": 5, "step": 2, "model_id": ""}],
                       "params": [{"key": "p", "value": "v"}], "tags": [{"key": "t"}]}"#;
        let (run_id, batch) = read(body).unwrap();
        assert_eq!(run_id, "r");
        let [metric] = batch.metrics.as_slice() else { panic!("one metric") };
        assert_eq!((metric.key.as_str(), metric.value, metric.timestamp, metric.step), ("ab", 1.0, 5, 2));
        assert_eq!(metric.model_id, None);
        assert_eq!((batch.params, batch.tags), (vec![KeyValue::new("p", "v")], vec![KeyValue::new("t", "")]));
    }

    #[test]
    fn the_unusual_is_left_to_those_who_know_every_convention() {
        for body in [
            r#"{"runId": "r"}"#,
            r#"{"run_id": ""}"#,
            r#"{"run_id": "r", "metrics": [{"key": "", "value": 1, "timestamp": 1}]}"#,
            r#"{"run_id": "r", "metrics": [{"key": "a", "value": "NaN", "timestamp": 1}]}"#,
            r#"{"run_id": "r", "metrics": [{"key": "a", "value": 1, "timestamp": "1"}]}"#,
            r#"{"run_id": "r", "metrics": [{"key": "a", "value": 1, "timestamp": 1, "step": null}]}"#,
            r#"{"run_id": "r", "tags": [{"key": "a", "value": 5}]}"#,
            r#"{"run_id": "r", "runId": "s"}"#,
            r#"["r", [], [], []]"#,
            r#"{"run_id": "r", "metrics": [["a", 1, 5]]}"#,
            r#"{"run_id": "r", "params": [["k", "v"]]}"#,
            r#"{"run_id": "r", "tags": [{"key": "k", "value": "v"}, ["k", "v"]]}"#,
        ] {
            assert!(read(body.as_bytes()).is_none(), "{body}");
        }
    }
}
