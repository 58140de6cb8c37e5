//! What a version was made from; what becomes of one that does not say; and a waiver, which shows.

use std::process::Command;

use super::{MODEL, Told, registry_script, version_name};
use crate::demo::story::{Story, text_at};
use crate::process;

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    let lineage = story.crosstie(&["lineage", &version_name(told.version)])?.expect("crosstie lineage")?;
    let head = process::answer(Command::new("git").current_dir(story.dir()).args(["rev-parse", "HEAD"]))?;
    let list = |name: &str| lineage[name].as_array().cloned().unwrap_or_default();
    let ledger = story.ledger_mut();
    ledger.check(list("missing").is_empty() && lineage["missing"].is_array(), "nothing is missing", || {
        lineage["missing"].to_string()
    });
    ledger.check(text_at(&lineage, "/git/commit") == head.trim(), "the git commit is the project's", || {
        lineage["git"].to_string()
    });
    ledger.check(lineage["git"]["dirty"] == false, "there were no uncommitted changes", || lineage["git"].to_string());
    let digested = list("datasets").iter().all(|dataset| !text_at(dataset, "/digest").is_empty());
    ledger.check(digested && !list("datasets").is_empty(), "the data are known by digest", || {
        lineage["datasets"].to_string()
    });
    let features = lineage["features"].as_object().map_or(0, serde_json::Map::len);
    ledger.check(features >= 4, "the feature definitions are known by digest", || lineage["features"].to_string());
    ledger.check(!text_at(&lineage, "/environment").is_empty(), "the environment is known by digest", || {
        lineage.to_string()
    });
    ledger.check(!text_at(&lineage, "/run/id").is_empty(), "the run is known", || lineage["run"].to_string());
    ledger.check(text_at(&lineage, "/author/name") == "alice", "the author is whose token registered it", || {
        lineage["author"].to_string()
    });
    by_hand(story, told)
}

/// A version that nobody can reproduce.
fn by_hand(story: &mut Story, told: &Told) -> anyhow::Result<()> {
    let source = told.version.to_string();
    let made = story.python_as(Some(&told.author), &registry_script(), &["by-hand", MODEL, &source])?;
    let made = made.expect("registering a version by hand")?;
    let version = made["version"].as_u64().and_then(|version| u32::try_from(version).ok()).unwrap_or_default();
    let created = story.crosstie_as(Some(&told.author), &["release", "create", &version_name(version)])?;
    let gate = gate(&created.json, "lineage");
    story.ledger_mut().check(
        !created.succeeded && text_at(&gate, "/verdict") == "failed",
        format!("{}, registered by hand, fails the gate `lineage`", version_name(version)),
        || created.text.clone(),
    );
    let id = created.at("/id");
    let reason = "files of version 1, registered again for a test";
    let waive = ["release", "waive", &id, "lineage", "--reason", reason, "--until", "2099-01-01T00:00:00Z"];
    let anonymous = story.crosstie(&waive)?;
    story.ledger_mut().check(!anonymous.succeeded, "an anonymous caller cannot waive it", || anonymous.text.clone());
    story.crosstie_as(Some(&told.approver), &waive)?.expect("waiving the gate")?;
    let shown = story.crosstie(&["release", "show", &id])?.expect("crosstie release show")?;
    let waiver = shown["waivers"][0].clone();
    let says = text_at(&waiver, "/gate") == "lineage"
        && text_at(&waiver, "/principal") == "bob"
        && text_at(&waiver, "/reason") == reason;
    story.ledger_mut().check(
        says && !text_at(&waiver, "/until").is_empty(),
        "a waiver says who, why and until when",
        || shown["waivers"].to_string(),
    );
    let open = shown["gates"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|gate| gate["verdict"] == "failed" && gate["gate"] != "lineage");
    let passed_on = open || text_at(&shown, "/stage") == "awaiting_approval";
    story.ledger_mut().check(passed_on, "the waiver lets it pass that gate", || text_at(&shown, "/stage"));
    story
        .crosstie_as(Some(&told.author), &["release", "abort", &id, "--reason", "it was only a test"])?
        .expect("aborting it")?;
    Ok(())
}

/// One gate of a release.
pub(super) fn gate(release: &serde_json::Value, name: &str) -> serde_json::Value {
    let gates = release["gates"].as_array();
    gates.into_iter().flatten().find(|gate| gate["gate"] == name).cloned().unwrap_or_default()
}
