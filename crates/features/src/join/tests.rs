//! The rules one by one, the shared contract where it is at hand, and a naive scan as the oracle.

use std::{path::Path, sync::Arc};

use arrow::array::{
    Array as _, ArrayRef, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
    TimestampNanosecondArray,
};
use proptest::prelude::*;
use types::ValueType;

use super::*;

const DAY: i64 = 86_400_000_000;

fn micros(times: Vec<Option<i64>>) -> TimeColumn {
    let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times));
    TimeColumn::new("test", "t", &column).unwrap()
}

fn nanos(times: Vec<Option<i64>>) -> TimeColumn {
    let column: ArrayRef = Arc::new(TimestampNanosecondArray::from(times));
    TimeColumn::new("test", "t", &column).unwrap()
}

fn ints(keys: Vec<Option<i64>>) -> Vec<KeyColumn> {
    vec![KeyColumn::Int(Int64Array::from(keys))]
}

fn facts(rows: &[(Option<i64>, Option<i64>, Option<i64>)]) -> Facts {
    Facts {
        keys: ints(rows.iter().map(|row| row.0).collect()),
        event_time: micros(rows.iter().map(|row| row.1).collect()),
        created: Some(micros(rows.iter().map(|row| row.2).collect())),
    }
}

fn labels(rows: &[(Option<i64>, i64)]) -> Labels {
    Labels {
        keys: ints(rows.iter().map(|row| row.0).collect()),
        at: micros(rows.iter().map(|row| Some(row.1)).collect()),
        knowledge: None,
    }
}

fn seen(facts: &Facts, labels: &Labels, ttl: Option<i64>) -> Vec<Option<u32>> {
    point_in_time(facts, labels, ttl.map(Duration::from_micros)).iter().collect()
}

#[test]
fn label_sees_its_own_instant_and_no_later_one() {
    let facts = facts(&[(Some(1), Some(10), None), (Some(1), Some(11), None)]);
    assert_eq!(seen(&facts, &labels(&[(Some(1), 9), (Some(1), 10), (Some(1), 11)]), None), [None, Some(0), Some(1)]);
}

#[test]
fn ttl_includes_its_boundary() {
    let facts = facts(&[(Some(1), Some(0), None)]);
    assert_eq!(seen(&facts, &labels(&[(Some(1), DAY), (Some(1), DAY + 1)]), Some(DAY)), [Some(0), None]);
}

#[test]
fn ties_go_to_the_newest_created_then_to_the_last_row() {
    let tied = facts(&[
        (Some(1), Some(5), Some(7)),
        (Some(1), Some(5), None),
        (Some(2), Some(5), Some(7)),
        (Some(2), Some(5), Some(7)),
    ]);
    assert_eq!(seen(&tied, &labels(&[(Some(1), 9), (Some(2), 9)]), None), [Some(0), Some(3)]);
    let without = Facts { created: None, ..tied };
    assert_eq!(seen(&without, &labels(&[(Some(1), 9)]), None), [Some(1)]);
}

#[test]
fn what_was_created_later_is_not_known_yet() {
    let facts = facts(&[(Some(1), Some(5), Some(5)), (Some(1), Some(6), Some(20)), (Some(1), Some(4), None)]);
    let knowing = |at: i64| Labels { knowledge: Some(micros(vec![Some(at)])), ..labels(&[(Some(1), 10)]) };
    assert_eq!(seen(&facts, &knowing(19), None), [Some(0)]);
    assert_eq!(seen(&facts, &knowing(20), None), [Some(1)]);
    assert_eq!(seen(&facts, &knowing(4), None), [Some(2)], "a null created time was always known");
}

#[test]
fn null_keys_and_null_event_times_match_nothing() {
    let facts = facts(&[(None, Some(1), None), (Some(1), None, None)]);
    assert_eq!(seen(&facts, &labels(&[(None, 9), (Some(1), 9)]), None), [None, None]);
}

#[test]
fn a_nanosecond_after_the_label_is_the_future() {
    let facts = Facts { keys: ints(vec![Some(1)]), event_time: nanos(vec![Some(10_001)]), created: None };
    assert_eq!(seen(&facts, &labels(&[(Some(1), 10), (Some(1), 11)]), None), [None, Some(0)]);
    assert_eq!(facts.event_time.at(0), Some(types::Timestamp::from_micros(11)));
}

#[test]
fn keys_of_another_kind_are_refused_and_of_another_width_are_not() {
    let narrow: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["1"]));
    let wide: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX]));
    assert!(KeyColumn::new("labels", "k", &narrow, ValueType::Int64).is_ok());
    assert!(KeyColumn::new("labels", "k", &wide, ValueType::Int32).is_err());
    let error = KeyColumn::new("labels", "k", &text, ValueType::Int64).unwrap_err();
    assert!(error.to_string().contains("key type mismatch"), "{error}");
}

/// The contract that both rails are held to; the file lies beside the project, not in it.
#[test]
fn every_case_of_the_shared_contract_holds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/features/point_in_time_cases.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        report(&format!("skipped: {} is not there", path.display()));
        return;
    };
    let contract: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut failures = Vec::new();
    let cases = contract["cases"].as_array().unwrap();
    for case in cases {
        for (rule, expected) in contract::expectations(case) {
            let found = contract::answer(case, rule);
            if found != *expected {
                failures.push(format!("{} ({rule}): expected {expected}, found {found}", case["name"]));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    report(&format!("{} cases of the point-in-time contract hold", cases.len()));
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn report(line: &str) {
    eprintln!("{line}");
}

mod contract {
    //! Reads the cases: JSON rows and Arrow types as the file writes them.

    use chrono::{DateTime, NaiveDateTime};
    use serde_json::{Value, json};

    use super::*;

    pub(super) fn expectations(case: &Value) -> Vec<(&'static str, &Value)> {
        let expected = &case["expected"];
        match (expected.get("event_time"), expected.get("knowledge_time")) {
            (Some(event), Some(knowledge)) => vec![("event_time", event), ("knowledge_time", knowledge)],
            _one_for_both => vec![("event_time", expected)],
        }
    }

    pub(super) fn answer(case: &Value, rule: &str) -> Value {
        match evaluate(case, rule) {
            Ok(values) => Value::Array(values),
            Err(error) if error.to_string().starts_with("key type mismatch") => json!({"error": "key type mismatch"}),
            Err(error) if error.to_string().starts_with("null label timestamp") => {
                json!({"error": "null label timestamp"})
            }
            Err(error) => json!({"error": error.to_string()}),
        }
    }

    fn evaluate(case: &Value, rule: &str) -> Result<Vec<Value>, crate::Error> {
        let (schema, rows) = (&case["feature_schema"], &case["features"]);
        let (label_schema, label_rows) = (&case["label_schema"], &case["labels"]);
        let names: Vec<&str> = case["join_keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
        let keys = |place: &str, schema_of: &Value, rows: &Value| -> Result<Vec<KeyColumn>, crate::Error> {
            names
                .iter()
                .map(|name| {
                    let expected = if schema[*name] == "string" { ValueType::String } else { ValueType::Int64 };
                    KeyColumn::new(place, name, &column(schema_of[*name].as_str().unwrap(), rows, name), expected)
                })
                .collect()
        };
        let time = |place: &str, schema: &Value, rows: &Value, name: &str| {
            TimeColumn::new(place, name, &column(schema[name].as_str().unwrap(), rows, name))
        };
        let created = case["created_column"].as_str().map(|name| time("source", schema, rows, name)).transpose()?;
        let facts = Facts {
            keys: keys("source", schema, rows)?,
            event_time: time("source", schema, rows, "event_timestamp")?,
            created,
        };
        let at = time("labels", label_schema, label_rows, "event_timestamp")?;
        crate::offline::refuse_null_times(&at, "event_timestamp")?;
        let knowledge = (rule == "knowledge_time").then(|| at.clone());
        let labels = Labels { keys: keys("labels", label_schema, label_rows)?, at, knowledge };
        let ttl = case["ttl_us"].as_i64().filter(|ttl| *ttl > 0).map(Duration::from_micros);
        let indices = point_in_time(&facts, &labels, ttl);
        let values = column(schema["f"].as_str().unwrap(), rows, "f");
        let taken = arrow::compute::take(&values, &indices, None).unwrap();
        let kind = match schema["f"].as_str().unwrap() {
            "double" => ValueType::Float64,
            "int64" => ValueType::Int64,
            _text => ValueType::String,
        };
        Ok((0..taken.len()).map(|row| crate::columns::value_at(&taken, kind, row).to_json()).collect())
    }

    fn column(kind: &str, rows: &Value, name: &str) -> ArrayRef {
        let cells = rows.as_array().unwrap().iter().map(|row| &row[name]);
        match kind {
            "int64" => Arc::new(cells.map(Value::as_i64).collect::<Int64Array>()),
            "int32" => Arc::new(cells.map(|cell| cell.as_i64().map(|key| key as i32)).collect::<Int32Array>()),
            "string" => Arc::new(cells.map(Value::as_str).collect::<StringArray>()),
            "double" => {
                let number = |cell: &Value| if cell == "NaN" { Some(f64::NAN) } else { cell.as_f64() };
                Arc::new(cells.map(number).collect::<Float64Array>())
            }
            "timestamp[us]" => Arc::new(cells.map(instant).collect::<TimestampMicrosecondArray>()),
            "timestamp[us, UTC]" => {
                Arc::new(cells.map(instant).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
            }
            "timestamp[us, +02:00]" => {
                Arc::new(cells.map(instant).collect::<TimestampMicrosecondArray>().with_timezone("+02:00"))
            }
            "timestamp[ns, UTC]" => {
                let column: TimestampNanosecondArray = cells.map(nanosecond).collect();
                Arc::new(column.with_timezone("UTC"))
            }
            other => unreachable!("the contract has no type {other}"),
        }
    }

    fn parse(cell: &Value) -> Option<DateTime<chrono::Utc>> {
        let text = cell.as_str()?;
        let naive = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|time| time.and_utc());
        let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
        Some(zoned.or_else(|_| naive(text)).unwrap())
    }

    fn instant(cell: &Value) -> Option<i64> {
        parse(cell).map(|time| time.timestamp_micros())
    }

    fn nanosecond(cell: &Value) -> Option<i64> {
        parse(cell).and_then(|time| time.timestamp_nanos_opt())
    }
}

type Row = (Option<i64>, Option<i64>, Option<i64>);

/// The rule as a scan over all facts for each label.
fn naive(facts: &[Row], label: (Option<i64>, i64), known: Option<i64>, ttl: Option<i64>) -> Option<u32> {
    let (key, at) = label;
    facts
        .iter()
        .enumerate()
        .filter(|(_, fact)| key.is_some() && fact.0 == key)
        .filter_map(|(row, fact)| fact.1.map(|event| (event, fact.2, row)))
        .filter(|(event, created, _)| {
            *event <= at
                && ttl.is_none_or(|ttl| at - *event <= ttl)
                && known.is_none_or(|known| created.is_none_or(|created| created <= known))
        })
        .max()
        .map(|(_, _, row)| row as u32)
}

fn small() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![1 => Just(None), 9 => (-6_i64..6).prop_map(Some)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn the_join_is_the_naive_scan(
        rows in prop::collection::vec((small(), small(), small()), 0..40),
        asked in prop::collection::vec((small(), -6_i64..8, -6_i64..8), 0..20),
        ttl in prop::option::of(0_i64..6),
        knowing: bool,
        with_created: bool,
        in_nanos: bool,
    ) {
        let rows: Vec<Row> =
            rows.into_iter().map(|row| (row.0, row.1, row.2.filter(|_| with_created))).collect();
        let pairs: Vec<(Option<i64>, i64)> = asked.iter().map(|label| (label.0, label.1)).collect();
        let mut given = facts(&rows);
        if !with_created {
            given.created = None;
        }
        if in_nanos {
            given.event_time = nanos(rows.iter().map(|row| row.1.map(|micros| micros * 1_000)).collect());
        }
        let mut asking = labels(&pairs);
        if knowing {
            asking.knowledge = Some(micros(asked.iter().map(|label| Some(label.2)).collect()));
        }
        let expected: Vec<Option<u32>> = asked
            .iter()
            .map(|label| naive(&rows, (label.0, label.1), knowing.then_some(label.2), ttl))
            .collect();
        prop_assert_eq!(seen(&given, &asking, ttl), expected.clone());

        // The same keys as text, and as one part of a composite key.
        let text = |keys: &[KeyColumn]| -> KeyColumn {
            let KeyColumn::Int(keys) = &keys[0] else { unreachable!("made of integers") };
            KeyColumn::Text(keys.iter().map(|key| key.map(|key| key.to_string())).collect())
        };
        let composite = |keys: &[KeyColumn]| vec![keys[0].clone(), text(keys)];
        let (fact_keys, label_keys) = (composite(&given.keys), composite(&asking.keys));
        given.keys = vec![text(&given.keys)];
        asking.keys = vec![text(&asking.keys)];
        prop_assert_eq!(seen(&given, &asking, ttl), expected.clone());
        given.keys = fact_keys;
        asking.keys = label_keys;
        prop_assert_eq!(seen(&given, &asking, ttl), expected);
    }
}
