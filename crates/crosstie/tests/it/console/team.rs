//! A server that lets nobody in without a token, the people who have one, and what they have brought to production.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use runtime::testing::eventually;
use serde_json::{Value, json};

use crate::program::{Server, run};

/// Generous: the machine may be building something else at the same time.
const PATIENCE: Duration = Duration::from_secs(90);
const MLFLOW: &str = "/api/2.0/mlflow";

/// The people, by their tokens.
pub(super) struct Team {
    pub(super) server: Server,
    pub(super) http: reqwest::Client,
    pub(super) viewer: String,
    pub(super) editor: String,
    pub(super) approver: String,
    pub(super) operator: String,
}

impl Team {
    pub(super) async fn start(dir: &Path) -> Self {
        let server = Server::start(dir).await;
        let token = |name: &str, role: &str| {
            let said = run(dir, &["token", "create", name, "--role", role]);
            assert!(said.succeeded, "{said:?}");
            said.out.trim().to_owned()
        };
        Self {
            viewer: token("vera", "viewer"),
            editor: token("ed", "editor"),
            approver: token("ann", "approver"),
            operator: token("otto", "operator"),
            server,
            http: reqwest::Client::new(),
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address("api"))
    }

    /// Status and JSON of the answer; null if it is none.
    pub(super) async fn ask(&self, method: Method, path: &str, token: &str, body: Value) -> (u16, Value) {
        let request = self.http.request(method, self.url(path)).bearer_auth(token).json(&body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> Value {
        let (status, answer) = self.ask(Method::POST, path, token, body).await;
        assert!(status < 300, "{path}: {status} {answer}");
        answer
    }

    /// The record of a release, with its rollout.
    async fn release(&self, id: u64) -> Value {
        let path = format!("/crosstie/v1/releases/{id}");
        let (_, mut answer) = self.ask(Method::GET, &path, &self.viewer, Value::Null).await;
        let mut release = answer["release"].take();
        release["rollout"] = answer["rollout"].take();
        release
    }

    /// The release once `holds` of it.
    async fn release_when(&self, id: u64, holds: impl Fn(&Value) -> bool) -> Value {
        eventually(PATIENCE, || async {
            let release = self.release(id).await;
            if holds(&release) { Ok(release) } else { Err(release) }
        })
        .await
    }

    /// A model of one version whose run recorded nothing, and a release of it that its gates stop.
    pub(super) async fn stopped_release(&self, model: &str, declaration: &str) -> u64 {
        self.post(&format!("{MLFLOW}/registered-models/create"), &self.editor, json!({ "name": model })).await;
        let version = self.version(model, declaration).await;
        let release = self.create(model, version).await;
        self.release_when(release, |release| release["stage"] == "gates_failed").await;
        release
    }

    /// A new version, with this declaration of a server as its only file.
    pub(super) async fn version(&self, model: &str, declaration: &str) -> u64 {
        let run = self.post(&format!("{MLFLOW}/runs/create"), &self.editor, json!({ "experiment_id": "0" })).await;
        let info = &run["run"]["info"];
        let source = format!("{}/model", info["artifact_uri"].as_str().unwrap());
        let path = source.strip_prefix("mlflow-artifacts:/").unwrap();
        let url = self.url(&format!("/api/2.0/mlflow-artifacts/artifacts/{path}/http.yaml"));
        let put = self.http.put(url).bearer_auth(&self.editor).body(declaration.to_owned());
        let response = put.send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.text().await.unwrap());
        let version = json!({ "name": model, "source": source, "run_id": info["run_id"] });
        let made = self.post(&format!("{MLFLOW}/model-versions/create"), &self.editor, version).await;
        made["model_version"]["version"].as_str().unwrap().parse().unwrap()
    }

    async fn create(&self, model: &str, version: u64) -> u64 {
        let wanted = json!({ "version": format!("{model}/{version}") });
        let made = self.post("/crosstie/v1/releases", &self.editor, wanted).await;
        made["release"]["id"].as_u64().unwrap()
    }

    /// A release whose failed gates are waived, and which is signed.
    pub(super) async fn signed_release(&self, model: &str, version: u64) -> u64 {
        let id = self.create(model, version).await;
        let judged = self.release_when(id, |release| release["stage"] != "gating").await;
        for gate in judged["gates"].as_array().unwrap().iter().filter(|gate| gate["verdict"] == "failed") {
            let waiver = json!({ "gate": gate["gate"], "reason": "it is a stand-in", "until": "2099-01-01T00:00:00Z" });
            self.post(&format!("/crosstie/v1/releases/{id}/waive"), &self.approver, waiver).await;
        }
        self.post(&format!("/crosstie/v1/releases/{id}/approve"), &self.approver, json!({})).await;
        id
    }

    /// Sends requests of ever other users until the release is as wanted.
    pub(super) async fn traffic_until(&self, model: &str, id: u64, holds: impl Fn(&Value) -> bool) -> Value {
        let url = format!("http://{}/v2/models/{model}/infer", self.server.address("http"));
        let next = std::sync::atomic::AtomicU64::new(0);
        eventually(PATIENCE, || async {
            for _ in 0..20 {
                let user = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let inputs = json!([
                    { "name": "user_id", "datatype": "INT64", "shape": [1, 1], "data": [user] },
                    { "name": "user_country", "datatype": "BYTES", "shape": [1, 1], "data": ["US"] },
                ]);
                let request = self.http.post(&url).bearer_auth(&self.viewer).json(&json!({ "inputs": inputs }));
                // A canary may fail: that is what some of these releases are about.
                request.send().await.unwrap().bytes().await.unwrap();
            }
            let release = self.release(id).await;
            if holds(&release) { Ok(release) } else { Err(release) }
        })
        .await
    }
}

/// The scoring server, ended with its test.
pub(super) struct Scorer {
    child: Child,
    port: u16,
}

impl Scorer {
    pub(super) fn start(python: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/console/scorer.py");
        let mut command = Command::new(python);
        let mut child = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { port: line.trim().parse().unwrap(), child }
    }

    /// The declaration of the server as a version.
    pub(super) fn declaration(&self, path: &str) -> String {
        format!(
            "version: 1
url: http://127.0.0.1:{}{path}
inputs:
  - {{ name: user_id, datatype: INT64, shape: [-1, 1] }}
  - {{ name: user_country, datatype: BYTES, shape: [-1, 1] }}
request: {{ user: \"${{user_id}}\", country: \"${{user_country}}\" }}
outputs: [{{ name: score, datatype: FP64, shape: [-1, 1] }}]
response: {{ score: /score }}
features: {{ user_country: /country }}
",
            self.port
        )
    }
}

impl Drop for Scorer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
