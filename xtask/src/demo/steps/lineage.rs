//! What a version was made from; what becomes of one that does not say; and a waiver, which shows.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{GATES, MODEL, Told, needs, newest, registry_script, version_name};
use crate::demo::story::{Story, text_at};
use crate::process;
use crate::time::{Stopwatch, pause};

/// A waiver is looked at by the next round of the release's controller.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    needs::trained(story, told)?;
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
    reproduced(story, told)
}

/// The record is enough: the same run again, from nothing but it, in a registry of its own.
fn reproduced(story: &mut Story, told: &Told) -> anyhow::Result<()> {
    let again = story.crosstie(&["reproduce", &version_name(told.version)])?;
    story.note_time("crosstie reproduce", again.took);
    let metrics = again.json["metrics"].as_array().map_or(0, Vec::len);
    story.ledger_mut().check(
        again.succeeded && again.json["same"] == true && metrics > 0,
        format!("made again from its record, its {metrics} metrics are the same"),
        || again.text.clone(),
    );
    let newest = newest(story)?;
    story.ledger_mut().check(newest == told.version, "and no other version came of it", || newest.to_string());
    Ok(())
}

/// A version that nobody can reproduce. Told with the releases, when its other gates have what they need.
pub(super) fn by_hand(story: &mut Story, told: &Told) -> anyhow::Result<()> {
    let source = told.version.to_string();
    let made = story.python_as(Some(&told.author), &registry_script(), &["by-hand", MODEL, &source])?;
    let made = made.expect("registering a version by hand")?;
    let version = made["version"].as_u64().and_then(|version| u32::try_from(version).ok()).unwrap_or_default();
    let created = story.crosstie_as(Some(&told.author), &["release", "create", &version_name(version)])?;
    let verdict = text_at(&gate(&created.json, "lineage"), "/verdict");
    story.ledger_mut().check(
        !created.succeeded && verdict == "failed",
        format!("{}, registered by hand, fails the gate `lineage`", version_name(version)),
        || created.text.clone(),
    );
    let id = created.at("/id");
    let reason = "the files of a version, registered again to see what happens";
    let waive = |gate: &'static str| {
        ["release", "waive", &id, gate, "--reason", reason, "--until", "2099-01-01T00:00:00Z"]
            .map(str::to_owned)
            .to_vec()
    };
    let anonymous = story.crosstie(&words(&waive("lineage")))?;
    story.ledger_mut().check(!anonymous.succeeded, "an anonymous caller cannot waive it", || anonymous.text.clone());
    // Without a run there is no evaluation data either, so `quality` has nothing to score.
    for name in GATES.iter().filter(|name| text_at(&gate(&created.json, name), "/verdict") == "failed") {
        story.crosstie_as(Some(&told.approver), &words(&waive(name)))?.expect("waiving the gate")?;
    }
    let shown = settled(story, &id)?;
    let waiver = shown["waivers"].as_array().into_iter().flatten().find(|waiver| waiver["gate"] == "lineage");
    let waiver = waiver.cloned().unwrap_or_default();
    let says = text_at(&waiver, "/principal") == "bob" && text_at(&waiver, "/reason") == reason;
    story.ledger_mut().check(
        says && !text_at(&waiver, "/until").is_empty(),
        "a waiver shows who, why and until when",
        || shown["waivers"].to_string(),
    );
    let stage = text_at(&shown, "/stage");
    story
        .ledger_mut()
        .check(stage == "awaiting_approval", "and lets it pass", || format!("{stage}: {}", shown["gates"]));
    story
        .crosstie_as(Some(&told.operator), &["release", "abort", &id, "--reason", "it was only a test"])?
        .expect("aborting it")?;
    Ok(())
}

/// The release once it waits for nothing that happens by itself.
fn settled(story: &Story, id: &str) -> anyhow::Result<Value> {
    let watch = Stopwatch::start();
    loop {
        let shown = story.crosstie(&["release", "show", id])?.expect("crosstie release show")?;
        let goes_on = matches!(text_at(&shown, "/stage").as_str(), "gating" | "gates_failed" | "rolling_out");
        if !goes_on || watch.elapsed() > SETTLED_WITHIN {
            return Ok(shown);
        }
        pause(Duration::from_millis(100));
    }
}

fn words(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}

/// One gate of a release.
pub(super) fn gate(release: &Value, name: &str) -> Value {
    let gates = release["gates"].as_array();
    gates.into_iter().flatten().find(|gate| gate["gate"] == name).cloned().unwrap_or_default()
}
