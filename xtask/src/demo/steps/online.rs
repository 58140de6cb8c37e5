//! Feature values where requests find them: materialized from the offline source, and pushed by a producer.

use std::time::Duration;

use serde_json::Value;

use super::{Told, needs};
use crate::demo::story::Story;
use crate::time::Spoken;

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    if let Some((report, took)) = needs::online(story, told)? {
        materialized(story, &report, took);
    }
    push(story, told)
}

fn materialized(story: &mut Story, report: &Value, took: Duration) {
    let views = report["views"].as_array().cloned().unwrap_or_default();
    let rows: u64 = views.iter().filter_map(|view| view["rows"].as_u64()).sum();
    let ledger = story.ledger_mut();
    ledger.check(
        views.len() >= 4 && rows > 20_000,
        format!("{rows} rows of {} views are materialized", views.len()),
        || report.to_string(),
    );
    ledger.measure("materialized in", format!("{} ({rows} rows)", Spoken(took)));
}

/// A producer that knows newer values than the last materialization.
fn push(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    let Some((report, took)) = needs::pushed(story, told)? else { return Ok(()) };
    let accepted = report["accepted"].as_u64().unwrap_or_default();
    story
        .ledger_mut()
        .check(accepted > 0, format!("a producer pushed {accepted} fresher values"), || report.to_string());
    story.ledger_mut().measure("pushed in", Spoken(took).to_string());
    Ok(())
}
