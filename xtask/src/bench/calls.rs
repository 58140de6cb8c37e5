//! The calls, the same bytes for every server.

use std::fmt::Write as _;

use super::client::{get, post};
use super::load::Requests;

/// Metrics of one batch: the most that MLflow's protocol allows.
pub(super) const BATCH: usize = 1_000;
/// Keys among which a batch's metrics are spread.
const KEYS: usize = 10;
/// Rows of a page of a search.
pub(super) const PAGE: usize = 100;
/// When everything is said to have happened: the servers' clocks play no part.
const TIME: i64 = 1_700_000_000_000;

const API: &str = "/api/2.0/mlflow";

pub(super) fn health() -> Requests {
    let request = get("/health");
    Box::new(move || request.clone())
}

pub(super) fn create_experiment(name: &str) -> Vec<u8> {
    post(&format!("{API}/experiments/create"), &format!(r#"{{"name": "{name}"}}"#))
}

/// A run with the tags that a client gives it.
pub(super) fn create_run(experiment: &str, number: usize) -> Vec<u8> {
    let body = format!(
        r#"{{"experiment_id": "{experiment}", "start_time": {}, "run_name": "run-{number}", "tags": [{{"key": "mlflow.user", "value": "bench"}}, {{"key": "mlflow.source.name", "value": "train.py"}}, {{"key": "mlflow.source.type", "value": "LOCAL"}}]}}"#,
        TIME + number as i64
    );
    post(&format!("{API}/runs/create"), &body)
}

pub(super) fn create_runs(experiment: &str, client: usize) -> Requests {
    let experiment = experiment.to_owned();
    let mut number = client;
    Box::new(move || {
        number += super::load::CLIENTS;
        create_run(&experiment, number)
    })
}

/// One metric per call, all on one run.
pub(super) fn log_metrics(run: &str) -> Requests {
    let run = run.to_owned();
    let mut step: i64 = 0;
    Box::new(move || {
        step += 1;
        let body = format!(
            r#"{{"run_id": "{run}", "run_uuid": "{run}", "key": "loss", "value": {}, "timestamp": {}, "step": {step}}}"#,
            value(step),
            TIME + step
        );
        post(&format!("{API}/runs/log-metric"), &body)
    })
}

/// A thousand metrics per call, all on one run, each point another one.
pub(super) fn log_batches(run: &str) -> Requests {
    let run = run.to_owned();
    let mut step = 0;
    Box::new(move || {
        let first = step;
        step += (BATCH / KEYS) as i64;
        log_batch(&run, "metric", KEYS, first..step)
    })
}

/// Points of `keys` metrics at some steps.
pub(super) fn log_batch(run: &str, name: &str, keys: usize, steps: std::ops::Range<i64>) -> Vec<u8> {
    let mut body = format!(r#"{{"run_id": "{run}", "metrics": ["#);
    for (index, step) in steps.enumerate() {
        for key in 0..keys {
            let comma = if index + key > 0 { ", " } else { "" };
            let (value, time) = (value(step * 31 + key as i64), TIME + step);
            write!(body, r#"{comma}{{"key": "{name}_{key}", "value": {value}, "timestamp": {time}, "step": {step}}}"#)
                .ok();
        }
    }
    body.push_str("], \"params\": [], \"tags\": []}");
    post(&format!("{API}/runs/log-batch"), &body)
}

/// What the prepared store has on its run of that number.
pub(super) fn fill_run(run: &str, number: i64) -> Vec<u8> {
    let metrics: Vec<String> = (0..10)
        .map(|key| {
            let value = stored(number, key);
            format!(r#"{{"key": "metric_{key}", "value": {value}, "timestamp": {TIME}, "step": 1}}"#)
        })
        .collect();
    let params: Vec<String> =
        (0..5).map(|key| format!(r#"{{"key": "param_{key}", "value": "v{}"}}"#, (number + key) % 10)).collect();
    let body =
        format!(r#"{{"run_id": "{run}", "metrics": [{}], "params": [{}]}}"#, metrics.join(", "), params.join(", "));
    post(&format!("{API}/runs/log-batch"), &body)
}

/// The search: a metric and a param condition, in order of another metric.
pub(super) fn search(experiment: &str) -> Vec<u8> {
    search_with(experiment, "metrics.metric_1 > 0.5 and params.param_1 = 'v3'", 0)
}

/// A page deep in all runs, in order of a metric.
pub(super) fn deep_page(experiment: &str, offset: usize) -> Vec<u8> {
    search_with(experiment, "", offset)
}

fn search_with(experiment: &str, filter: &str, offset: usize) -> Vec<u8> {
    let token = if offset == 0 { String::new() } else { format!(r#", "page_token": "{}""#, token(offset)) };
    let body = format!(
        r#"{{"experiment_ids": ["{experiment}"], "filter": "{filter}", "order_by": ["metrics.metric_2 DESC"], "max_results": {PAGE}{token}}}"#
    );
    post(&format!("{API}/runs/search"), &body)
}

pub(super) fn history(run: &str) -> Vec<u8> {
    get(&format!("{API}/metrics/get-history?run_id={run}&metric_key=history_0"))
}

/// A request that is sent again and again.
pub(super) fn same(request: Vec<u8>) -> Requests {
    Box::new(move || request.clone())
}

/// A number that looks like a measurement.
fn value(seed: i64) -> f64 {
    (seed * 7_919 % 100_003) as f64 / 100_003.0
}

/// The value of a metric of the prepared store; `fill.py` has the same formula.
fn stored(number: i64, key: i64) -> f64 {
    ((number * 7_919 + key * 104_729) % 100_003) as f64 / 100_003.0
}

/// MLflow's page token: base64 of `{"offset": N}`.
fn token(offset: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in format!("{{\"offset\": {offset}}}").as_bytes().chunks(3) {
        let bits = chunk.iter().chain(&[0, 0]).take(3).fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        for place in 0..4 {
            let letter = ALPHABET[bits >> (18 - 6 * place) & 63];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_those_that_mlflow_makes() {
        assert_eq!(token(6), "eyJvZmZzZXQiOiA2fQ==");
        assert_eq!(token(1_000), "eyJvZmZzZXQiOiAxMDAwfQ==");
    }

    #[test]
    fn a_batch_has_as_many_points_as_it_says_and_each_is_another_one() {
        let mut requests = log_batches("r");
        let (first, second) = (requests(), requests());
        let count = |bytes: &[u8]| String::from_utf8_lossy(bytes).matches("\"step\"").count();
        assert_eq!((count(&first), count(&second)), (BATCH, BATCH));
        assert_ne!(first, second);
    }
}
