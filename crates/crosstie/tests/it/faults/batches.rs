//! `up` killed while a thousand log-batch calls are under way, time after time.
//!
//! A call writes params, metrics and tags in one transaction, so that what was acknowledged is there whole, and what was
//! not is there whole or not at all. MLflow's own server has a transaction for each of the three.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use database::testing::PostgresDatabase;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet};

use super::report;
use crate::program::{Server, experiment, folder, mlflow};

/// Calls that are sent at once.
const CALLS: usize = 1_000;
/// Runs that they write to by turns, so that calls also meet on a run.
const RUNS: usize = 25;
/// What a call writes: two params, a point of the metric that all calls share, one of its own, and a tag.
const PARTS: usize = 5;

/// Runs of one round, and the calls that were acknowledged.
#[derive(Debug)]
struct Round {
    runs: Vec<String>,
    acknowledged: BTreeSet<usize>,
}

/// What is summed up.
#[derive(Debug, Default)]
struct Counts {
    acknowledged: usize,
    /// Calls that were cut off, and yet are there.
    unheard: usize,
    /// Calls that were cut off and are not.
    lost: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_during_a_thousand_log_batch_calls_lose_nothing_that_was_acknowledged() {
    let counts = kill_again_and_again(20, &[]).await;
    report(&format!("20 kills during {CALLS} log-batch calls each, SQLite: {}", counts.told()));
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_during_a_thousand_log_batch_calls_on_postgres_lose_nothing_that_was_acknowledged() {
    let Some(database) = PostgresDatabase::create().await else { return };
    let counts = kill_again_and_again(3, &["--database", &database.uri()]).await;
    report(&format!("3 kills during {CALLS} log-batch calls each, Postgres: {}", counts.told()));
    database.remove().await;
}

impl Counts {
    fn told(&self) -> String {
        let Self { acknowledged, unheard, lost } = self;
        format!(
            "{acknowledged} calls acknowledged and none lost; of those cut off {unheard} are there, {lost} are not, none is half there"
        )
    }
}

async fn kill_again_and_again(kills: usize, flags: &[&str]) -> Counts {
    let (_dir, path) = folder(&[]);
    let mut server = Server::start_with(&path, flags).await;
    let experiment = experiment(&server, "killed").await;
    let mut rounds = Vec::new();
    for kill in 1..=kills {
        // From the first acknowledgement to nearly the last.
        let wanted = 1 + CALLS * 9 / 10 * (kill - 1) / kills;
        let (round, next) = round(server, &experiment, wanted, &path, flags).await;
        server = next;
        check(&server, &round).await;
        rounds.push(round);
    }
    let mut counts = Counts::default();
    for round in &rounds {
        let there = check(&server, round).await;
        counts.acknowledged += round.acknowledged.len();
        counts.unheard += there - round.acknowledged.len();
        counts.lost += CALLS - there;
    }
    counts
}

/// Sends all calls, kills the server once `wanted` of them are acknowledged, and starts it again.
async fn round(server: Server, experiment: &str, wanted: usize, path: &Path, flags: &[&str]) -> (Round, Server) {
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let new = json!({ "experiment_id": experiment, "start_time": 1 });
        let made = server.mlflow(Method::POST, "runs/create", new).await.unwrap();
        runs.push(made["run"]["info"]["run_id"].as_str().unwrap().to_owned());
    }
    let (http, address) = (reqwest::Client::new(), server.address("api"));
    let (heard, mut hears) = mpsc::unbounded_channel();
    let mut calls = JoinSet::new();
    for call in 0..CALLS {
        let (http, address, heard) = (http.clone(), address.clone(), heard.clone());
        let batch = batch(&runs[call % RUNS], call);
        calls.spawn(async move {
            // Whatever else it says, it was not acknowledged.
            if mlflow(&http, &address, Method::POST, "runs/log-batch", batch).await.is_ok() {
                heard.send(call).unwrap();
            }
        });
    }
    drop(heard);
    let mut acknowledged = BTreeSet::new();
    while acknowledged.len() < wanted {
        acknowledged
            .insert(hears.recv().await.unwrap_or_else(|| panic!("only {} calls succeeded", acknowledged.len())));
    }
    server.kill();
    calls.join_all().await;
    while let Some(call) = hears.recv().await {
        acknowledged.insert(call);
    }
    (Round { runs, acknowledged }, Server::start_with(path, flags).await)
}

fn batch(run: &str, call: usize) -> Value {
    let point = |key: String| json!({ "key": key, "value": call, "timestamp": call, "step": call });
    json!({
        "run_id": run,
        "params": [
            { "key": format!("first{call}"), "value": call.to_string() },
            { "key": format!("second{call}"), "value": call.to_string() },
        ],
        "metrics": [point("shared".to_owned()), point(format!("own{call}"))],
        "tags": [{ "key": format!("tag{call}"), "value": call.to_string() }],
    })
}

/// Holds what is there against what was acknowledged; answers how many calls are there.
async fn check(server: &Server, round: &Round) -> usize {
    let mut parts = BTreeMap::<usize, usize>::new();
    for run in &round.runs {
        for call in parts_of(server, run).await {
            *parts.entry(call).or_default() += 1;
        }
    }
    let halves: Vec<_> = parts.iter().filter(|(_, parts)| **parts != PARTS).collect();
    assert_eq!(halves, [], "calls with the number of their parts that are there");
    let missing: Vec<_> = round.acknowledged.iter().filter(|call| !parts.contains_key(*call)).collect();
    assert!(missing.is_empty(), "acknowledged, and not there: {missing:?}");
    parts.len()
}

/// The call of each param, metric, point and tag that the run has with the right value.
async fn parts_of(server: &Server, run: &str) -> Vec<usize> {
    let found = server.mlflow(Method::GET, "runs/get", json!({ "run_id": run })).await.unwrap();
    let history = json!({ "run_id": run, "metric_key": "shared" });
    let history = server.mlflow(Method::GET, "metrics/get-history", history).await.unwrap();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut calls = Vec::new();
    for entry in [list(&found["run"]["data"]["params"]), list(&found["run"]["data"]["tags"])].concat() {
        let (key, value) = (entry["key"].as_str().unwrap(), entry["value"].as_str().unwrap());
        let named = ["first", "second", "tag"].iter().find_map(|kind| key.strip_prefix(kind));
        // The run's name is a tag, too.
        let Some(call) = named else { continue };
        assert_eq!(call, value, "{key}");
        calls.push(call.parse().unwrap());
    }
    for metric in list(&found["run"]["data"]["metrics"]) {
        let Some(call) = metric["key"].as_str().unwrap().strip_prefix("own") else { continue };
        let call: usize = call.parse().unwrap();
        assert_eq!((metric["value"].as_f64(), metric["step"].as_u64()), (Some(call as f64), Some(call as u64)));
        calls.push(call);
    }
    calls.extend(list(&history["metrics"]).iter().map(|point| point["value"].as_f64().unwrap() as usize));
    calls
}
