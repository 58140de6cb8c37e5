//! The routes as a caller meets them: Parquet and JSON in, Parquet and JSON out, errors that name what is wrong.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray as _, Int64Array, RecordBatch, TimestampMicrosecondArray},
    datatypes::Int64Type,
};
use axum::{
    Router,
    routing::{get, post},
};
use database::Database;
use features::{Config, FeatureFile, METRICS};
use http::{Request, StatusCode};
use runtime::testing::ManualClock;
use telemetry::Metrics;
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::*;

const FEATURES: &str = r#"{
    "version": 1,
    "entities": [{"name": "user", "join_keys": [{"name": "user_id", "type": "int64"}]}],
    "sources": [{"name": "activity", "path": "activity.parquet", "event_time": "event_timestamp"}],
    "request": [{"name": "hour", "type": "int64"}],
    "feature_views": [{"name": "activity", "entity": "user", "source": "activity", "ttl": "7d",
        "features": [{"name": "clicks", "type": "int64", "default": 0}]}],
    "on_demand_features": [{"name": "late", "type": "bool", "expression": "hour > 18"}]
}"#;

/// A service with one view, whose source has clicks of users 1 and 2 of the day before.
struct Server {
    router: Router,
    _dir: TempDir,
}

fn at(hours: i64) -> i64 {
    Timestamp::parse("2026-11-20").unwrap().as_micros() + hours * 3_600_000_000
}

fn parquet(columns: &[(&str, Vec<i64>)]) -> Vec<u8> {
    let columns = columns.iter().map(|(name, values)| {
        let array: ArrayRef = if *name == "event_timestamp" {
            Arc::new(TimestampMicrosecondArray::from(values.clone()).with_timezone("UTC"))
        } else {
            Arc::new(Int64Array::from(values.clone()))
        };
        (*name, array)
    });
    features::table::to_parquet(&RecordBatch::try_from_iter(columns).unwrap()).unwrap()
}

impl Server {
    async fn new(database: Database) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let rows = parquet(&[("user_id", vec![1, 2]), ("event_timestamp", vec![at(-24); 2]), ("clicks", vec![10, 20])]);
        std::fs::write(dir.path().join("activity.parquet"), rows).unwrap();
        let file: FeatureFile = serde_json::from_str(FEATURES).unwrap();
        let store = features::online::open(&format!("redb:{}", dir.path().join("online").display())).await.unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(at(0))));
        let config = Config { project_dir: dir.path().to_owned() };
        let service = Service::new(config, database, store, clock, Metrics::new(&[METRICS]).unwrap());
        service.migrate().await.unwrap();
        service.set_definitions(Arc::new(Definitions::compose(&[file]).unwrap()));
        let router = Router::new()
            .route("/", get(list))
            .route("/historical", post(historical))
            .route("/online", post(online))
            .route("/push", post(push))
            .route("/materialize", post(materialize))
            .with_state(service);
        Self { router, _dir: dir }
    }

    async fn call(&self, request: Request<Body>) -> (StatusCode, Bytes) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        (response.status(), to_bytes(response.into_body(), LARGEST_TABLE).await.unwrap())
    }

    async fn post(&self, path: &str, json: JsonValue) -> (u16, JsonValue) {
        let request =
            Request::post(path).header(CONTENT_TYPE, "application/json").body(Body::from(json.to_string())).unwrap();
        let (status, body) = self.call(request).await;
        (status.as_u16(), serde_json::from_slice(&body).unwrap())
    }
}

fn message(answer: &(u16, JsonValue)) -> &str {
    answer.1["error"]["message"].as_str().unwrap()
}

database::testing::on_both! {
    async fn values_are_materialized_pushed_and_read(db: Database) {
        let server = Server::new(db).await;
        let (status, report) = server.post("/materialize", json!({})).await;
        assert_eq!((status, &report["views"][0]["rows"]), (200, &json!(2)));
        let row = json!({"user_id": 2, "clicks": 25, "event_timestamp": "2026-11-19T23:00:00Z"});
        let pushed = server.post("/push", json!({"view": "activity", "rows": [row]})).await;
        assert_eq!(pushed, (200, json!({"rows": 1, "superseded": 0})));
        let asked = json!({
            "features": ["activity:clicks", "on_demand:late"],
            "rows": [{"user_id": 1, "hour": 20}, {"user_id": 2, "hour": 3}, {"user_id": 3, "clicks": 7}],
        });
        let (status, answer) = server.post("/online", asked).await;
        assert_eq!(status, 200, "{answer}");
        let clicks = |row: usize| json!([answer["rows"][row]["features"]["clicks"]["value"], answer["rows"][row]["features"]["clicks"]["origin"]]);
        assert_eq!([clicks(0), clicks(1), clicks(2)], [json!([10, "materialized"]), json!([25, "pushed"]), json!([7, "override"])]);
        assert_eq!(answer["rows"][1]["features"]["clicks"]["age_seconds"], json!(3600.0));
        assert_eq!(answer["rows"][0]["features"]["late"]["value"], json!(true));
        assert_eq!(answer["rows"][2]["refused"], json!("the request value `hour` is missing"));
        let (status, listed) = server.call(Request::get("/").body(Body::empty()).unwrap()).await;
        let listed: JsonValue = serde_json::from_slice(&listed).unwrap();
        assert_eq!((status.as_u16(), &listed["views"][0]["watermark"]), (200, &json!("2026-11-20T00:00:00Z")));
        assert!(listed["on_demand"][0]["digest"].as_str().unwrap().starts_with("sha256:"));
    }

    async fn label_rows_come_back_as_parquet_with_their_features(db: Database) {
        let server = Server::new(db).await;
        let labels = parquet(&[("user_id", vec![2, 9, 1]), ("event_timestamp", vec![at(0), at(0), at(-30)]), ("hour", vec![1, 20, 3])]);
        let path = "/historical?features=activity:clicks,on_demand:late&event_timestamp=event_timestamp";
        let request = Request::post(path).body(Body::from(labels.clone())).unwrap();
        let response = server.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()[ROWS], "3");
        let joined = table::from_parquet(to_bytes(response.into_body(), LARGEST_TABLE).await.unwrap()).unwrap();
        assert_eq!(joined.column_by_name("clicks").unwrap().as_primitive::<Int64Type>().values(), &[20, 0, 0]);
        let late: Vec<Option<bool>> = joined.column_by_name("late").unwrap().as_boolean().iter().collect();
        assert_eq!(late, [Some(false), Some(true), Some(false)]);
        for (path, body, status, expected) in [
            ("/historical?features=activity:click", labels.clone(), 404, "did you mean `activity:clicks`?"),
            ("/historical?features=clicks", labels.clone(), 400, "`clicks` is not a valid feature reference"),
            ("/historical?features=activity:clicks", b"not parquet".to_vec(), 400, "not Parquet"),
        ] {
            let (found, body) = server.call(Request::post(path).body(Body::from(body)).unwrap()).await;
            let text = String::from_utf8(body.to_vec()).unwrap();
            assert!(found.as_u16() == status && text.contains(expected), "{path}: {found} {text}");
        }
    }

    async fn requests_that_do_not_fit_are_refused_by_name(db: Database) {
        let server = Server::new(db).await;
        for (path, body, expected) in [
            ("/push", json!({"view": "activity", "rows": [{"user_id": "x"}]}), "`user_id` is int64, and \"x\" is not"),
            ("/push", json!({"views": "activity"}), "unknown field `views`"),
            ("/online", json!({"features": ["activity:clicks"], "rows": [{"user_id": 1, "clics": 2}]}), "there is no `clics`"),
            ("/materialize", json!({"end": "2027-01-01"}), "cannot materialize until 2027-01-01T00:00:00Z"),
        ] {
            let answer = server.post(path, body).await;
            assert_eq!(answer.0, 400, "{answer:?}");
            assert!(message(&answer).contains(expected), "{expected}: {answer:?}");
        }
        let unknown = server.post("/push", json!({"view": "activty", "rows": []})).await;
        assert_eq!((unknown.0, message(&unknown)), (404, "there is no feature view `activty`; did you mean `activity`?"));
    }
}
