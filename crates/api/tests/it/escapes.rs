//! Paths that would lead out of the artifact store, in every encoding, on every route that takes one.
//!
//! The router is asked without an HTTP client between, since clients tidy paths up before they send them.

use std::{fs, sync::Arc};

use api::{
    auth::Gate,
    mlflow::{MlflowState, routes},
    routes::router,
};
use artifacts::Store;
use axum::{Router, body::Body};
use database::Database;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use runtime::SystemClock;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::mlflow::table;

/// As they stand in an address.
const ESCAPES: [&str; 30] = [
    "..",
    "../secret",
    "../../secret",
    "a/../../secret",
    "a/..",
    "./secret",
    "a/./secret",
    "a//secret",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "%252fetc%252fpasswd",
    "%2e%2e/secret",
    "%2E%2E%2Fsecret",
    ".%2e/secret",
    "..%2fsecret",
    "a%2f..%2f..%2fsecret",
    "%252e%252e%252fsecret",
    "%25252e%25252e%25252fsecret",
    "%2525252525252525252e%2525252525252525252e/secret",
    "..%5csecret",
    "a%5c..%5c..%5csecret",
    "..%255csecret",
    "%5c%5chost%5cshare",
    "C:%5csecret",
    "C:/secret",
    "c%3a/secret",
    "file:%2f%2f%2fetc%2fpasswd",
    "a%00b",
    "a%0ab",
    ".crosstie-partial/x",
];

struct World {
    router: Router,
    folder: TempDir,
    run: String,
    model: String,
}

impl World {
    async fn new(db: Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        let artifacts = Store::open(folder.path().join("store").to_str().unwrap()).unwrap();
        let identity = identity::Service::new(db.clone(), Arc::new(SystemClock));
        identity.migrate().await.unwrap();
        let config = registry::Config::default();
        let registry = registry::Service::new(config, db, artifacts.clone(), Arc::new(SystemClock));
        registry.migrate().await.unwrap();
        let router = router(routes(&MlflowState { registry, artifacts }), &Gate::new(identity, true));
        let mut world = Self { router, folder, run: String::new(), model: String::new() };
        let made = world.made("runs/create", json!({ "experiment_id": "0" })).await;
        world.run = text(&made["run"]["info"]["run_id"]);
        let source = format!("{}/model", text(&made["run"]["info"]["artifact_uri"]));
        let made = world.made("logged-models", json!({ "experiment_id": "0", "name": "m" })).await;
        world.model = text(&made["model"]["info"]["model_id"]);
        world.made("registered-models/create", json!({ "name": "m" })).await;
        let version = json!({ "name": "m", "source": source, "run_id": world.run });
        world.made("model-versions/create", version).await;
        world
    }

    async fn ask(&self, method: &Method, uri: &str, body: Body) -> (StatusCode, Vec<u8>) {
        let request = Request::builder().method(method).uri(uri).header("content-type", "application/json");
        let answer = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = answer.status();
        (status, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
    }

    async fn made(&self, call: &str, body: Json) -> Json {
        let (status, answer) =
            self.ask(&Method::POST, &format!("/api/2.0/mlflow/{call}"), body.to_string().into()).await;
        assert_eq!(status, StatusCode::OK, "{call}: {}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).unwrap()
    }

    /// Every way to name a file, with `{}` where its path stands in the address.
    fn ways(&self) -> Vec<(Method, String)> {
        let (run, model) = (&self.run, &self.model);
        let mut ways = Vec::new();
        for prefix in ["/api/2.0/mlflow-artifacts", "/ajax-api/2.0/mlflow-artifacts"] {
            for method in [Method::GET, Method::PUT, Method::DELETE] {
                ways.push((method, format!("{prefix}/artifacts/{{}}")));
            }
            ways.push((Method::GET, format!("{prefix}/artifacts?path={{}}")));
            ways.push((Method::GET, format!("{prefix}/presigned/{{}}")));
            for step in ["create", "complete", "abort"] {
                ways.push((Method::POST, format!("{prefix}/mpu/{step}/{{}}")));
            }
        }
        for prefix in ["/api/2.0/mlflow", "/ajax-api/2.0/mlflow"] {
            ways.push((Method::GET, format!("{prefix}/artifacts/list?run_id={run}&path={{}}")));
            let folder = "artifacts/directories?artifact_directory_path";
            ways.push((Method::GET, format!("{prefix}/logged-models/{model}/{folder}={{}}")));
        }
        ways.push((Method::POST, format!("/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path={{}}")));
        ways.push((Method::GET, format!("/get-artifact?run_id={run}&path={{}}")));
        ways.push((Method::GET, "/model-versions/get-artifact?name=m&version=1&path={}".to_owned()));
        let file = "artifacts/files?artifact_file_path";
        ways.push((Method::GET, format!("/ajax-api/2.0/mlflow/logged-models/{model}/{file}={{}}")));
        ways
    }

    /// What lies in the store and beside it.
    fn files(&self) -> Vec<String> {
        let mut folders = vec![self.folder.path().to_owned()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path.display().to_string()) }
            }
        }
        files
    }
}

fn text(json: &Json) -> String {
    json.as_str().unwrap().to_owned()
}

/// A path as a JSON body says it: without the address's encoding.
fn decoded(escape: &str) -> String {
    let mut text = escape.to_owned();
    for (encoded, plain) in [("%2e", "."), ("%2E", "."), ("%2f", "/"), ("%2F", "/"), ("%5c", "\\"), ("%3a", ":")] {
        text = text.replace(encoded, plain);
    }
    text.replace("%00", "\0").replace("%0a", "\n")
}

database::testing::on_both! {
    async fn a_path_that_is_no_text_is_refused_in_mlflows_shape(db: Database) {
        let table = table(&db).await;
        let world = World::new(db).await;
        for route in table.iter().filter(|route| route.path.contains('{')) {
            let parts = route.path.split('/').map(|part| if part.starts_with('{') { "%FF" } else { part });
            let (status, answer) = world.ask(&route.method, &parts.collect::<Vec<_>>().join("/"), Body::empty()).await;
            let answer: Json = serde_json::from_slice(&answer).unwrap_or_default();
            assert_eq!((status, answer["error_code"].as_str()), (StatusCode::BAD_REQUEST, Some("INVALID_PARAMETER_VALUE")), "{}", route.path);
        }
    }

    async fn no_path_leads_out_of_the_store_in_any_encoding(db: Database) {
        let world = World::new(db).await;
        let before = world.files();
        let body = json!({ "path": "x", "num_parts": 1, "upload_id": "u", "parts": [{ "part_number": 1, "etag": "e" }] });
        let mut asked = 0;
        for (method, way) in world.ways() {
            for escape in ESCAPES {
                let uri = way.replace("{}", escape);
                let (status, answer) = world.ask(&method, &uri, body.to_string().into()).await;
                let answer: Json = serde_json::from_slice(&answer).unwrap_or(Json::Null);
                assert_eq!(status, StatusCode::BAD_REQUEST, "{method} {uri}: {answer}");
                assert_eq!(answer["error_code"], "INVALID_PARAMETER_VALUE", "{uri}");
                assert!(answer["message"].as_str().unwrap().starts_with("Invalid path"), "{uri}: {answer}");
                asked += 1;
            }
        }
        for call in ["presigned-upload-url", "presigned-download-url"] {
            for escape in ESCAPES {
                let body = json!({ "run_id": world.run, "path": decoded(escape) });
                let uri = format!("/api/2.0/mlflow/artifacts/{call}");
                let (status, answer) = world.ask(&Method::POST, &uri, body.to_string().into()).await;
                let answer: Json = serde_json::from_slice(&answer).unwrap_or(Json::Null);
                assert_eq!(status, StatusCode::BAD_REQUEST, "{call} {escape}: {answer}");
                assert_eq!(answer["message"], "Invalid path", "{call} {escape}");
                asked += 1;
            }
        }
        assert!(asked > 700, "{asked}");
        assert_eq!(world.files(), before, "nothing was written, and nothing deleted");
    }

    async fn a_link_in_the_store_leads_nowhere(db: Database) {
        let world = World::new(db).await;
        let root = world.folder.path().join("store");
        std::os::unix::fs::symlink(world.folder.path(), root.join("out")).unwrap();
        let proxy = "/api/2.0/mlflow-artifacts/artifacts";
        let (status, _) = world.ask(&Method::GET, &format!("{proxy}/out/secret"), Body::empty()).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        let (status, _) = world.ask(&Method::PUT, &format!("{proxy}/out/new"), Body::from("x")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let (status, listed) = world.ask(&Method::GET, &format!("{proxy}?path=out"), Body::empty()).await;
        assert_eq!((status, listed.as_slice()), (StatusCode::OK, b"{}".as_slice()));
        for link in ["out/secret", "out"] {
            world.ask(&Method::DELETE, &format!("{proxy}/{link}"), Body::empty()).await;
        }
        assert_eq!(fs::read_to_string(world.folder.path().join("secret")).unwrap(), "secret");
    }
}
