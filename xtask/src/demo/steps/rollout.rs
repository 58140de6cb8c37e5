//! A rollout as the story watches it: started by its people, looked at through `crosstie release show`, printed as a table.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{Told, version_name};
use crate::demo::project::{self, Way};
use crate::demo::story::{Story, text_at};
use crate::output;
use crate::time::{Stopwatch, pause};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// A step of the story's rollouts takes seconds; who is not through by then waits for what does not come.
const PATIENCE: Duration = Duration::from_secs(120);

/// Another way to production from now on.
pub(super) fn choose(story: &Story, told: &Told, way: Way) -> anyhow::Result<()> {
    project::set_way(story.dir(), way)?;
    story.crosstie_as(Some(&told.operator), &["apply"])?.expect("crosstie apply").map(drop)
}

/// Creates the release of a version, whose gates must all pass; its number.
pub(super) fn create(story: &Story, told: &Told, version: u32) -> anyhow::Result<String> {
    let created = story.crosstie_as(Some(&told.author), &["release", "create", &version_name(version)])?;
    Ok(text_at(&created.expect("crosstie release create")?, "/id"))
}

/// Lets the rollout begin.
pub(super) fn approve(story: &Story, told: &Told, id: &str) -> anyhow::Result<()> {
    story.crosstie_as(Some(&told.approver), &["release", "approve", id])?.expect("crosstie release approve").map(drop)
}

/// The release as it is now.
pub(super) fn shown(story: &Story, id: &str) -> anyhow::Result<Value> {
    story.crosstie(&["release", "show", id])?.expect("crosstie release show")
}

/// The release once `is_there` holds of it.
pub(super) fn until(story: &Story, id: &str, what: &str, is_there: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let watch = Stopwatch::start();
    loop {
        let release = shown(story, id)?;
        if is_there(&release) {
            return Ok(release);
        }
        if watch.elapsed() > PATIENCE {
            let hold = release.pointer("/rollout/hold").cloned().unwrap_or_default();
            bail!(
                "release {id} did not come to this within {} s: {what}; stage {}, step {}, held: {hold}, {}",
                PATIENCE.as_secs(),
                text_at(&release, "/stage"),
                text_at(&release, "/step"),
                text_at(&release, "/reason"),
            );
        }
        pause(LOOK);
    }
}

/// The release once it is over, however it ended.
pub(super) fn until_over(story: &Story, id: &str) -> anyhow::Result<Value> {
    let is_over =
        |release: &Value| matches!(text_at(release, "/stage").as_str(), "done" | "failed" | "aborted" | "rolled_back");
    until(story, id, "it is over", is_over)
}

/// The weight that the release gives its version, in percent.
pub(super) fn weight(release: &Value) -> f64 {
    percent(&release["weight"]).unwrap_or_default()
}

/// What both versions got at each weight, as the record has it; shadowed copies are left out.
pub(super) fn shares(release: &Value) -> Vec<Value> {
    let all = release.pointer("/rollout/shares").and_then(Value::as_array).cloned().unwrap_or_default();
    all.into_iter().filter(|share| share["is_shadow"] != true).collect()
}

/// Steps, shares, latencies and evidence, as a table.
pub(super) fn print(release: &Value, stable: u32) {
    output::line(format!(
        "         intended | real, of entities and of requests | requests: {}, {} | failed | p95 | E: errors, slow | \
         excess",
        version_name(stable),
        text_at(release, "/version"),
    ));
    for share in shares(release) {
        let points = release.pointer("/rollout/points").and_then(Value::as_array).cloned().unwrap_or_default();
        let last = points.iter().rfind(|point| percent(&point["weight"]) == percent(&share["intended"]));
        let number = |name: &str| last.and_then(|point| point[name].as_f64()).unwrap_or(f64::NAN);
        let arm = |arm: &str, field: &str| text_at(&share, &format!("/{arm}/{field}"));
        output::line(format!(
            "         {} | {}, {} | {}, {} | {}, {} | {}, {} | {:.2e}, {:.2e} | at most {:.2} %",
            shown_percent(&share["intended"]),
            shown_percent(&share["of_entities"]),
            shown_percent(&share["of_requests"]),
            arm("stable", "requests"),
            arm("canary", "requests"),
            arm("stable", "failed_requests"),
            arm("canary", "failed_requests"),
            shown_ms(&share["stable"]["p95"]),
            shown_ms(&share["canary"]["p95"]),
            number("e_errors"),
            number("e_latency"),
            number("excess_bound") * 100.0,
        ));
    }
}

/// A number of percent, written with or without its sign.
pub(super) fn percent(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim_end_matches('%').trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn shown_percent(value: &Value) -> String {
    percent(value).map_or_else(|| "-".to_owned(), |percent| format!("{percent:.1} %"))
}

/// Milliseconds of a duration as the record writes it: `12ms`, `870us`, `3s`.
pub(super) fn milliseconds(value: &Value) -> Option<f64> {
    let text = value.as_str()?;
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let number: f64 = text[..unit].parse().ok()?;
    let factor = match &text[unit..] {
        "us" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 6e4,
        _ => return None,
    };
    Some(number * factor)
}

fn shown_ms(value: &Value) -> String {
    milliseconds(value).map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms"))
}

/// Seconds from one timestamp of the record to another, at most a day later.
pub(super) fn seconds_between(from: &Value, to: &Value) -> Option<f64> {
    let of_day = |value: &Value| {
        let clock = value.as_str()?.split_once('T')?.1.trim_end_matches('Z');
        let mut parts = clock.split(':').map(str::parse::<f64>);
        let mut next = || parts.next()?.ok();
        Some(next()? * 3600.0 + next()? * 60.0 + next()?)
    };
    Some((of_day(to)? - of_day(from)?).rem_euclid(86_400.0))
}

/// How far the share of entities may be from the intended one: four standard errors of who happened to come, and one
/// point since some come more often than others.
pub(super) fn is_near(share: &Value) -> anyhow::Result<bool> {
    let entities = |arm: &str| share[arm]["entities"].as_f64().unwrap_or_default();
    let (stable, canary) = (entities("stable"), entities("canary"));
    let intended = percent(&share["intended"]).context("a share says what was intended")? / 100.0;
    let real = canary / (stable + canary).max(1.0);
    let error = (intended * (1.0 - intended) / (stable + canary).max(1.0)).sqrt();
    Ok((real - intended).abs() <= 4.0 * error + 0.01)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_and_shares_are_read_as_the_record_writes_them() {
        assert_eq!(milliseconds(&json!("870us")), Some(0.87));
        assert_eq!(milliseconds(&json!("12ms")), Some(12.0));
        assert_eq!(milliseconds(&json!(null)), None);
        assert_eq!((percent(&json!("5%")), percent(&json!(25))), (Some(5.0), Some(25.0)));
    }

    #[test]
    fn seconds_are_counted_across_midnight() {
        let between = |from, to| seconds_between(&json!(from), &json!(to)).unwrap();
        assert!((between("2026-11-23T18:05:36.5Z", "2026-11-23T18:06:00Z") - 23.5).abs() < 1e-6);
        assert!((between("2026-11-23T23:59:59Z", "2026-11-24T00:00:01Z") - 2.0).abs() < 1e-6);
    }

    #[test]
    fn a_share_far_from_the_intended_one_is_not_near() {
        let share =
            |canary| json!({ "intended": "5%", "stable": { "entities": 950 }, "canary": { "entities": canary } });
        assert!(is_near(&share(50)).unwrap());
        assert!(!is_near(&share(150)).unwrap());
    }
}
