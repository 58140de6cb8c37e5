//! The shared point-in-time contract on both rails, from Parquet files on: what a training set holds, and, for labels
//! that ask about now, what is served after materialization.

use std::{path::Path, sync::Arc};

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::{Float64Type, Int64Type};
use chrono::{DateTime, NaiveDateTime};
use database::Database;
use features::{EntityRow, TrainingOptions};
use serde_json::{Value as Json, json};
use types::{Timestamp, Value};

use crate::world::{World, refs};

fn cases() -> Option<Vec<Json>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/features/point_in_time_cases.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        report(&format!("skipped: {} is not there", path.display()));
        return None;
    };
    let contract: Json = serde_json::from_str(&text).unwrap();
    Some(contract["cases"].as_array().unwrap().clone())
}

#[expect(clippy::print_stderr, reason = "a test says what it skipped and what it counted")]
fn report(line: &str) {
    eprintln!("{line}");
}

fn project(case: &Json) -> String {
    let kind = |name: &str| match case["feature_schema"][name].as_str().unwrap() {
        "double" => "float64",
        "int64" => "int64",
        _text => "string",
    };
    let keys = case["join_keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap());
    let keys: Vec<String> = keys.map(|key| format!("{{ name: {key}, type: {} }}", kind(key))).collect();
    let created = case["created_column"].as_str().map_or(String::new(), |name| format!(", created: {name}"));
    let ttl = case["ttl_us"].as_i64().map_or(String::new(), |ttl| format!("    ttl: {ttl}us\n"));
    format!(
        "version: 1\nentities:\n  - {{ name: e, join_keys: [{}] }}\nsources:\n  - {{ name: s, path: data/s.parquet, \
         event_time: event_timestamp{created} }}\nfeature_views:\n  - name: v\n    entity: e\n    source: s\n{ttl}    \
         features: [{{ name: f, type: {}, default: none }}]\n",
        keys.join(", "),
        kind("f")
    )
}

fn columns<'a>(schema: &'a Json, rows: &Json) -> Vec<(&'a str, ArrayRef)> {
    let fields = schema.as_object().unwrap().iter();
    fields.map(|(name, kind)| (name.as_str(), column(kind.as_str().unwrap(), rows, name))).collect()
}

fn column(kind: &str, rows: &Json, name: &str) -> ArrayRef {
    let cells = rows.as_array().unwrap().iter().map(|row| &row[name]);
    let micros = |cell: &Json| instant(cell).map(|time| time.timestamp_micros());
    match kind {
        "int64" => Arc::new(cells.map(Json::as_i64).collect::<Int64Array>()),
        "int32" => Arc::new(cells.map(|cell| cell.as_i64().map(|key| key as i32)).collect::<Int32Array>()),
        "string" => Arc::new(cells.map(Json::as_str).collect::<StringArray>()),
        "double" => {
            let number = |cell: &Json| if cell == "NaN" { Some(f64::NAN) } else { cell.as_f64() };
            Arc::new(cells.map(number).collect::<Float64Array>())
        }
        "timestamp[us]" => Arc::new(cells.map(micros).collect::<TimestampMicrosecondArray>()),
        "timestamp[ns, UTC]" => {
            let nanos = cells.map(|cell| instant(cell).and_then(|time| time.timestamp_nanos_opt()));
            Arc::new(nanos.collect::<TimestampNanosecondArray>().with_timezone("UTC"))
        }
        zoned => {
            let zone = if zoned.contains("+02:00") { "+02:00" } else { "UTC" };
            Arc::new(cells.map(micros).collect::<TimestampMicrosecondArray>().with_timezone(zone))
        }
    }
}

fn instant(cell: &Json) -> Option<DateTime<chrono::Utc>> {
    let text = cell.as_str()?;
    let naive = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|time| time.and_utc());
    Some(DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).or_else(|_| naive(text)).unwrap())
}

fn expectations(case: &Json) -> Vec<(bool, &Json)> {
    let expected = &case["expected"];
    match (expected.get("event_time"), expected.get("knowledge_time")) {
        (Some(event), Some(knowledge)) => vec![(false, event), (true, knowledge)],
        _one_for_both => vec![(false, expected), (true, expected)],
    }
}

fn values(column: &ArrayRef) -> Json {
    let value = |row| {
        if column.is_null(row) {
            Json::Null
        } else if let Some(integers) = column.as_primitive_opt::<Int64Type>() {
            json!(integers.value(row))
        } else if let Some(floats) = column.as_primitive_opt::<Float64Type>() {
            Value::Float64(floats.value(row)).to_json()
        } else {
            json!(column.as_string::<i32>().value(row))
        }
    };
    (0..column.len()).map(value).collect()
}

fn failed(error: &features::Error) -> Json {
    let text = error.to_string();
    json!({ "error": text.split(':').next().unwrap_or_default() })
}

database::testing::on_both! {
    async fn every_case_holds_offline_and_where_it_applies_online(db: Database) {
        let Some(cases) = cases() else { return };
        let (mut failures, mut online, mut mode_checks) = (Vec::new(), 0, 0);
        for case in &cases {
            let world = World::of(db.clone(), &project(case)).await;
            world.write("data/s.parquet", columns(&case["feature_schema"], &case["features"]));
            let labels = columns(&case["label_schema"], &case["labels"]).into_iter().map(|(name, column)| (name, column, true));
            let labels = RecordBatch::try_from_iter_with_nullable(labels).unwrap();
            for (as_known, expected) in expectations(case) {
                mode_checks += 1;
                let options = TrainingOptions { as_known, ..TrainingOptions::default() };
                let set = world.service.training_set(Arc::clone(&world.definitions), labels.clone(), refs(&["v:f"]), options);
                let found = match set.await {
                    Ok(set) => values(set.column_by_name("f").unwrap()),
                    Err(error) => failed(&error),
                };
                if found != *expected {
                    failures.push(format!("{} (as known: {as_known}): expected {expected}, found {found}", case["name"]));
                }
            }
            if let Some((found, expected)) = served(&world, case).await {
                online += 1;
                if found != expected {
                    failures.push(format!("{} (online): expected {expected}, found {found}", case["name"]));
                }
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        report(&format!("{} cases: {mode_checks} answers offline, {online} online", cases.len()));
    }
}

/// What is served at the labels' time after materializing then, if they all have one time, keys of the declared type
/// and an answer. What was not known then is not there, so it is the knowledge-time answer.
async fn served(world: &World, case: &Json) -> Option<(Json, Json)> {
    let (_, expected) = expectations(case).pop()?;
    let labels = case["labels"].as_array()?;
    let at = instant(&labels.first()?["event_timestamp"])?;
    let one_time = labels.iter().all(|label| instant(&label["event_timestamp"]) == Some(at));
    if !one_time || !expected.is_array() {
        return None;
    }
    let at = Timestamp::from_micros(at.timestamp_micros());
    world.clock.set(at);
    world.service.materialize(&world.definitions, None, None, at).await.unwrap();
    let plan = world.plan(&["v:f"]);
    let keys = |label: &Json| {
        plan.entity_keys().iter().map(|key| Value::from_json(&label[&key.name], key.value_type).unwrap()).collect()
    };
    let rows: Vec<EntityRow> =
        labels.iter().map(|label| EntityRow { keys: keys(label), ..EntityRow::default() }).collect();
    let answered = world.service.read_online(&plan, &rows).await.unwrap();
    Some((answered.iter().map(|row| row.cells[0].value.to_json()).collect(), expected.clone()))
}
