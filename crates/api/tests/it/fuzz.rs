//! Every call of MLflow's API with requests that no client sends: wrong types at each field, garbage for a body, escapes
//! in paths. Each is answered with 4xx in MLflow's error shape (or succeeds): never 500, never a broken connection.
//!
//! The corpus is made from a fixed seed, so that a failure is one that can be repeated.

use std::time::Duration;

use api::routes::Route;
use database::Database;
use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    sample::select,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

use crate::mlflow::{Server, serve, table};

/// Requests to each call that is built.
const CASES: usize = 48;
/// Requests to each call that answers 501, whatever it is asked.
const CASES_OF_UNBUILT: usize = 2;
/// Longest wait for one answer: a call that hangs is a failure, too.
const PATIENCE: Duration = Duration::from_secs(60);

/// Fields of MLflow's requests.
const FIELDS: &[&str] = &[
    "alias",
    "allow_deleted",
    "archive_existing_versions",
    "artifact_directory_path",
    "artifact_file_path",
    "artifact_location",
    "datasets",
    "description",
    "end_step",
    "end_time",
    "experiment_id",
    "experiment_ids",
    "experiment_name",
    "filter",
    "key",
    "max_results",
    "metric_key",
    "metrics",
    "model_id",
    "model_json",
    "models",
    "name",
    "new_name",
    "num_parts",
    "order_by",
    "page_token",
    "params",
    "parts",
    "path",
    "run_id",
    "run_ids",
    "run_link",
    "run_name",
    "run_uuid",
    "run_view_type",
    "source",
    "source_run_id",
    "stage",
    "stages",
    "start_step",
    "start_time",
    "status",
    "step",
    "tags",
    "timestamp",
    "upload_id",
    "user_id",
    "value",
    "version",
    "view_type",
];

/// Fields of objects inside requests.
const INNER: &[&str] = &[
    "ascending",
    "dataset",
    "dataset_digest",
    "dataset_name",
    "digest",
    "etag",
    "field_name",
    "key",
    "model_id",
    "name",
    "part_number",
    "profile",
    "schema",
    "source",
    "source_type",
    "step",
    "timestamp",
    "value",
];

/// A text that means something to some field, or to none.
fn text(known: Vec<String>) -> impl Strategy<Value = String> {
    let meaningful = [
        "",
        " ",
        "0",
        "1",
        "-1",
        "x",
        "NaN",
        "-Infinity",
        "true",
        "ALL",
        "DELETED_ONLY",
        "FINISHED",
        "Production",
        "LOGGED_MODEL_READY",
        "latest",
        "a/../b",
        "../../etc/passwd",
        "..%2f..%2fx",
        "%00",
        "a\u{0}b",
        "\u{feff}",
        "ä𝕏",
        "runs:/x/y",
        "models:/ranker/1",
        "models:/ranker@a",
        "mlflow-artifacts:/../x",
        "file:///etc/passwd",
        "s3://b/x",
        "metrics.a > 1",
        "params.a = 'x' AND",
        "tags.`a = 'x'",
        "name LIKE '%'",
        "run_id IN ('x'",
        "name = 'a' OR 1 = 1",
        "metrics.a > 99999999999999999999999",
        "attributes.start_time > 'x'",
        "version_number > 1e400",
        "metrics.a DESC",
        "a UP",
        "'; DROP TABLE runs; --",
        "eyJvZmZzZXQiOiA1fQ==",
        "eyJvZmZzZXQiOiAtMX0=",
        "e30=",
        "eyJvZmZzZXQiOiA5MjIzMzcyMDM2ODU0Nzc1ODA3fQ==",
        "{\"a\": [",
        "[[[[",
        "{}",
        "9223372036854775808",
    ];
    let meaningful: Vec<String> = meaningful.into_iter().map(str::to_owned).chain(known).collect();
    prop_oneof![6 => select(meaningful), 2 => "\\PC{0,24}", 1 => "[a-z./%:@ ]{0,40}", 1 => (0_usize..9_000).prop_map(|length| "x".repeat(length))]
}

/// Any JSON, a few levels deep.
fn value(known: Vec<String>) -> BoxedStrategy<Json> {
    let number = prop_oneof![
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        select(vec![0, 1, -1, 5, 50_001, i64::MAX, i64::MIN]).prop_map(Json::from),
        Just(Json::from(u64::MAX)),
    ];
    let leaf = prop_oneof![
        1 => Just(Json::Null),
        1 => any::<bool>().prop_map(Json::from),
        3 => number,
        6 => text(known.clone()).prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Json::from),
            btree_map(select(INNER), inner.clone(), 0..6).prop_map(object),
            vec(btree_map(select(INNER), inner, 0..6).prop_map(object), 0..4).prop_map(Json::from),
        ]
    })
    .boxed()
}

fn object(fields: std::collections::BTreeMap<&'static str, Json>) -> Json {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<serde_json::Map<_, _>>().into()
}

/// What is sent as a body.
#[derive(Debug, Clone)]
enum Body {
    Json(Json),
    Bytes(Vec<u8>),
}

fn body(known: Vec<String>) -> impl Strategy<Value = Body> {
    let fields = btree_map(select(FIELDS), value(known.clone()), 0..12).prop_map(|fields| Body::Json(object(fields)));
    let cut = btree_map(select(FIELDS), value(known.clone()), 1..6).prop_flat_map(|fields| {
        let bytes = object(fields).to_string().into_bytes();
        (0..bytes.len()).prop_map(move |end| Body::Bytes(bytes[..end].to_vec()))
    });
    prop_oneof![
        10 => fields,
        2 => cut,
        2 => value(known).prop_map(Body::Json),
        1 => vec(any::<u8>(), 0..64).prop_map(Body::Bytes),
        // Deeper than any parser's stack.
        1 => (1_usize..20_000).prop_map(|depth| Body::Bytes([b"{\"tags\":".to_vec(), b"[".repeat(depth)].concat())),
    ]
}

/// A whole request to one call.
#[derive(Debug, Clone)]
struct Case {
    /// Values for the parts of the path that vary.
    parts: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Body>,
    content_type: &'static str,
}

fn case(known: &[String]) -> impl Strategy<Value = Case> + use<> {
    let types =
        ["application/json"; 8].into_iter().chain(["text/plain", "application/octet-stream", "a/b; charset=\u{7f}"]);
    let query = vec((select(FIELDS), text(known.to_vec())), 0..8);
    let body = proptest::option::weighted(0.8, body(known.to_vec()));
    let parts = vec(text(known.to_vec()), 3);
    (parts, query, body, select(types.collect::<Vec<_>>())).prop_map(|(parts, query, body, content_type)| Case {
        parts,
        query,
        body,
        content_type,
    })
}

/// The path of a route with its varying parts filled in.
fn filled(route: &Route, parts: &[String]) -> String {
    let mut parts = parts.iter();
    let filled = route.path.split('/').map(|segment| {
        if !segment.starts_with('{') {
            return segment.to_owned();
        }
        let text = parts.next().map(String::as_str).unwrap_or_default();
        let encoded: String = text.bytes().take(400).map(|byte| format!("%{byte:02X}")).collect();
        if encoded.is_empty() { "x".to_owned() } else { encoded }
    });
    filled.collect::<Vec<_>>().join("/")
}

/// Asks, and says what is wrong with the answer.
async fn ask(server: &Server, route: &Route, case: &Case) -> Result<(), String> {
    let mut request = server.http.request(route.method.clone(), server.url(&filled(route, &case.parts)));
    request = request.timeout(PATIENCE).query(&case.query);
    if let Some(body) = &case.body {
        request = request.header("content-type", case.content_type);
        request = match body {
            Body::Json(json) => request.body(json.to_string()),
            Body::Bytes(bytes) => request.body(bytes.clone()),
        };
    }
    // A header that cannot be sent is no request.
    let Ok(request) = request.build() else { return Ok(()) };
    let answer = server.http.execute(request).await.map_err(|error| format!("no answer: {error:?}"))?;
    let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
    if status.is_success() {
        return Ok(());
    }
    let json: Json = serde_json::from_str(&text).map_err(|_| format!("{status} without JSON: {text}"))?;
    let (code, message) = (json["error_code"].as_str(), json["message"].as_str());
    let (Some(code), Some(message)) = (code, message) else { return Err(format!("{status} in another shape: {json}")) };
    let is_allowed = status.is_client_error()
        || (status == StatusCode::NOT_IMPLEMENTED && code == "NOT_IMPLEMENTED")
        // MLflow's own answer to the renaming of a deleted experiment.
        || (code == "INVALID_STATE" && message.starts_with("Cannot rename a non-active experiment"))
        // And to a file of another host, on which its own tests insist.
        || (code == "INTERNAL_ERROR" && message.contains("is not a valid remote uri"));
    if is_allowed { Ok(()) } else { Err(format!("{status}: {json}")) }
}

/// Things that exist, so that requests come further than to the first look-up.
async fn populate(server: &Server) -> Vec<String> {
    let post = async |path: &str, body: Json| {
        let (status, answer) = server.call(Method::POST, &format!("/api/2.0/mlflow/{path}"), Some(body)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    };
    let run = post("runs/create", json!({ "experiment_id": "0" })).await;
    let run = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    let model = post("logged-models", json!({ "experiment_id": "0", "name": "m" })).await;
    let model = model["model"]["info"]["model_id"].as_str().unwrap().to_owned();
    post("registered-models/create", json!({ "name": "ranker" })).await;
    post("model-versions/create", json!({ "name": "ranker", "source": "s3://b/m" })).await;
    let deleted = post("experiments/create", json!({ "name": "deleted" })).await;
    let deleted = deleted["experiment_id"].as_str().unwrap().to_owned();
    post("experiments/delete", json!({ "experiment_id": &deleted })).await;
    vec![format!("runs:/{run}/x"), run, format!("models:/{model}"), model, "ranker".to_owned(), deleted]
}

database::testing::on_both! {
    async fn requests_that_no_client_sends_are_refused_and_break_nothing(db: Database) {
        let mut server = serve(db.clone(), true).await;
        // A connection each: the server closes one of which it did not read all, and the next request must not meet that.
        server.http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        let known = populate(&server).await;
        let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, b"requests that no client sends!!!"));
        let strategy = case(&known);
        let mut wrong = Vec::new();
        let mut asked = 0;
        for route in table(&db).await {
            let (status, answer) = server.call(route.method.clone(), &filled(&route, &[]), None).await;
            let is_built = status != StatusCode::NOT_IMPLEMENTED || answer["error_code"] != "NOT_IMPLEMENTED";
            for _ in 0..if is_built { CASES } else { CASES_OF_UNBUILT } {
                let case = strategy.new_tree(&mut runner).unwrap().current();
                asked += 1;
                if let Err(what) = ask(&server, &route, &case).await {
                    wrong.push(format!("{} {}: {what}\n    {case:?}", route.method, route.path));
                }
            }
        }
        let shown: Vec<String> = wrong.iter().take(20).map(|text| text.chars().take(1_500).collect()).collect();
        assert!(wrong.is_empty(), "{} of {asked} requests:\n{}", wrong.len(), shown.join("\n"));
        assert!(asked > 4_000, "{asked}");
        let (status, answer) = server.call(Method::POST, "/api/2.0/mlflow/runs/create", Some(json!({ "experiment_id": "0", "run_name": "after" }))).await;
        assert!(status == StatusCode::OK || answer["message"].to_string().contains("active"), "{answer}");
    }

    async fn bodies_that_are_too_large_or_broken_off_are_refused(db: Database) {
        let server = serve(db, true).await;
        let url = server.url("/api/2.0/mlflow/runs/log-batch");
        let huge = format!("{{\"run_id\": \"{}\"}}", "x".repeat(65 * 1024 * 1024));
        let answer = server.http.post(&url).header("content-type", "application/json").body(huge).send().await;
        // The server may close the connection before it has read it all; then there is no answer to read.
        if let Ok(answer) = answer {
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
            assert_eq!(answer.json::<Json>().await.unwrap()["error_code"], "INVALID_PARAMETER_VALUE");
        }
        let half = tokio::net::TcpStream::connect(server.address).await.unwrap();
        half.writable().await.unwrap();
        half.try_write(b"POST /api/2.0/mlflow/runs/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"exp").unwrap();
        drop(half);
        let (status, _) = server.call(Method::GET, "/health", None).await;
        assert_eq!(status, StatusCode::OK);
        let (status, found) = server.call(Method::POST, "/api/2.0/mlflow/runs/search", Some(json!({ "experiment_ids": ["0"] }))).await;
        assert_eq!((status, found), (StatusCode::OK, json!({})), "half a request makes no run");
    }
}
