//! The way to production: gates with evidence, an approval by someone else, and no way around.

use std::time::Duration;

use super::lineage::{by_hand, gate};
use super::{GATES, MODEL, Told, registry_script, version_name};
use crate::demo::story::{Story, text_at};
use crate::time::{Spoken, Stopwatch, pause};

/// From approval to serving; the gateway polls its plan each second.
const LIVE_WITHIN: Duration = Duration::from_secs(20);

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    by_hand(story, told)?;
    let created = story.crosstie_as(Some(&told.author), &["release", "create", &version_name(told.version)])?;
    story.note_time("five gates", created.took);
    let ledger = story.ledger_mut();
    for name in GATES {
        let gate = gate(&created.json, name);
        let passed = text_at(&gate, "/verdict") == "passed" && gate["evidence"].is_object();
        let claim = format!("gate {name}, with evidence: {}", text_at(&gate, "/summary"));
        ledger.check(passed, claim, || if gate.is_null() { created.text.clone() } else { gate.to_string() });
    }
    let frozen = !created.at("/artifact_digest").is_empty() && !created.at("/project_digest").is_empty();
    ledger.check(frozen, "artifact and project are frozen by digest", || created.text.clone());
    ledger.check(created.at("/stage") == "awaiting_approval", "it waits for approval", || created.text.clone());
    told.release = created.json["id"].as_i64().unwrap_or_default();

    approvals(story, told)?;
    no_way_around(story, told)?;
    let alias = story.python(&registry_script(), &["alias", MODEL, "production"])?.expect("reading the alias")?;
    story
        .ledger_mut()
        .check(alias["version"] == told.version, "the alias `production` mirrors it", || alias.to_string());
    Ok(())
}

fn approvals(story: &mut Story, told: &Told) -> anyhow::Result<()> {
    let id = told.release.to_string();
    let approve = ["release", "approve", id.as_str()];
    let author = story.crosstie_as(Some(&told.author), &approve)?;
    story.ledger_mut().check(
        !author.succeeded && author.text.contains("registered this version"),
        "its author cannot approve it",
        || author.text.clone(),
    );
    let anonymous = story.crosstie(&approve)?;
    story.ledger_mut().check(!anonymous.succeeded, "an anonymous caller cannot approve it", || anonymous.text.clone());
    let stage = text_at(&story.crosstie(&["release", "show", &id])?.json, "/stage");
    story.ledger_mut().check(stage == "awaiting_approval", "it still waits", || stage.clone());

    let watch = Stopwatch::start();
    let approved =
        story.crosstie_as(Some(&told.approver), &[approve.as_slice(), &["--comment", "looks right"]].concat())?;
    story.ledger_mut().check(approved.succeeded, "an approver's token can", || approved.text.clone());
    let mut shown = approved.json;
    while text_at(&shown, "/stage") != "done" && watch.elapsed() < LIVE_WITHIN {
        pause(Duration::from_millis(100));
        shown = story.crosstie(&["release", "show", &id])?.json;
    }
    let took = watch.elapsed();
    story.ledger_mut().check(text_at(&shown, "/stage") == "done", "the release is done", || shown.to_string());
    story.ledger_mut().measure("from approval to production", Spoken(took).to_string());
    Ok(())
}

/// The stock client may not do what only a release may, and learns how to do it.
fn no_way_around(story: &mut Story, told: &Told) -> anyhow::Result<()> {
    let version = told.version.to_string();
    let answers = story.python_as(Some(&told.approver), &registry_script(), &["forbidden", MODEL, &version])?;
    let answers = answers.expect("trying what is forbidden")?;
    for (attempt, answer) in answers.as_object().into_iter().flatten() {
        let told_how = text_at(answer, "/message").contains("crosstie release");
        story.ledger_mut().check(
            answer["refused"] == true && told_how,
            format!("through MLflow's client, \"{attempt}\" is refused, and the message says how to release"),
            || answer.to_string(),
        );
    }
    Ok(())
}
