//! The canary: a version takes over from the legacy, and a better one from it, under traffic that does not notice.

use serde_json::Value;

use super::{Told, in_production, live, needs, rollout, version_name};
use crate::demo::project::Way;
use crate::demo::story::{Story, text_at};
use crate::time::Stopwatch;

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    over_the_legacy(story, told)?;
    a_better_one(story, told)
}

/// The trained version, from where the shadow left it.
fn over_the_legacy(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    if told.release == 0 {
        needs::legacy(story, told)?;
        needs::trained(story, told)?;
        needs::online(story, told)?;
        rollout::choose(story, told, Way::WithoutShadow)?;
        let id = rollout::create(story, told, told.version)?;
        rollout::approve(story, told, &id)?;
        told.release = id.parse()?;
        rollout::choose(story, told, Way::Steps)?;
    }
    let id = told.release.to_string();
    waits(story, &id)?;
    let callers = live::start(story, "canary-live", &["--rate", "200", "--workers", "6"])?;
    let watch = Stopwatch::start();
    let release = rollout::until_over(story, &id)?;
    story.note_time(&format!("{} from 5 % to all traffic", version_name(told.version)), watch.elapsed());
    let report = live::finish(told, callers)?;
    let (before, now) = (told.stable, told.version);
    went_through(story, told, &release, &report, now)?;
    let p95 = |version| live::p95(&report, version);
    let faster = p95(now).zip(p95(before)).is_some_and(|(now, before)| now < before);
    let claim = format!(
        "its p95 as callers see it is below the legacy's: {}, {}",
        live::shown_ms(p95(now)),
        live::shown_ms(p95(before))
    );
    story.ledger_mut().check(faster, claim, || report.to_string());
    Ok(())
}

/// Time alone brings nothing on: without a request nothing is known.
fn waits(story: &mut Story, id: &str) -> anyhow::Result<()> {
    let held_enough = |release: &Value| {
        let ms = |field: &str| rollout::milliseconds(&release["rollout"]["hold"][field]).unwrap_or(f64::NAN);
        ms("held") >= ms("duration")
    };
    let release = rollout::until(story, id, "its pause has lasted", held_enough)?;
    let waits_for = text_at(&release, "/rollout/hold/waits_for");
    story.ledger_mut().check(
        (rollout::weight(&release) - 5.0).abs() < f64::EPSILON && waits_for.len() > 2,
        format!("without traffic it waits at 5 %: {waits_for}"),
        || text_at(&release, "/rollout/hold"),
    );
    Ok(())
}

fn a_better_one(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    needs::better(story, told)?;
    let better = told.better;
    let id = rollout::create(story, told, better)?;
    let gateway = story.address("http")?;
    let callers = live::start(story, "better-live", &["--rate", "400", "--workers", "6", "--outcomes", &gateway])?;
    let watch = Stopwatch::start();
    rollout::approve(story, told, &id)?;
    let release = rollout::until_over(story, &id)?;
    story.note_time(&format!("{} from its approval to all traffic, by shadow", version_name(better)), watch.elapsed());
    let report = live::finish(told, callers)?;
    told.release = id.parse()?;
    told.outcomes = report["outcomes"].as_u64().unwrap_or_default();
    went_through(story, told, &release, &report, better)
}

/// What must hold of a rollout that ended well.
fn went_through(
    story: &mut Story,
    told: &mut Told,
    release: &Value,
    report: &Value,
    version: u32,
) -> anyhow::Result<()> {
    let name = version_name(version);
    rollout::print(release, told.stable);
    let is_done = text_at(release, "/stage") == "done";
    let alias = in_production(story)?;
    let ledger = story.ledger_mut();
    ledger.check(is_done && alias == Some(u64::from(version)), format!("{name} is in production"), || {
        format!("alias {alias:?}, {}: {}", text_at(release, "/stage"), text_at(release, "/reason"))
    });
    ledger.check(
        report["failed"] == 0,
        format!("none of {} live requests failed meanwhile", report["requests"]),
        || report["failures"].to_string(),
    );
    ledger.check(
        report["flips"] == 0,
        format!("of {} entities, {} changed to it and none changed back", report["entities"], report["met_several"]),
        || format!("{} did", report["flips"]),
    );
    let shares = rollout::shares(release);
    let mut near = shares.len() >= 2;
    for share in &shares {
        near &= rollout::is_near(share)?;
    }
    ledger.check(near, "its real shares are near the intended ones", || Value::from(shares).to_string());
    told.stable = version;
    told.approved = told.release;
    Ok(())
}
