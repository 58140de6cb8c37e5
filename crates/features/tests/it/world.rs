//! A project folder with Parquet files, a clock that tests set, and a service over both.

use std::{path::Path, sync::Arc};

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use database::Database;
use features::{
    Config, Definitions, EntityRow, FeatureFile, FeatureRef, METRICS, PushRow, ReadPlan, Service, online, table,
};
use runtime::testing::ManualClock;
use serde_json::{Value as Json, json};
use telemetry::Metrics;
use tempfile::TempDir;
use types::{Timestamp, Value};

pub(crate) const PROJECT: &str = r#"
version: 1
entities:
  - { name: user, join_keys: [{ name: user_id, type: int64 }] }
  - { name: item, join_keys: [{ name: item_id, type: string }] }
sources:
  - { name: activity, path: data/activity/*.parquet, event_time: event_time, created: created_at }
  - { name: items, path: data/items.parquet, event_time: event_time }
request: [{ name: hour_of_day, type: int64 }]
feature_views:
  - name: activity
    entity: user
    source: activity
    ttl: 7d
    features:
      - { name: clicks, type: int64, default: 0 }
      - { name: country, type: string, expression: "upper(country)", default: none }
  - name: items
    entity: item
    source: items
    features:
      - { name: price, type: float64 }
on_demand_features:
  - { name: is_evening, type: int64, expression: "CASE WHEN hour_of_day >= 18 THEN 1 ELSE 0 END" }
  - { name: spend, type: float64, expression: "price * CAST(clicks AS DOUBLE)" }
"#;

/// `2026-11-20T00:00:00Z` and a number of hours.
pub(crate) fn hour(hours: i64) -> Timestamp {
    let start = Timestamp::parse("2026-11-20").unwrap();
    Timestamp::from_micros(start.as_micros() + hours * 3_600_000_000)
}

/// User, event hour, created hour, clicks, country.
pub(crate) type Activity<'a> = (i64, i64, Option<i64>, Option<i64>, Option<&'a str>);

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) service: Service,
    pub(crate) definitions: Arc<Definitions>,
}

impl World {
    /// With [`PROJECT`], and the time `hour(0)`.
    pub(crate) async fn new(database: Database) -> Self {
        Self::of(database, PROJECT).await
    }

    pub(crate) async fn of(database: Database, yaml: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file: FeatureFile = serde_saphyr::from_str(yaml).unwrap();
        let definitions = Arc::new(Definitions::compose(&[file]).unwrap());
        let clock = Arc::new(ManualClock::new(hour(0)));
        let store = online::open(&format!("redb:{}", dir.path().join("online.redb").display())).await.unwrap();
        let config = Config { project_dir: dir.path().to_owned() };
        let metrics = Metrics::new(&[METRICS]).unwrap();
        let service = Service::new(config, database, store, Arc::clone(&clock) as _, metrics);
        service.migrate().await.unwrap();
        service.migrate().await.unwrap();
        service.set_definitions(Arc::clone(&definitions));
        Self { dir, clock, service, definitions }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file of user activity.
    pub(crate) fn activity(&self, file: &str, rows: &[Activity<'_>]) {
        let micros = |hours: i64| hour(hours).as_micros();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("user_id", Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>())),
            ("event_time", times(rows.iter().map(|row| Some(micros(row.1))))),
            ("created_at", times(rows.iter().map(|row| row.2.map(micros)))),
            ("clicks", Arc::new(rows.iter().map(|row| row.3).collect::<Int64Array>())),
            ("country", Arc::new(rows.iter().map(|row| row.4).collect::<StringArray>())),
        ];
        self.write(&format!("data/activity/{file}"), columns);
    }

    /// Writes the items: id, event hour, price.
    pub(crate) fn items(&self, rows: &[(&str, i64, f64)]) {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("item_id", Arc::new(rows.iter().map(|row| Some(row.0)).collect::<StringArray>())),
            ("event_time", times(rows.iter().map(|row| Some(hour(row.1).as_micros())))),
            ("price", Arc::new(rows.iter().map(|row| Some(row.2)).collect::<Float64Array>())),
        ];
        self.write("data/items.parquet", columns);
    }

    pub(crate) fn write(&self, file: &str, columns: Vec<(&str, ArrayRef)>) {
        let path = self.dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let batch =
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)));
        std::fs::write(path, table::to_parquet(&batch.unwrap()).unwrap()).unwrap();
    }

    pub(crate) fn plan(&self, references: &[&str]) -> Arc<ReadPlan> {
        Arc::new(ReadPlan::new(&self.definitions, &refs(references)).unwrap())
    }

    pub(crate) async fn materialize(&self) -> Vec<features::MaterializeReport> {
        self.service.materialize(&self.definitions, None, None, self.service.now()).await.unwrap()
    }

    /// What is served of `references` for `user` and `item`, as JSON: value and origin; or why it is refused.
    pub(crate) async fn served(&self, references: &[&str], user: i64, item: &str) -> Json {
        let plan = self.plan(references);
        let row = entity(&plan, user, item);
        let row = self.service.read_online(&plan, &[row]).await.unwrap().remove(0);
        match row.refusal {
            Some(refusal) => json!(refusal.message),
            None => row.cells.iter().map(|cell| json!([cell.value.to_json(), cell.origin])).collect(),
        }
    }
}

pub(crate) fn times(micros: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

pub(crate) fn refs(references: &[&str]) -> Vec<FeatureRef> {
    references.iter().map(|text| FeatureRef::parse(text).unwrap()).collect()
}

/// A row of the plan, at 20 o'clock.
pub(crate) fn entity(plan: &ReadPlan, user: i64, item: &str) -> EntityRow {
    let key = |name: &str| if name == "user_id" { Value::Int64(user) } else { Value::String(item.to_owned()) };
    EntityRow {
        keys: plan.entity_keys().iter().map(|key_of| key(&key_of.name)).collect(),
        request: plan.request_values().iter().map(|_| Value::Int64(20)).collect(),
        overrides: Vec::new(),
    }
}

/// A pushed row of activity.
pub(crate) fn pushed(user: i64, event_hour: i64, clicks: i64, country: &str) -> PushRow {
    PushRow {
        keys: [("user_id".to_owned(), Value::Int64(user))].into(),
        values: [
            ("clicks".to_owned(), Value::Int64(clicks)),
            ("country".to_owned(), Value::String(country.to_owned())),
        ]
        .into(),
        event_time: hour(event_hour),
        created: None,
    }
}
