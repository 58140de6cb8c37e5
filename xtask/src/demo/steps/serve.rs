//! Requests carry ids; answers carry scores that anybody can compute again from what was logged.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use super::{Told, needs, version_name};
use crate::demo::http;
use crate::demo::story::{Story, text_at};

/// How far a score may be from what onnxruntime in Python computes from the logged features.
const TOLERANCE: f64 = 1e-6;

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    if told.release == 0 {
        needs::trained_is_stable(story, told)?;
    }
    needs::pushed(story, told)?;
    only_with_a_token(story, told)?;
    for protocol in ["http", "grpc"] {
        traffic(story, told, protocol)?;
    }
    fresh_values(story)?;
    same_scores(story, told)?;
    explained(story, told)?;
    malformed(story, told)
}

fn traffic(story: &mut Story, told: &mut Told, protocol: &str) -> anyhow::Result<()> {
    let address = story.address(protocol)?;
    let http = story.address("http")?;
    let version = told.version.to_string();
    let arguments = ["--protocol", protocol, "--address", &address, "--outcomes", &http, "--requests", "500"];
    let arguments = [arguments.as_slice(), &["--version", &version]].concat();
    let report = story.python_as(Some(&told.approver), Path::new("traffic.py"), &arguments)?.expect("traffic.py")?;
    let number = |name: &str| report[name].as_u64().unwrap_or_default();
    let (requests, errors) = (number("requests"), number("errors"));
    let ledger = story.ledger_mut();
    ledger.check(
        errors == 0 && requests >= 500,
        format!("{requests} requests by tritonclient.{protocol}, {errors} failed"),
        || report.to_string(),
    );
    let is_version = report["versions"].get(told.version.to_string()).and_then(Value::as_u64) == Some(requests);
    ledger.check(is_version, "every answer names the version and a prediction id", || report.to_string());
    ledger.check(
        number("outcomes") > 0,
        format!("{} outcomes were posted against prediction ids", number("outcomes")),
        || report.to_string(),
    );
    let latency = |name: &str| report[name].as_f64().unwrap_or_default();
    ledger.measure(
        format!("latency over {protocol}, one row, p50 / p95"),
        format!("{:.1} / {:.1} ms", latency("p50_ms"), latency("p95_ms")),
    );
    // The answer names the request; a prediction is a row of it.
    told.prediction = format!("{}:0", text_at(&report, "/prediction_ids/0"));
    Ok(())
}

/// A prediction to come back to, when this step is not told.
pub(super) fn one(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    let address = story.address("http")?;
    let report = story.python(Path::new("traffic.py"), &["--address", &address, "--requests", "1"])?;
    told.prediction = format!("{}:0", text_at(&report.expect("traffic.py")?, "/prediction_ids/0"));
    Ok(())
}

/// Before anybody gets it, the team tries it by name.
fn only_with_a_token(story: &mut Story, told: &Told) -> anyhow::Result<()> {
    if told.stable == told.version {
        return Ok(());
    }
    let address = story.address("http")?;
    let version = told.version.to_string();
    let named = ["--address", &address, "--requests", "1", "--version", &version];
    let anonymous = story.python(Path::new("traffic.py"), &named)?;
    story.ledger_mut().check(
        anonymous.json["errors"] == 1,
        format!("{} is not served to callers: an anonymous one who names it is refused", version_name(told.version)),
        || anonymous.text.clone(),
    );
    Ok(())
}

/// What the producer pushed is what requests are answered with.
fn fresh_values(story: &mut Story) -> anyhow::Result<()> {
    let listed = http::get(&story.address("api")?, "/crosstie/v1/predictions?limit=2000")?;
    let listed: Value = serde_json::from_str(&listed.1).context("the list of predictions is not JSON")?;
    let predictions = listed["predictions"].as_array().cloned().unwrap_or_default();
    let is_pushed = |feature: &Value| feature["origin"] == "pushed";
    let with_pushed =
        |prediction: &&Value| prediction["features"].as_array().is_some_and(|all| all.iter().any(is_pushed));
    let fresh = predictions.iter().filter(with_pushed).count();
    let claim = format!("{fresh} of {} predictions used values that the producer had pushed", predictions.len());
    story.ledger_mut().check(fresh > 0, claim, || predictions.first().map_or(String::new(), Value::to_string));
    Ok(())
}

fn same_scores(story: &mut Story, told: &Told) -> anyhow::Result<()> {
    let version = told.version.to_string();
    let report = story.python(Path::new("check_score.py"), &["--rows", "200", "--version", &version])?;
    let report = report.expect("check_score.py")?;
    let rows = report["rows"].as_u64().unwrap_or_default();
    let worst = report["largest_difference"].as_f64().unwrap_or(f64::INFINITY);
    let claim =
        format!("{rows} logged predictions, scored again by onnxruntime in Python, differ by at most {worst:.1e}");
    story.ledger_mut().check(rows > 0 && worst <= TOLERANCE, claim, || report.to_string());
    Ok(())
}

fn explained(story: &mut Story, told: &Told) -> anyhow::Result<()> {
    let explained = story.crosstie(&["explain", &told.prediction])?.expect("crosstie explain")?;
    let features = explained["features"].as_array().cloned().unwrap_or_default();
    let aged = features.iter().filter(|feature| !feature["age"].is_null()).count();
    let differing: Vec<_> = features.iter().filter(|feature| feature["same"] == false).collect();
    let ledger = story.ledger_mut();
    ledger.check(features.len() >= 10 && aged > 0, "explain shows the features used, with their ages", || {
        explained.to_string()
    });
    ledger.check(
        differing.is_empty() && !features.is_empty(),
        "and the same features recomputed offline: none differs",
        || format!("{differing:?}"),
    );
    ledger.check(text_at(&explained, "/version") == version_name(told.version), "and the version", || {
        explained.to_string()
    });
    ledger.check(!text_at(&explained, "/lineage/run/id").is_empty(), "and data and run", || {
        explained["lineage"].to_string()
    });
    ledger.check(explained["release"].to_string().contains("bob"), "and who approved it", || {
        explained["release"].to_string()
    });
    Ok(())
}

fn malformed(story: &mut Story, told: &Told) -> anyhow::Result<()> {
    let address = story.address("http")?;
    let version = told.version.to_string();
    let arguments = ["--protocol", "http", "--address", &address, "--malformed", "--version", &version];
    let report = story.python_as(Some(&told.approver), Path::new("traffic.py"), &arguments)?;
    let report = report.expect("traffic.py --malformed")?;
    for (input, message) in report["errors"].as_object().into_iter().flatten() {
        let named = message.as_str().is_some_and(|message| message.contains(input.as_str()));
        story.ledger_mut().check(named, format!("a malformed `{input}` is refused by name"), || message.to_string());
    }
    Ok(())
}
