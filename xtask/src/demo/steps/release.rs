//! The way to production: gates with evidence, an approval by someone else, and no way around.

use super::lineage::{by_hand, gate};
use super::{GATES, MODEL, Told, in_production, needs, registry_script, rollout, version_name};
use crate::demo::story::{Story, text_at};

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    needs::legacy(story, told)?;
    needs::trained(story, told)?;
    needs::online(story, told)?;
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
    let alias = in_production(story)?;
    story.ledger_mut().check(
        alias == Some(u64::from(told.legacy)),
        "until it is through, the alias `production` mirrors the legacy",
        || format!("{alias:?}"),
    );
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

    let approved =
        story.crosstie_as(Some(&told.approver), &[approve.as_slice(), &["--comment", "looks right"]].concat())?;
    story.ledger_mut().check(approved.succeeded, "an approver's token can", || approved.text.clone());
    let paused = story.crosstie_as(Some(&told.operator), &["release", "pause", &id])?;
    let shown = rollout::shown(story, &id)?;
    let is_held = text_at(&shown, "/stage") == "rolling_out" && shown["paused"] == true;
    story.ledger_mut().check(
        paused.succeeded && is_held,
        "the release rolls out, and an operator holds it at its first step",
        || format!("{}: {shown}", paused.text),
    );
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
