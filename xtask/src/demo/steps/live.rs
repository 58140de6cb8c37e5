//! Live traffic beside the story, by `steady.py` of the example: callers who know nothing of releases.

use std::path::Path;

use serde_json::Value;

use super::Told;
use crate::demo::beside::Helper;
use crate::demo::story::Story;

/// Starts callers that go on until they are finished.
pub(super) fn start(story: &Story, name: &str, arguments: &[&str]) -> anyhow::Result<Helper> {
    let address = story.address("http")?;
    let mut helper = story.helper(
        name,
        Path::new("steady.py"),
        &[&["--address", &address, "--until-stdin-closes"], arguments].concat(),
    )?;
    helper.ready()?;
    Ok(helper)
}

/// Ends them: what became of their requests.
pub(super) fn finish(told: &mut Told, helper: Helper) -> anyhow::Result<Value> {
    let report = helper.finish()?;
    let number = |name: &str| report[name].as_u64().unwrap_or_default();
    told.live.0 += number("requests");
    told.live.1 += number("failed");
    Ok(report)
}

/// Callers for a time that the arguments say.
pub(super) fn run(story: &Story, told: &mut Told, name: &str, arguments: &[&str]) -> anyhow::Result<Value> {
    let address = story.address("http")?;
    let helper = story.helper(name, Path::new("steady.py"), &[&["--address", &address], arguments].concat())?;
    finish(told, helper)
}

/// Milliseconds under which callers had 95 % of a version's answers.
pub(super) fn p95(report: &Value, version: u32) -> Option<f64> {
    report["versions"][version.to_string()]["p95_ms"].as_f64()
}

/// How many answers callers had of a version.
pub(super) fn answers(report: &Value, version: u32) -> u64 {
    report["versions"][version.to_string()]["requests"].as_u64().unwrap_or_default()
}

pub(super) fn shown_ms(ms: Option<f64>) -> String {
    ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms"))
}
