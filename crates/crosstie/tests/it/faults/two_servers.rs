//! Two servers on one Postgres, asked for the same things at once.

use std::collections::{BTreeMap, BTreeSet};

use database::testing::PostgresDatabase;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::report;
use crate::program::{Server, experiment, folder, mlflow};

/// Calls of each kind that are under way at once, half of them at each server.
const CALLS: usize = 64;

/// What was answered: the body, or the error's.
type Answers = Vec<Result<Value, String>>;

/// Two servers, each in a folder of its own.
struct Pair {
    servers: [Server; 2],
    http: reqwest::Client,
    _dirs: [TempDir; 2],
}

impl Pair {
    async fn start(database: &str) -> Self {
        let [(first, one), (second, two)] = [folder(&[]), folder(&[])];
        let artifacts = format!("file:{}", one.join("artifacts").display());
        let flags = ["--database", database, "--artifacts", &artifacts];
        // At once: they also meet in making the tables.
        let (one, two) = tokio::join!(Server::start_with(&one, &flags), Server::start_with(&two, &flags));
        Self { servers: [one, two], http: reqwest::Client::new(), _dirs: [first, second] }
    }

    /// Makes `CALLS` calls at once, by turns at each server; answers in their order.
    async fn all(&self, method: Method, path: &'static str, body: impl Fn(usize) -> Value) -> Answers {
        let mut calls = JoinSet::new();
        for call in 0..CALLS {
            let (http, address) = (self.http.clone(), self.servers[call % 2].address("api"));
            let (method, body) = (method.clone(), body(call));
            calls.spawn(async move { (call, mlflow(&http, &address, method, path, body).await) });
        }
        let mut answers = calls.join_all().await;
        answers.sort_by_key(|(call, _)| *call);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// The same question at both, which must answer alike.
    async fn get(&self, path: &str, query: Value) -> Value {
        let first = self.servers[0].mlflow(Method::GET, path, query.clone()).await.unwrap();
        let second = self.servers[1].mlflow(Method::GET, path, query).await.unwrap();
        assert_eq!(first, second, "{path}");
        first
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_one_postgres_lose_no_update_and_give_no_number_twice() {
    let Some(database) = PostgresDatabase::create().await else { return };
    let pair = Pair::start(&database.uri()).await;
    let made = a_model_is_made_once(&pair).await;
    let numbers = versions_are_numbered_once(&pair).await;
    every_tag_is_kept(&pair).await;
    let alias = an_alias_names_one_version(&pair).await;
    let param = a_param_has_one_value(&pair).await;
    metrics_are_all_there(&pair).await;
    report(&format!(
        "two servers on one Postgres, {CALLS} calls of each kind at once: model made {made} time, versions {numbers:?} each \
         given once, {CALLS} of {CALLS} tags and metrics kept, alias on one version ({alias}), one value of a param taken \
         ({param} calls with it)"
    ));
    drop(pair);
    database.remove().await;
}

async fn a_model_is_made_once(pair: &Pair) -> usize {
    let answers = pair.all(Method::POST, "registered-models/create", |_| json!({ "name": "twice" })).await;
    let made = answers.iter().filter(|answer| answer.is_ok()).count();
    let refusals: BTreeSet<_> = answers.into_iter().filter_map(Result::err).map(|text| code_of(&text)).collect();
    assert_eq!((made, refusals), (1, BTreeSet::from(["RESOURCE_ALREADY_EXISTS".to_owned()])));
    made
}

async fn versions_are_numbered_once(pair: &Pair) -> std::ops::RangeInclusive<usize> {
    let source = |call| json!({ "name": "twice", "source": format!("s3://elsewhere/{call}") });
    let answers = pair.all(Method::POST, "model-versions/create", source).await;
    let numbers: BTreeSet<usize> = answers
        .iter()
        .map(|answer| answer.as_ref().unwrap()["model_version"]["version"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(numbers, (1..=CALLS).collect());
    // Each number is that of the source that it was answered for.
    for (call, answer) in answers.into_iter().enumerate() {
        let version = answer.unwrap()["model_version"]["version"].take();
        let found = pair.get("model-versions/get", json!({ "name": "twice", "version": version })).await;
        assert_eq!(found["model_version"]["source"], format!("s3://elsewhere/{call}"));
    }
    1..=CALLS
}

async fn every_tag_is_kept(pair: &Pair) {
    let tag = |call: usize| json!({ "name": "twice", "key": format!("tag{call}"), "value": call.to_string() });
    for answer in pair.all(Method::POST, "registered-models/set-tag", tag).await {
        answer.unwrap();
    }
    let found = pair.get("registered-models/get", json!({ "name": "twice" })).await;
    let tags = pairs(&found["registered_model"]["tags"]);
    assert_eq!(tags, (0..CALLS).map(|call| (format!("tag{call}"), call.to_string())).collect());
}

async fn an_alias_names_one_version(pair: &Pair) -> String {
    let alias = |call: usize| json!({ "name": "twice", "alias": "champion", "version": (call + 1).to_string() });
    for answer in pair.all(Method::POST, "registered-models/alias", alias).await {
        answer.unwrap();
    }
    let named = pair.get("registered-models/alias", json!({ "name": "twice", "alias": "champion" })).await;
    let model = pair.get("registered-models/get", json!({ "name": "twice" })).await;
    let aliases = model["registered_model"]["aliases"].as_array().unwrap();
    assert_eq!(aliases.len(), 1, "{aliases:?}");
    assert_eq!(aliases[0]["version"], named["model_version"]["version"]);
    aliases[0]["version"].as_str().unwrap().to_owned()
}

/// Half of the calls say one value, half the other, both at both servers.
async fn a_param_has_one_value(pair: &Pair) -> usize {
    let run = run(pair, "param").await;
    let param = |call: usize| json!({ "run_id": run, "key": "depth", "value": (call / 2 % 2).to_string() });
    let answers = pair.all(Method::POST, "runs/log-parameter", param).await;
    let found = pair.get("runs/get", json!({ "run_id": run })).await;
    let params = pairs(&found["run"]["data"]["params"]);
    let kept = &params["depth"];
    for (call, answer) in answers.iter().enumerate() {
        let said = (call / 2 % 2).to_string();
        match answer {
            Ok(_) => assert_eq!(&said, kept, "acknowledged"),
            Err(text) => {
                assert_eq!((said == *kept, code_of(text).as_str()), (false, "INVALID_PARAMETER_VALUE"), "{text}")
            }
        }
    }
    answers.iter().filter(|answer| answer.is_ok()).count()
}

async fn metrics_are_all_there(pair: &Pair) {
    let run = run(pair, "metrics").await;
    let metric = |call| json!({ "run_id": run, "key": "loss", "value": call, "timestamp": call, "step": call });
    for answer in pair.all(Method::POST, "runs/log-metric", metric).await {
        answer.unwrap();
    }
    let history = pair.get("metrics/get-history", json!({ "run_id": run, "metric_key": "loss" })).await;
    let steps: BTreeSet<_> =
        history["metrics"].as_array().unwrap().iter().map(|point| point["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, (0..CALLS as u64).collect());
    // The latest is the latest by step, whoever wrote last.
    let found = pair.get("runs/get", json!({ "run_id": run })).await;
    assert_eq!(found["run"]["data"]["metrics"][0]["step"], CALLS - 1);
}

async fn run(pair: &Pair, name: &str) -> String {
    let experiment = experiment(&pair.servers[0], name).await;
    let new = json!({ "experiment_id": experiment, "start_time": 1 });
    let made = pair.servers[1].mlflow(Method::POST, "runs/create", new).await.unwrap();
    made["run"]["info"]["run_id"].as_str().unwrap().to_owned()
}

fn pairs(list: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list.as_array().unwrap().iter().map(|entry| (text(&entry["key"]), text(&entry["value"]))).collect()
}

fn code_of(error: &str) -> String {
    let error: Value = serde_json::from_str(error).unwrap_or_else(|_| panic!("not MLflow's shape: {error}"));
    error["error_code"].as_str().unwrap().to_owned()
}
