//! Where the users are: a ranker that is live on an old machine, taken in as it is.

use std::path::Path;

use anyhow::Context as _;

use super::lineage::gate;
use super::{GATES, MODEL, Told, demo_script, in_production, live, needs, rollout, up, version_name};
use crate::demo::http;
use crate::demo::story::{Answer, Story, text_at};

/// What the legacy server must carry, or nothing can be compared with it.
const RATE: u64 = 150;
/// A little more than that is sent.
const SENT: &str = "200";
const REASON: &str = "it has served for years, and nobody knows what it was trained on";
/// Scores go through JSON and single precision on their way.
const TOLERANCE: f64 = 1e-6;

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    if let Some((world, took)) = needs::world(story, told)? {
        up::describe_world(story, &world, took);
    }
    if let Some(ready) = needs::machine(story, told)? {
        let (reads, rows) = (text_at(&ready, "/reads"), text_at(&ready, "/rows"));
        let says = format!("an old machine ranks: {reads} store reads for a request, learnt from {rows} rows");
        story.ledger_mut().check(!told.machine.is_empty(), says, || ready.to_string());
    }
    if let Some(took) = needs::up(story, told)? {
        up::check_time(story, took);
    }
    if let Some(created) = needs::legacy(story, told)? {
        adopted(story, told, &created)?;
    }
    unchanged(story, told)?;
    carries(story, told)
}

/// Registers the server as a version and releases it; the release as it was when its gates were through.
pub(super) fn adopt(story: &Story, told: &mut Told) -> anyhow::Result<Answer> {
    let url = format!("http://{}/rank", told.machine);
    let made = story.python_as(Some(&told.author), Path::new("legacy/register.py"), &["--url", &url])?;
    let made = made.expect("legacy/register.py")?;
    told.legacy = made["version"].as_u64().and_then(|version| version.try_into().ok()).context("it has no version")?;
    let created = story.crosstie_as(Some(&told.author), &["release", "create", &version_name(told.legacy)])?;
    let id = created.at("/id");
    for name in GATES.iter().filter(|name| text_at(&gate(&created.json, name), "/verdict") == "failed") {
        let waive = ["release", "waive", &id, name, "--reason", REASON, "--until", "2099-01-01T00:00:00Z"];
        story.crosstie_as(Some(&told.approver), &waive)?.expect("waiving the gate")?;
    }
    story.crosstie_as(Some(&told.approver), &["release", "approve", &id])?.expect("approving the legacy")?;
    rollout::until_over(story, &id)?;
    told.stable = told.legacy;
    Ok(created)
}

fn adopted(story: &mut Story, told: &Told, created: &Answer) -> anyhow::Result<()> {
    let name = version_name(told.legacy);
    let failed = GATES.iter().filter(|name| text_at(&gate(&created.json, name), "/verdict") == "failed").count();
    let claim = format!("its declaration is registered as {name}; {failed} of {} gates do not pass it", GATES.len());
    story.ledger_mut().check(failed > 0, claim, || created.text.clone());
    let shown = rollout::shown(story, &created.at("/id"))?;
    let waivers = shown["waivers"].as_array().cloned().unwrap_or_default();
    let signed = waivers.iter().all(|waiver| waiver["principal"] == "bob" && waiver["reason"] == REASON);
    story.ledger_mut().check(
        signed && waivers.len() == failed && text_at(&shown, "/stage") == "done",
        format!("it is adopted by a release with {} waivers, each with who, why and until when", waivers.len()),
        || shown.to_string(),
    );
    let notes = shown["notes"].to_string();
    let skipped = shown["notes"].as_array().is_some_and(|notes| !notes.is_empty());
    story
        .ledger_mut()
        .check(skipped, "with nothing to compare it with, its steps are skipped, and it says so", || notes);
    let alias = in_production(story)?;
    story.ledger_mut().check(
        alias == Some(u64::from(told.legacy)),
        format!("`production` of {MODEL} is the legacy"),
        || format!("{alias:?}"),
    );
    Ok(())
}

/// The same answers as before, by another way.
fn unchanged(story: &mut Story, told: &Told) -> anyhow::Result<()> {
    let gateway = story.address("http")?;
    let report = story.python(&demo_script("unchanged.py"), &[&told.machine, &gateway, "50"])?;
    let report = report.expect("unchanged.py")?;
    let worst = report["largest_difference"].as_f64().unwrap_or(f64::INFINITY);
    let by_legacy = report["versions"] == serde_json::json!([told.legacy.to_string()]);
    story.ledger_mut().check(
        worst <= TOLERANCE && by_legacy,
        format!("{} rows are answered through the gateway as by the old machine itself", report["rows"]),
        || report.to_string(),
    );
    let country = text_at(&report, "/last/features/user_country");
    story.ledger_mut().measure("the legacy's `user_country` of the last row (its customer's billing country)", country);
    Ok(())
}

fn carries(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    let before = http::get(&told.machine, "/health")?;
    story.ledger_mut().check(before.0 == 200, "the old machine is well", || format!("{before:?}"));
    let report = live::run(story, told, "legacy-live", &["--rate", SENT, "--seconds", "3"])?;
    let requests = report["requests"].as_u64().unwrap_or_default();
    let p95 = live::p95(&report, told.legacy);
    story.ledger_mut().check(
        report["failed"] == 0 && requests >= 3 * RATE,
        format!("{requests} live requests in 3 s, none failed"),
        || report.to_string(),
    );
    story.ledger_mut().measure("p95 of the legacy through the gateway, as its callers see it", live::shown_ms(p95));
    Ok(())
}
