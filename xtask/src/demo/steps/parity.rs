//! Skew, made the way it is made in life: a producer changes an encoding, and the next release does not pass.

use std::path::Path;

use super::lineage::gate;
use super::{Told, version_name};
use crate::demo::story::{Story, text_at};
use crate::time::Stopwatch;

/// What the gate must find out by itself.
const DIAGNOSIS: &str = "lower(offline) = online";

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    let report = story.python(Path::new("producer.py"), &["--events", "2000", "--lower-case-countries"])?;
    let report = report.expect("producer.py --lower-case-countries")?;
    let accepted = report["accepted"].as_u64().unwrap_or_default();
    story.ledger_mut().check(
        accepted > 0,
        format!("a producer pushed {accepted} values with lower-cased countries"),
        || report.to_string(),
    );

    let watch = Stopwatch::start();
    story.aloud(&told.author, &["run", "workflows/train.yaml", "-p", "seed=8"])?;
    story.note_time("training again", watch.elapsed());
    let version = told.version + 2;
    let created = story.crosstie_as(Some(&told.author), &["release", "create", &version_name(version)])?;
    let gate = gate(&created.json, "parity");
    let stopped = !created.succeeded && text_at(&gate, "/verdict") == "failed";
    story.ledger_mut().check(
        stopped,
        format!("the release of {} is stopped by the gate `parity`", version_name(version)),
        || created.text.clone(),
    );
    let evidence = &gate["evidence"]["report"];
    let first = &evidence["first_differences"][0];
    let complete = ["/entity", "/feature", "/online/value", "/offline/value", "/online/origin", "/offline/file"];
    let shown = complete.iter().all(|pointer| first.pointer(pointer).is_some_and(|value| !value.is_null()));
    story.ledger_mut().check(
        shown && text_at(first, "/feature").contains("user_country"),
        "it shows entity, feature, both values, and where each came from",
        || first.to_string(),
    );
    let diagnosis = text_at(evidence, "/diagnosis/text");
    story
        .ledger_mut()
        .check(diagnosis.contains(DIAGNOSIS), format!("it finds out why: {diagnosis}"), || evidence.to_string());
    let id = created.at("/id");
    let approve = story.crosstie_as(Some(&told.approver), &["release", "approve", &id])?;
    story.ledger_mut().check(!approve.succeeded, "nobody can approve it", || approve.text.clone());
    let serving = story.python(&super::registry_script(), &["alias", super::MODEL, "production"])?.json;
    story
        .ledger_mut()
        .check(serving["version"] == told.version, "what served before serves on", || serving.to_string());
    Ok(())
}
