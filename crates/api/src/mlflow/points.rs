//! A metric's history as JSON, written as it goes: a run may have a million points, which as a tree of JSON values would
//! take a gigabyte and most of the time.

use registry::{Page, Point};
use serde::{Serialize, Serializer, ser::SerializeSeq as _};

/// `{"metrics": […], "next_page_token": …}`, in bytes.
pub(super) fn history(key: &str, page: &Page<Point>) -> serde_json::Result<Vec<u8>> {
    /// What a point takes in JSON with a key and a value of usual length.
    const POINT: usize = 96;
    let mut bytes = Vec::with_capacity(page.items.len() * POINT + POINT);
    let metrics = Points { key, points: &page.items };
    serde_json::to_writer(&mut bytes, &Body { metrics, next_page_token: page.next.as_deref() })?;
    Ok(bytes)
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Points::is_empty")]
    metrics: Points<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<&'a str>,
}

struct Points<'a> {
    key: &'a str,
    points: &'a [Point],
}

impl Points<'_> {
    fn is_empty(&self) -> bool {
        self.points.is_empty()
    }
}

impl Serialize for Points<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.points.len()))?;
        for Point { value, timestamp, step } in self.points {
            list.serialize_element(&Entry { key: self.key, value: Float(*value), timestamp: *timestamp, step: *step })?;
        }
        list.end()
    }
}

#[derive(Serialize)]
struct Entry<'a> {
    key: &'a str,
    value: Float,
    timestamp: i64,
    step: i64,
}

/// A float; JSON has no word for some, MLflow has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Float(pub(super) f64);

impl Serialize for Float {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(value) = *self;
        if value.is_nan() {
            serializer.serialize_str("NaN")
        } else if value.is_infinite() {
            serializer.serialize_str(if value > 0.0 { "Infinity" } else { "-Infinity" })
        } else {
            serializer.serialize_f64(value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_written_as_any_metric_is() {
        let point = |value, step| Point { value, timestamp: 7, step };
        let values = [1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 2.0];
        let items: Vec<Point> = values.into_iter().zip(0..).map(|(value, step)| point(value, step)).collect();
        let metrics: Vec<_> = items.iter().map(|point| super::super::wire::metric(&point.of("a\"b"))).collect();
        let written = history("a\"b", &Page { items, next: Some("t".to_owned()) }).unwrap();
        let written: serde_json::Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(written, serde_json::json!({ "metrics": metrics, "next_page_token": "t" }));
        assert_eq!(history("a", &Page { items: Vec::new(), next: None }).unwrap(), b"{}");
    }
}
