//! Skew, made the way it is made in life: a producer changes an encoding, and the next release does not pass.

use std::path::Path;

use super::lineage::gate;
use super::{Told, in_production, needs, version_name};
use crate::demo::story::{Story, text_at};

/// What the gate must find out by itself.
const DIAGNOSIS: &str = "lower(offline) = online";

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    needs::legacy(story, told)?;
    needs::trained(story, told)?;
    needs::online(story, told)?;
    let report = story.python(Path::new("producer.py"), &["--events", "2000", "--lower-case-countries"])?;
    let report = report.expect("producer.py --lower-case-countries")?;
    let accepted = report["accepted"].as_u64().unwrap_or_default();
    story.ledger_mut().check(
        accepted > 0,
        format!("a producer pushed {accepted} values with lower-cased countries"),
        || report.to_string(),
    );

    withdraw(story, told)?;
    if let Some(took) = needs::better(story, told)? {
        story.note_time("training again, for longer", took);
    }
    let version = told.better;
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
    let serving = in_production(story)?;
    story
        .ledger_mut()
        .check(serving == Some(u64::from(told.stable)), "what served before serves on", || format!("{serving:?}"));
    repaired(story)
}

/// The release that is on its way is ended, too: what the shadow would show is not what was judged.
fn withdraw(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    if told.release == 0 {
        return Ok(());
    }
    let id = told.release.to_string();
    let reason = ["--reason", "its features are wrong since this morning"];
    let aborted = story.crosstie_as(Some(&told.operator), &[["release", "abort", &id].as_slice(), &reason].concat())?;
    let claim = format!("an operator ends the release of {}, which reads them, too", version_name(told.version));
    story.ledger_mut().check(aborted.at("/stage") == "aborted", claim, || aborted.text.clone());
    told.release = 0;
    Ok(())
}

/// The producer sends the same values again, as they should have been.
fn repaired(story: &mut Story) -> anyhow::Result<()> {
    let report = story.python(Path::new("producer.py"), &["--events", "2000"])?.expect("producer.py")?;
    let accepted = report["accepted"].as_u64().unwrap_or_default();
    story
        .ledger_mut()
        .check(accepted > 0, format!("the producer is repaired: {accepted} values"), || report.to_string());
    Ok(())
}
