//! Backwards: a version that passes its gates and fails some requests is sent back by itself, and any version by hand.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::lineage::gate;
use super::{GATES, MODEL, Told, in_production, live, needs, newest, rollout, version_name};
use crate::demo::project::Way;
use crate::demo::story::{Story, text_at};
use crate::output;
use crate::time::{Stopwatch, pause};

/// An alert is delivered by the next round of them.
const DELIVERED_WITHIN: Duration = Duration::from_secs(15);
/// Outcomes are awaited for five seconds here, and counted every ten.
const COUNTED_WITHIN: Duration = Duration::from_secs(30);
/// More versions than the story has.
const MOST_STEPS_BACK: usize = 4;

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    needs::trained_is_stable(story, told)?;
    let faulty = made(story, told)?;
    outcomes(story, told)?;
    by_itself(story, told, faulty)?;
    by_hand(story, told)
}

/// A change that its author tried on all the data that there was.
fn made(story: &mut Story, told: &Told) -> anyhow::Result<u32> {
    let version = format!("version={}", told.stable);
    let watch = Stopwatch::start();
    story.aloud(&told.author, &["run", "workflows/daypart.yaml", "-p", &version])?;
    story.note_time("crosstie run workflows/daypart.yaml", watch.elapsed());
    newest(story)
}

/// What became of the predictions of the rollout before, now that they are old enough.
fn outcomes(story: &mut Story, told: &Told) -> anyhow::Result<()> {
    if told.outcomes == 0 {
        return Ok(());
    }
    let version = version_name(told.better);
    let rows = || -> anyhow::Result<Vec<Value>> {
        let answer = story.crosstie(&["kpis", MODEL])?.expect("crosstie kpis")?;
        let rows = answer["kpis"].as_array().cloned().unwrap_or_default();
        Ok(rows.into_iter().filter(|row| row["version"] == version && row["kpi"] == "ctr").collect())
    };
    let watch = Stopwatch::start();
    let mut ctr = rows()?;
    while ctr.is_empty() && watch.elapsed() < COUNTED_WITHIN {
        pause(Duration::from_millis(500));
        ctr = rows()?;
    }
    let all = ctr.iter().find(|row| row["segment"].is_null()).and_then(|row| row["value"].as_f64());
    let customers = ctr.iter().filter(|row| !row["segment"].is_null()).count();
    let claim = format!(
        "{} outcomes give {version} a click-through rate of {:.1} %, and one for each of {customers} customers",
        told.outcomes,
        all.unwrap_or(f64::NAN) * 100.0
    );
    let is_plausible = all.is_some_and(|rate| (0.05..0.3).contains(&rate));
    story.ledger_mut().check(is_plausible && customers > 1, claim, || Value::from(ctr).to_string());
    Ok(())
}

fn by_itself(story: &mut Story, told: &mut Told, faulty: u32) -> anyhow::Result<()> {
    let name = version_name(faulty);
    // A shadow would have found it. This team skips it, to be quick.
    rollout::choose(story, told, Way::WithoutShadow)?;
    let id = rollout::create(story, told, faulty)?;
    let gates = rollout::shown(story, &id)?;
    let passed = GATES.iter().filter(|name| text_at(&gate(&gates, name), "/verdict") == "passed").count();
    let claim = format!("{name}, a graph with a lookup by hour of day, passes {passed} of {} gates", GATES.len());
    story.ledger_mut().check(passed == GATES.len(), claim, || gates["gates"].to_string());

    let callers = live::start(story, "faulty-live", &["--rate", "400", "--workers", "6"])?;
    rollout::approve(story, told, &id)?;
    let release = rollout::until_over(story, &id)?;
    // Who was on it is served by stable again.
    pause(Duration::from_secs(2));
    let report = live::finish(told, callers)?;
    rollout::print(&release, told.stable);
    let reason = text_at(&release, "/reason");
    story.ledger_mut().check(text_at(&release, "/stage") == "rolled_back", format!("it is {reason}"), || {
        format!("{}: {reason}, {}", text_at(&release, "/stage"), release["rollout"])
    });
    took(story, told, &release, faulty, &report);
    served(story, told, faulty, &report)?;
    told_of(story, faulty)?;
    rollout::choose(story, told, Way::Steps)
}

/// How much it took to find out, and to be rid of it.
fn took(story: &mut Story, told: &Told, release: &Value, faulty: u32, report: &Value) {
    let shares = rollout::shares(release);
    let sum = |field: &str| shares.iter().filter_map(|share| share["canary"][field].as_u64()).sum::<u64>();
    let seconds = rollout::seconds_between(&release["approvals"][0]["at"], &release["updated_at"]);
    let (requests, failed) = (sum("requests"), sum("failed_requests"));
    let ledger = story.ledger_mut();
    ledger.measure(
        "from approval to rollback",
        format!("{:.1} s, {requests} requests to the canary, {failed} of them failed", seconds.unwrap_or(f64::NAN)),
    );
    let failed = report["failed"].as_u64().unwrap_or_default();
    ledger.measure(
        "callers who met it, until gateways had followed",
        format!("{} requests, {failed} of them failed", failed + live::answers(report, faulty)),
    );
    let served = live::answers(report, told.stable);
    ledger.measure("and meanwhile stable served", format!("{served} requests"));
}

/// Only those whom the canary was given to felt anything, and not for long.
fn served(story: &mut Story, told: &Told, faulty: u32, report: &Value) -> anyhow::Result<()> {
    let failures = report["failures"].as_object().cloned().unwrap_or_default();
    let name = version_name(faulty);
    let only_its = failures.keys().all(|text| text.contains(&name)) && !failures.is_empty();
    let (requests, failed) = (&report["requests"], &report["failed"]);
    story.ledger_mut().check(
        only_its,
        format!("of {requests} live requests {failed} failed, all of them of {name}"),
        || report["failures"].to_string(),
    );
    let by_stable = live::answers(report, told.stable);
    let everyone_else =
        requests.as_u64().unwrap_or_default() - failed.as_u64().unwrap_or_default() - live::answers(report, faulty);
    story.ledger_mut().check(
        by_stable == everyone_else && by_stable > 0,
        format!("{} served everyone else throughout: {by_stable} requests", version_name(told.stable)),
        || report["versions"].to_string(),
    );
    let alias = in_production(story)?;
    story.ledger_mut().check(alias == Some(u64::from(told.stable)), "and is in production", || format!("{alias:?}"));
    Ok(())
}

fn told_of(story: &mut Story, faulty: u32) -> anyhow::Result<()> {
    let name = version_name(faulty);
    let is_it = |message: &Value| {
        let body = &message["body"];
        body["status"] == "firing" && body.to_string().contains(&name)
    };
    let watch = Stopwatch::start();
    while !story.said("receiver").iter().any(is_it) && watch.elapsed() < DELIVERED_WITHIN {
        pause(Duration::from_millis(100));
    }
    let said = story.said("receiver");
    let message = said.iter().find(|message| is_it(message));
    let summary = message.map_or(String::new(), |message| text_at(message, "/body/summary"));
    story
        .ledger_mut()
        .check(message.is_some(), format!("an alert says so at the webhook: {summary}"), || format!("{said:?}"));
    Ok(())
}

/// Back to the legacy by hand, and forward again.
fn by_hand(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    let callers = live::start(story, "back-live", &["--rate", "150"])?;
    let came_from = told.stable;
    let mut way = vec![version_name(told.stable)];
    while told.stable != told.legacy {
        if way.len() > MOST_STEPS_BACK {
            bail!("the way back does not come to the legacy: {}", way.join(", "));
        }
        let reason = ["--reason", "to see that it works"];
        let back = [["rollback", MODEL].as_slice(), &reason].concat();
        let done = story.crosstie_as(Some(&told.operator), &back)?.expect("crosstie rollback")?;
        let version = text_at(&done, "/version");
        told.stable = version.rsplit('/').next().and_then(|number| number.parse().ok()).context("it has no version")?;
        way.push(version);
    }
    let alias = in_production(story)?;
    story.ledger_mut().check(
        alias == Some(u64::from(told.legacy)),
        format!("`crosstie rollback {MODEL}` goes back by hand: {}", way.join(" → ")),
        || format!("{alias:?}"),
    );
    // Long enough that the legacy answers callers again.
    pause(Duration::from_secs(3));
    let to = came_from.to_string();
    let forward = ["rollback", MODEL, "--to", &to, "--reason", "it works"];
    story.crosstie_as(Some(&told.operator), &forward)?.expect("crosstie rollback --to")?;
    told.stable = came_from;
    pause(Duration::from_secs(2));
    let report = live::finish(told, callers)?;
    let by_legacy = live::answers(&report, told.legacy);
    story.ledger_mut().check(
        report["failed"] == 0 && by_legacy > 0,
        format!(
            "there and back, none of {} live requests failed; the legacy answered {by_legacy} of them",
            report["requests"]
        ),
        || report.to_string(),
    );
    output::line(format!("         {} serves again", version_name(told.stable)));
    Ok(())
}
