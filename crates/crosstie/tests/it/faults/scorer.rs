//! The servers behind the versions: one process, with a mode for each version.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{get, post},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};

/// What is the matter with a version's server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It says nothing about its health until it has another mode.
    Silent,
    /// It says that it is ill.
    Ill,
    /// It is well, and fails every request.
    Failing,
}

type Modes = BTreeMap<u32, Mode>;

/// Answers for every version, until the test ends.
#[derive(Debug)]
pub(crate) struct Scorer {
    address: String,
    modes: watch::Sender<Modes>,
}

impl Scorer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let modes = watch::Sender::new(Modes::new());
        let router = Router::new()
            .route("/{version}/score", post(score))
            .route("/{version}/health", get(health))
            .with_state(modes.subscribe());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, modes }
    }

    pub(crate) fn set(&self, version: u32, mode: Option<Mode>) {
        self.modes.send_modify(|modes| {
            match mode {
                Some(mode) => modes.insert(version, mode),
                None => modes.remove(&version),
            };
        });
    }

    /// The declaration of a version.
    pub(crate) fn declaration(&self, version: u32) -> String {
        format!(
            "version: 1
url: http://{address}/{version}/score
health: /{version}/health
timeout: 5s
inputs: [{{ name: user_id, datatype: INT64, shape: [-1, 1] }}]
request: {{ user: \"${{user_id}}\" }}
outputs: [{{ name: score, datatype: FP64, shape: [-1, 1] }}]
response: {{ score: /score }}
",
            address = self.address
        )
    }
}

async fn score(Path(version): Path<u32>, State(modes): State<watch::Receiver<Modes>>) -> (StatusCode, Json<Value>) {
    match modes.borrow().get(&version) {
        Some(Mode::Failing) => (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": "told to fail" }))),
        Some(Mode::Silent | Mode::Ill) | None => (StatusCode::OK, Json(json!({ "score": 0.5 }))),
    }
}

async fn health(Path(version): Path<u32>, State(mut modes): State<watch::Receiver<Modes>>) -> StatusCode {
    let speaks = modes.wait_for(|modes| modes.get(&version) != Some(&Mode::Silent)).await;
    match speaks.ok().and_then(|modes| modes.get(&version).copied()) {
        Some(Mode::Ill) => StatusCode::INTERNAL_SERVER_ERROR,
        Some(Mode::Silent | Mode::Failing) | None => StatusCode::OK,
    }
}
