//! MLflow's API over HTTP: the stock client, and what no client of MLflow's sends.

use std::{net::SocketAddr, path::Path, sync::Arc};

use api::{
    auth::Gate,
    mlflow::{MlflowState, routes},
    routes::{Access, Route, router},
};
use artifacts::Store;
use database::Database;
use registry::Config;
use reqwest::{Method, StatusCode};
use runtime::SystemClock;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use types::{Principal, Role};

/// The variable that names a Python with the official clients.
const PYTHON: &str = "CROSSTIE_TEST_PYTHON";

/// A server on a free port, and the folder of its artifacts.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    identity: identity::Service,
    pub(crate) http: reqwest::Client,
    _folder: TempDir,
}

pub(crate) async fn serve(db: Database, anonymous_allowed: bool) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = Store::open(folder.path().to_str().unwrap()).unwrap();
    let identity = identity::Service::new(db.clone(), Arc::new(SystemClock));
    identity.migrate().await.unwrap();
    let registry = registry::Service::new(Config::default(), db, artifacts.clone(), Arc::new(SystemClock));
    registry.migrate().await.unwrap();
    let table = routes(&MlflowState { registry, artifacts });
    let router = router(table, &Gate::new(identity.clone(), anonymous_allowed));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    runtime::tls::use_ring();
    Server { address, identity, http: reqwest::Client::new(), _folder: folder }
}

/// The table of routes, over a registry of its own folder.
pub(crate) async fn table(db: &Database) -> Vec<Route> {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = Store::open(folder.path().to_str().unwrap()).unwrap();
    let registry = registry::Service::new(Config::default(), db.clone(), artifacts.clone(), Arc::new(SystemClock));
    routes(&MlflowState { registry, artifacts })
}

impl Server {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// For requests that are no calls.
    pub(crate) const fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Status and JSON of the answer; null if it is none.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Json>) -> (StatusCode, Json) {
        let mut request = self.http.request(method, self.url(path));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Json::Null))
    }
}

/// Calls that only look and are no GET.
pub(crate) const LOOKS: [&str; 12] = [
    "/2.0/mlflow/artifacts/presigned-download-url",
    "/2.0/mlflow/experiments/search",
    "/2.0/mlflow/experiments/search-datasets",
    "/2.0/mlflow/gateway-proxy",
    "/2.0/mlflow/logged-models/search",
    "/2.0/mlflow/registered-models/get-latest-versions",
    "/2.0/mlflow/runs/search",
    "/3.0/mlflow/datasets/search",
    "/3.0/mlflow/traces/metrics",
    "/3.0/mlflow/traces/search",
    "/3.0/mlflow/ui-telemetry",
    "/graphql",
];

#[test]
fn every_call_of_mlflow_is_in_the_table_once_with_the_access_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let table = runtime.block_on(async {
        let uri = format!("sqlite:{}", folder.path().join("t.db").display());
        let db = Database::connect(&uri, &runtime::Tasks::new()).await.unwrap();
        table(&db).await
    });
    let open: Vec<_> = table.iter().filter(|route| route.access == Access::Open).map(|route| &route.path).collect();
    assert_eq!(open, ["/health", "/version", "/ajax-api/3.0/mlflow/server-info", "/api/3.0/mlflow/server-info"]);
    let mut calls: Vec<_> = table.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    calls.sort_unstable();
    let total = calls.len();
    calls.dedup();
    assert_eq!(calls.len(), total);
    for route in table.iter().filter(|route| route.access != Access::Open) {
        let path = route.path.trim_start_matches("/ajax-api").trim_start_matches("/api");
        // Whoever knows a webhook's URL can often speak to its receiver.
        let gets = route.method == Method::GET && !path.starts_with("/2.0/mlflow/webhooks");
        let looks = gets || route.method == Method::POST && LOOKS.contains(&path);
        let needed = Access::Role(if looks { Role::Viewer } else { Role::Editor });
        assert_eq!(route.access, needed, "{} {}", route.method, route.path);
    }
}

database::testing::on_both! {
    #[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "tests find their tools in the environment")]
    async fn the_stock_client_logs_registers_and_loads_back(db: Database) {
        let Ok(python) = std::env::var(PYTHON) else {
            assert!(std::env::var("CI").is_err(), "{PYTHON} is not set");
            eprintln!("skipped: {PYTHON} is not set");
            return;
        };
        let server = serve(db, true).await;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/mlflow_client.py");
        let output = tokio::process::Command::new(python).arg(script).arg(server.url("")).output().await.unwrap();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
        assert!(said(&output.stdout).contains("checks held with mlflow 3.17.2"));
    }

    async fn what_is_wrong_with_a_request_is_said_in_mlflows_words(db: Database) {
        let server = serve(db, true).await;
        let api = |path: &str| format!("/api/2.0/mlflow/{path}");
        for (path, body, code, text) in [
            ("experiments/create", json!({}), "INVALID_PARAMETER_VALUE", "Missing value for required parameter 'name'."),
            ("experiments/create", json!({ "name": 5 }), "INVALID_PARAMETER_VALUE", "Invalid value 5 for parameter 'name'"),
            ("experiments/create", json!({ "name": "Default" }), "RESOURCE_ALREADY_EXISTS", "already exists"),
            ("runs/create", json!({ "experiment_id": "99" }), "RESOURCE_DOES_NOT_EXIST", "No Experiment with id=99"),
            ("runs/search", json!({ "max_results": 50_001 }), "INVALID_PARAMETER_VALUE", "parameter 'max_results'"),
            (
                "runs/log-batch",
                json!({ "run_id": "r", "metrics": [{ "key": "a" }] }),
                "INVALID_PARAMETER_VALUE",
                "parameter 'metrics[0].value'",
            ),
            (
                "runs/create",
                json!({ "experiment_id": "0", "experimentId": "1" }),
                "INVALID_PARAMETER_VALUE",
                "Request specifies both 'experiment_id' and 'experimentId'; provide only one of them.",
            ),
            ("traces", json!({}), "NOT_IMPLEMENTED", "does not have"),
        ] {
            let (status, answer) = server.call(Method::POST, &api(path), Some(body)).await;
            assert!(status.is_client_error() || status == StatusCode::NOT_IMPLEMENTED, "{path}: {status}");
            assert_eq!(answer["error_code"], code, "{path}: {answer}");
            assert!(answer["message"].as_str().unwrap().contains(text), "{path}: {answer}");
        }
        let file = "/ajax-api/2.0/mlflow/logged-models/m-1/artifacts/files?artifact_file_path=";
        let (status, answer) = server.call(Method::GET, file, None).await;
        assert_eq!((status, &answer["error_code"]), (StatusCode::BAD_REQUEST, &json!("BAD_REQUEST")));
        assert_eq!(answer["message"], "Request must include the \"artifact_file_path\" query parameter.");
        let (status, _) = server.call(Method::GET, &api("no/such/call"), None).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        let form = server.http.post(server.url(&api("experiments/create"))).body("{\"name\":\"x\"}");
        let form = form.header("content-type", "text/plain").send().await.unwrap();
        assert_eq!(form.status(), StatusCode::BAD_REQUEST, "a form of another site");
        let garbage = server.http.post(server.url(&api("runs/create"))).body("{").header("content-type", "application/json");
        assert_eq!(garbage.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    }

    async fn a_batch_may_be_long_and_its_values_are_cut(db: Database) {
        let server = serve(db, true).await;
        let api = |call: &str| format!("/api/2.0/mlflow/runs/{call}");
        let (_, made) = server.call(Method::POST, &api("create"), Some(json!({ "experiment_id": "0" }))).await;
        let id = made["run"]["info"]["run_id"].as_str().unwrap();
        let value = "v".repeat(20_000);
        let params: Vec<Json> = (0..100).map(|number| json!({ "key": format!("p{number}"), "value": value })).collect();
        let (status, answer) =
            server.call(Method::POST, &api("log-batch"), Some(json!({ "run_id": id, "params": params }))).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let (_, read) = server.call(Method::GET, &api(&format!("get?run_id={id}")), None).await;
        let read = read["run"]["data"]["params"].as_array().unwrap();
        assert!(read.len() == 100 && read.iter().all(|param| param["value"].as_str().unwrap().len() == 6_000));
        let listed = json!({ "run_id": id, "params": [["listed", "v"]] });
        let (status, _) = server.call(Method::POST, &api("log-batch"), Some(listed)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "a list is no object");
    }

    async fn a_page_of_logged_models_has_fifty_unless_another_number_is_asked_for(db: Database) {
        let server = serve(db, true).await;
        for number in 0..51 {
            let model = json!({ "experiment_id": "0", "name": format!("m{number}") });
            let (status, answer) = server.call(Method::POST, "/api/2.0/mlflow/logged-models", Some(model)).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
        }
        let page = async |most: Json| {
            let search = json!({ "experiment_ids": ["0"], "max_results": most });
            let (_, found) = server.call(Method::POST, "/api/2.0/mlflow/logged-models/search", Some(search)).await;
            (found["models"].as_array().unwrap().len(), found["next_page_token"].is_string())
        };
        assert_eq!(page(Json::Null).await, (50, true));
        assert_eq!(page(json!(0)).await, (51, false));
        assert_eq!(page(json!(10)).await, (10, true));
    }

    async fn artifacts_stay_in_their_store_and_never_run_in_a_browser(db: Database) {
        let server = serve(db, true).await;
        let base = "/api/2.0/mlflow-artifacts/artifacts";
        for path in ["..%2f..%2fetc%2fpasswd", "a%2f..%2f..%2fx", "%252e%252e%252fx", "a%5c..%5cx", "a%00b", "x%2f.%2fy"] {
            for method in [Method::GET, Method::PUT, Method::DELETE] {
                let (status, answer) = server.call(method.clone(), &format!("{base}/{path}"), None).await;
                assert_eq!(status, StatusCode::BAD_REQUEST, "{method} {path}: {answer}");
            }
        }
        let page = "<script>alert(1)</script>";
        let put = server.http.put(server.url(&format!("{base}/0/a b/page.html"))).body(page).send().await.unwrap();
        assert_eq!(put.status(), StatusCode::OK);
        let got = server.http.get(server.url(&format!("{base}/0/a%20b/page.html"))).send().await.unwrap();
        assert_eq!(got.headers()["content-type"], "text/plain");
        assert_eq!(got.headers()["content-disposition"], "attachment; filename=page.html");
        assert_eq!(got.headers()["x-content-type-options"], "nosniff");
        assert_eq!(got.text().await.unwrap(), page);
        let (_, listed) = server.call(Method::GET, &format!("{base}?path=0/a%20b"), None).await;
        assert_eq!(listed, json!({ "files": [{ "path": "page.html", "is_dir": false, "file_size": page.len() }] }));
        let parts = json!({ "path": "/home/me/a.bin", "num_parts": 2 });
        let (status, answer) = server.call(Method::POST, "/api/2.0/mlflow-artifacts/mpu/create/x", Some(parts)).await;
        assert_eq!(status, StatusCode::NOT_IMPLEMENTED);
        assert_eq!(answer["message"], "Multipart upload is not supported for the current artifact repository");
    }

    async fn a_token_decides_who_may_write_and_who_the_author_is(db: Database) {
        let server = serve(db, false).await;
        let admin = Principal::known("root", Role::Admin);
        let viewer = server.identity.create_token(&admin, "vera", Role::Viewer).await.unwrap();
        let editor = server.identity.create_token(&admin, "ada", Role::Editor).await.unwrap();
        let create = |token: Option<String>| {
            let request = server.http.post(server.url("/api/2.0/mlflow/registered-models/create"));
            let request = request.json(&json!({ "name": "ranker" }));
            match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            }
        };
        let status = async |token: Option<String>| create(token).send().await.unwrap().status();
        assert_eq!(status(None).await, StatusCode::UNAUTHORIZED);
        assert_eq!(status(Some("ct_nobody".to_owned())).await, StatusCode::UNAUTHORIZED);
        assert_eq!(status(Some(viewer.expose().clone())).await, StatusCode::FORBIDDEN);
        assert_eq!(status(Some(editor.expose().clone())).await, StatusCode::OK);
        let (status, _) = server.call(Method::GET, "/health", None).await;
        assert_eq!(status, StatusCode::OK, "health needs no token");
    }
}
