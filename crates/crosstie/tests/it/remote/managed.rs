//! A managed MLflow: the real server, behind a gate that lets in who shows the token, and that a test may close.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use reqwest::{Method, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::mlflow_database::real::MlflowServer;

/// What the gate lets in.
pub(super) const TOKEN: &str = "a-token-of-the-managed-one";
const CLIENT: &str = include_str!("client.py");

/// The server and its gate; they end with their test.
pub(super) struct Managed {
    python: PathBuf,
    /// Itself, at an address that only its own team knows.
    server: MlflowServer,
    /// Where the gate is.
    pub(super) outside: String,
    gate: Arc<Gate>,
    _dir: TempDir,
}

#[derive(Debug, Default)]
struct Gate {
    inside: String,
    http: reqwest::Client,
    is_closed: AtomicBool,
    is_read_only: AtomicBool,
    /// Answers 503 so many times, as services do that are busy.
    busy: AtomicUsize,
    refused: AtomicUsize,
}

impl Managed {
    pub(super) async fn start(python: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, artifacts) = (dir.path().join("mlflow.db"), dir.path().join("artifacts"));
        let (store, artifacts) = (format!("sqlite:///{}", store.display()), artifacts.display().to_string());
        let flags = ["--backend-store-uri", &store, "--artifacts-destination", &artifacts];
        let server = MlflowServer::start_with(&python.display().to_string(), dir.path(), &flags).await;
        let inside = server.address.clone();
        let http = reqwest::Client::new();
        let gate = Arc::new(Gate { inside, http, ..Gate::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let outside = listener.local_addr().unwrap().to_string();
        let router = Router::new().fallback(pass).with_state(Arc::clone(&gate));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { python: python.to_owned(), server, outside, gate, _dir: dir }
    }

    /// Nobody is answered, as if it were gone.
    pub(super) fn close(&self, is_closed: bool) {
        self.gate.is_closed.store(is_closed, Ordering::SeqCst);
    }

    /// Nobody may change anything.
    pub(super) fn read_only(&self, is_read_only: bool) {
        self.gate.is_read_only.store(is_read_only, Ordering::SeqCst);
    }

    /// The next so many calls are told to come again.
    pub(super) fn busy(&self, times: usize) {
        self.gate.busy.store(times, Ordering::SeqCst);
    }

    /// How often somebody without the token came.
    pub(super) fn refused(&self) -> usize {
        self.gate.refused.load(Ordering::SeqCst)
    }

    /// One step of the team, with the stock client, at the server itself.
    pub(super) fn team(&self, step: &str, argument: &Value) -> Value {
        self.client(&self.server.address, step, argument)
    }

    /// The same with whatever is at `address`.
    pub(super) fn client(&self, address: &str, step: &str, argument: &Value) -> Value {
        let mut command = Command::new(&self.python);
        command.args(["-c", CLIENT, &format!("http://{address}"), step, &argument.to_string()]);
        for variable in ["MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_RUN_ID"] {
            command.env_remove(variable);
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{step}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(said.lines().last().unwrap()).unwrap()
    }
}

async fn pass(State(gate): State<Arc<Gate>>, request: Request) -> Response {
    if gate.is_closed.load(Ordering::SeqCst) {
        return refuse(StatusCode::BAD_GATEWAY, "nobody is there");
    }
    let shown = request.headers().get(AUTHORIZATION).and_then(|shown| shown.to_str().ok());
    if shown != Some(format!("Bearer {TOKEN}").as_str()) {
        gate.refused.fetch_add(1, Ordering::SeqCst);
        return refuse(StatusCode::UNAUTHORIZED, "who are you?");
    }
    if gate.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |busy| busy.checked_sub(1)).is_ok() {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "come again");
    }
    let is_change = request.method() != Method::GET && !request.uri().path().ends_with("/search");
    if is_change && gate.is_read_only.load(Ordering::SeqCst) {
        return refuse(StatusCode::FORBIDDEN, "this token only reads");
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let url = format!("http://{}{}", gate.inside, parts.uri);
    let mut asked = gate.http.request(parts.method, url).body(body);
    if let Some(kind) = parts.headers.get("content-type") {
        asked = asked.header("content-type", kind);
    }
    let answer = asked.send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    for name in ["content-type", "content-length", "content-disposition"] {
        if let Some(value) = answer.headers().get(name) {
            response = response.header(name, value);
        }
    }
    response.body(Body::from_stream(answer.bytes_stream())).unwrap()
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, axum::Json(json!({ "error_code": "PERMISSION_DENIED", "message": message }))).into_response()
}
