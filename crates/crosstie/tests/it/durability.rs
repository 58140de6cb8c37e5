//! A kill in the middle of writes loses nothing that was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use runtime::testing::eventually;
use serde_json::{Value, json};

use crate::program::{Server, experiment, folder, mlflow};

/// Enough writers to keep several closures in each group commit.
const WRITERS: usize = 8;
/// Acknowledged writes of one round, over all writers, before the kill.
const WRITES: usize = 200;
/// A kill may fall on a quiet moment; several do not.
const ROUNDS: usize = 3;

/// What one writer was told is kept: run id, and the last step that was acknowledged.
type Acknowledged = (String, i64);

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_no_acknowledged_write() {
    let (_dir, path) = folder(&[]);
    let mut server = Server::start(&path).await;
    let experiment = experiment(&server, "killed").await;
    let mut all: Vec<Acknowledged> = Vec::new();
    for round in 0..ROUNDS {
        let (count, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let address = server.address("api");
                tokio::spawn(write(address, experiment.clone(), Arc::clone(&count), Arc::clone(&stop)))
            })
            .collect();
        eventually(Duration::from_secs(60), || async {
            let written = count.load(Ordering::SeqCst);
            if written >= WRITES { Ok(()) } else { Err(format!("{written} writes were acknowledged")) }
        })
        .await;
        server.kill();
        stop.store(true, Ordering::SeqCst);
        for writer in writers {
            all.extend(writer.await.unwrap());
        }
        server = Server::start(&path).await;
        for (run, step) in &all {
            let answer = server.mlflow(Method::GET, "runs/get", json!({ "run_id": run })).await;
            let answer = answer.unwrap_or_else(|error| panic!("round {round}: run {run} is gone: {error}"));
            assert!(is_kept(&answer, *step), "round {round}: run {run} was acknowledged up to {step}: {answer}");
        }
    }
    assert!(all.len() >= WRITERS, "every writer made at least one run");
}

/// Makes a run and logs a metric and a param for each step, until the server is gone; answers what was acknowledged.
async fn write(
    address: String,
    experiment: String,
    count: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) -> Vec<Acknowledged> {
    let http = reqwest::Client::new();
    let made =
        mlflow(&http, &address, Method::POST, "runs/create", json!({ "experiment_id": experiment, "start_time": 1 }))
            .await;
    let Ok(made) = made else { return Vec::new() };
    let run = made["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    let mut last = -1;
    while !stop.load(Ordering::SeqCst) {
        let step = last + 1;
        let metric = json!({ "run_id": run, "key": "loss", "value": step, "timestamp": step, "step": step });
        let param = json!({ "run_id": run, "key": format!("p{step}"), "value": step.to_string() });
        let metric = mlflow(&http, &address, Method::POST, "runs/log-metric", metric).await;
        let param = mlflow(&http, &address, Method::POST, "runs/log-parameter", param).await;
        if metric.is_err() || param.is_err() {
            break;
        }
        last = step;
        count.fetch_add(1, Ordering::SeqCst);
    }
    vec![(run, last)]
}

/// Whether the newest metric is at least `step`, and every param up to it is there.
fn is_kept(answer: &Value, step: i64) -> bool {
    let data = &answer["run"]["data"];
    let metric =
        data["metrics"].as_array().and_then(|metrics| metrics.first()).and_then(|metric| metric["step"].as_i64());
    let params: Vec<&str> =
        data["params"].as_array().into_iter().flatten().filter_map(|param| param["key"].as_str()).collect();
    step < 0
        || metric.is_some_and(|found| found >= step) && (0..=step).all(|n| params.contains(&format!("p{n}").as_str()))
}
