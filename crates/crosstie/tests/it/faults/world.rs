//! A project with one model, the server that runs on it, and what a team does with it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, interval};

use super::{now, scorer::Scorer, traffic::Target};
use crate::program::{Server, folder};

pub(crate) const MODEL: &str = "ranker";
/// Short holds, few requests, and a bound that few requests reach: what is tried here is not how good the analysis is.
const DECLARATION: &str = "version: 1
model: ranker
route_by: user_id
approvals: { required: 1, not_author: false }
rollout:
  steps:
    - shadow: { duration: 1s }
    - set_weight: 5
    - pause: { duration: 1s, min_requests: 3 }
    - set_weight: 25
    - pause: { duration: 1s, min_requests: 10 }
    - set_weight: 100
  rollback_on:
    errors: { tolerance: 10%, max_excess: 50% }
";
/// Generous: the machine may be building something else at the same time.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often a state is looked for. The shortest lasts until the controller's next look, a second later.
const LOOK: Duration = Duration::from_millis(20);
/// How long a call may take. A process that is stopped answers none.
const CALL: Duration = Duration::from_secs(20);

/// A client for calls to processes that may be stopped.
pub(crate) fn client() -> reqwest::Client {
    runtime::tls::use_ring();
    reqwest::Client::builder().timeout(CALL).build().unwrap()
}

/// A server on a folder of its own.
pub(crate) struct World {
    _dir: TempDir,
    path: PathBuf,
    flags: Vec<String>,
    http: reqwest::Client,
    token: String,
    server: Option<Server>,
    since: i64,
}

impl World {
    /// On SQLite, with the first token, and alerts going where `project` says.
    pub(crate) async fn start(project: &str) -> Self {
        Self::start_with(project, &[], None).await
    }

    /// With these flags, and a token that was made elsewhere.
    pub(crate) async fn start_with(project: &str, flags: &[String], token: Option<String>) -> Self {
        let (dir, path) = folder(&[("crosstie.yaml", project), ("models/ranker.yaml", DECLARATION)]);
        let (http, flags) = (client(), flags.to_vec());
        let mut world = Self { _dir: dir, path, flags, http, token: String::new(), server: None, since: 0 };
        world.start_again().await;
        let first = || fs::read_to_string(world.path.join(".crosstie/token")).unwrap().trim().to_owned();
        world.token = token.unwrap_or_else(first);
        world
    }

    pub(crate) async fn start_again(&mut self) {
        self.since = now();
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        self.server = Some(Server::start_with(&self.path, &flags).await);
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.server.take().unwrap().kill();
    }

    /// SIGSTOP or SIGCONT.
    pub(crate) fn signal(&self, signal: Signal) {
        let running = fs::read(self.path.join(".crosstie/up.json")).unwrap();
        let running: Value = serde_json::from_slice(&running).unwrap();
        let pid = i32::try_from(running["pid"].as_i64().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The URI of its own database.
    pub(crate) fn database(&self) -> String {
        format!("sqlite:{}", self.path.join(".crosstie/crosstie.db").display())
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// Where requests go.
    pub(crate) fn target(&self) -> Target {
        Target { address: self.server().address("http"), since: self.since }
    }

    /// Whether this process leads the release controllers, as its metrics say.
    pub(crate) async fn leads(&self) -> bool {
        let url = format!("http://{}/metrics", self.server().address("metrics"));
        let metrics = self.http.get(url).send().await.unwrap().text().await.unwrap();
        metrics.lines().any(|line| line == "crosstie_release_controller_leader 1")
    }

    /// Where MLflow's API is.
    pub(crate) fn api(&self) -> String {
        self.server().address("api")
    }

    /// A page of the console.
    pub(crate) async fn text(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.api());
        let response = self.http.get(url).bearer_auth(&self.token).send().await.unwrap();
        response.text().await.unwrap()
    }

    /// Status and JSON of the answer; null if it is none.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Value) -> Result<(u16, Value), reqwest::Error> {
        let url = format!("http://{}{path}", self.server().address("api"));
        let response = self.http.request(method, url).bearer_auth(&self.token).json(&body).send().await?;
        Ok((response.status().as_u16(), response.json().await.unwrap_or(Value::Null)))
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask(Method::GET, path, Value::Null).await.unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(Method::POST, path, body).await.unwrap();
        assert!(status < 300, "{path}: {status} {answer}");
        answer
    }

    /// Registers the version of that number, which must be the next one.
    pub(crate) async fn version(&self, scorer: &Scorer, number: u32) {
        const MLFLOW: &str = "/api/2.0/mlflow";
        let named = json!({ "name": MODEL });
        if number == 1 {
            self.post(&format!("{MLFLOW}/registered-models/create"), named).await;
        }
        let run = self.post(&format!("{MLFLOW}/runs/create"), json!({ "experiment_id": "0" })).await;
        let info = &run["run"]["info"];
        let source = format!("{}/model", info["artifact_uri"].as_str().unwrap());
        let place = source.strip_prefix("mlflow-artifacts:/").unwrap();
        let address = self.server().address("api");
        let url = format!("http://{address}/api/2.0/mlflow-artifacts/artifacts/{place}/http.yaml");
        let put = self.http.put(url).bearer_auth(&self.token).body(scorer.declaration(number));
        let response = put.send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.text().await.unwrap());
        let version = json!({ "name": MODEL, "source": source, "run_id": info["run_id"] });
        let made = self.post(&format!("{MLFLOW}/model-versions/create"), version).await;
        assert_eq!(made["model_version"]["version"], number.to_string());
    }

    /// Begins a release; its gates are through or waived by themselves.
    pub(crate) async fn create(&self, version: u32) -> u64 {
        let waiver = json!({ "gate": "lineage", "reason": "it is a stand-in", "until": "2099-01-01T00:00:00Z" });
        let wanted = json!({ "version": format!("{MODEL}/{version}"), "waivers": [waiver] });
        let made = self.post("/crosstie/v1/releases", wanted).await;
        made["release"]["id"].as_u64().unwrap()
    }

    pub(crate) async fn approve(&self, release: u64) {
        self.post(&format!("/crosstie/v1/releases/{release}/approve"), json!({})).await;
    }

    /// The last release.
    pub(crate) async fn release(&self) -> Value {
        self.get("/crosstie/v1/releases?limit=1").await["releases"][0].take()
    }

    /// The last release, once `holds` of it.
    pub(crate) async fn release_when(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        until(what, async || {
            let release = self.release().await;
            if holds(&release) { Ok(release) } else { Err(release) }
        })
        .await
    }

    /// Brings a version that is registered as far as its rollout.
    pub(crate) async fn roll_out(&self, version: u32) -> u64 {
        let id = self.create(version).await;
        self.release_when("through its gates", |release| release["stage"] == "awaiting_approval").await;
        self.approve(id).await;
        id
    }

    /// The same to its end, which is soon where nothing is stable.
    pub(crate) async fn first_version(&self, scorer: &Scorer) {
        self.version(scorer, 1).await;
        self.roll_out(1).await;
        self.release_when("stable", |release| release["stage"] == "done").await;
    }
}

/// What `look` answers, once it does; what it saw last, if it never does. Looks less often than every free moment, since
/// several worlds share a machine.
pub(crate) async fn until<T>(what: &str, look: impl AsyncFn() -> Result<T, Value>) -> T {
    let (end, mut looks) = (Instant::now() + PATIENCE, interval(LOOK));
    loop {
        looks.tick().await;
        match look().await {
            Ok(found) => return found,
            Err(seen) => assert!(Instant::now() < end, "not {what} within {PATIENCE:?}: {seen:#}"),
        }
    }
}
