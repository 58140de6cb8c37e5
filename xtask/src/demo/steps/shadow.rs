//! The shadow: the trained version receives copies of live requests, and nobody sees its answers but the team.

use serde_json::Value;

use super::{Told, live, needs, rollout, version_name};
use crate::demo::story::{Story, text_at};
use crate::output;
use crate::time::Stopwatch;

/// Enough to see what differs.
const ROWS: u64 = 300;
/// What the old machine has anyway.
const RATE: &[&str] = &["--rate", "150"];
/// How much longer the median caller may wait beside a shadow than without. All share a few cores here, callers and legacy
/// included; that a shadow which hangs or fails is not felt at all is for the tests of `serving` to show.
const SLOWER: f64 = 1.5;

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    needs::legacy(story, told)?;
    needs::trained(story, told)?;
    needs::online(story, told)?;
    let watch = Stopwatch::start();
    let id = rollout::create(story, told, told.version)?;
    story.note_time("five gates beside the legacy", watch.elapsed());

    let alone = live::run(story, told, "alone-live", &[RATE, &["--seconds", "3"]].concat())?;
    let callers = live::start(story, "shadow-live", RATE)?;
    rollout::approve(story, told, &id)?;
    told.release = id.parse()?;
    let release = rollout::until(story, &id, "enough rows are compared", |release| {
        rows(release) >= ROWS || rollout::weight(release) > 0.0
    })?;
    let met: Vec<String> = callers.lines().iter().flat_map(versions).collect();
    let by_legacy = met.iter().all(|version| *version == told.legacy.to_string()) && !met.is_empty();
    story.ledger_mut().check(
        by_legacy && rollout::weight(&release) == 0.0,
        "while copies go to the shadow, every caller is answered by the legacy",
        || format!("{met:?}, {}", release["rollout"]),
    );
    let release = rollout::until(story, &id, "the shadow is over", |release| rollout::weight(release) > 0.0)?;
    let report = live::finish(told, callers)?;
    compared(story, told, &release);
    unharmed(story, told, &alone, &report);
    Ok(())
}

fn rows(release: &Value) -> u64 {
    release.pointer("/rollout/shadow/rows").and_then(Value::as_u64).unwrap_or_default()
}

fn versions(second: &Value) -> Vec<String> {
    second["versions"].as_object().into_iter().flatten().map(|(version, _)| version.clone()).collect()
}

fn compared(story: &mut Story, told: &Told, release: &Value) {
    let shadow = release.pointer("/rollout/shadow").cloned().unwrap_or_default();
    let compared = rows(release);
    let (differing, errors) = (&shadow["differing"], &shadow["errors"]);
    story.ledger_mut().check(
        compared >= ROWS && errors == 0,
        format!("{compared} rows of {} are compared, {differing} differ, {errors} failed", version_name(told.version)),
        || text_at(release, "/rollout"),
    );
    let lines: Vec<String> = release
        .pointer("/rollout/explanation")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|line| text_at(line, ""))
        .collect();
    for line in &lines {
        output::line(format!("         {line}"));
    }
    let first = lines.iter().find(|line| line.contains('`')).cloned().unwrap_or_default();
    story.ledger_mut().check(
        first.contains("user_country"),
        "the feature that explains the most is named first: `user_country`",
        || lines.join("\n"),
    );
}

/// A shadow may cost its machine something, and callers nothing.
fn unharmed(story: &mut Story, told: &Told, alone: &Value, beside: &Value) {
    story.ledger_mut().check(
        beside["failed"] == 0 && alone["failed"] == 0,
        format!("none of {} live requests beside the shadow failed", beside["requests"]),
        || beside.to_string(),
    );
    let p50 = |report: &Value| report["versions"][told.legacy.to_string()]["p50_ms"].as_f64();
    let (before, during) = (p50(alone), p50(beside));
    let slower = during.zip(before).map_or(f64::INFINITY, |(during, before)| during / before);
    let claim = format!(
        "the primary's median, without a shadow and with one: {}, {}; its p95: {}, {}",
        live::shown_ms(before),
        live::shown_ms(during),
        live::shown_ms(live::p95(alone, told.legacy)),
        live::shown_ms(live::p95(beside, told.legacy)),
    );
    story.ledger_mut().check(slower < SLOWER, claim, || format!("{slower:.2} times"));
}
