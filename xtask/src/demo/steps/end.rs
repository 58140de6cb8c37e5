//! Down and up again, by the book and by a kill: everything that was acknowledged is still there.

use std::path::Path;

use super::{MODEL, Told, registry_script};
use crate::demo::story::{Story, text_at};
use crate::time::Spoken;

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    story.down()?;
    let took = story.up()?;
    story.ledger_mut().measure("up again, with everything in it", Spoken(took).to_string());
    everything_is_there(story, told, "after down and up")
}

fn everything_is_there(story: &mut Story, told: &Told, when: &str) -> anyhow::Result<()> {
    let alias = story.python(&registry_script(), &["alias", MODEL, "production"])?.json;
    story.ledger_mut().check(
        alias["version"] == told.version,
        format!("{when}, version {} is stable", told.version),
        || alias.to_string(),
    );
    let shown = story.crosstie(&["release", "show", &told.release.to_string()])?.json;
    let approved = text_at(&shown, "/approvals/0/principal") == "bob" && text_at(&shown, "/stage") == "done";
    story
        .ledger_mut()
        .check(approved, format!("{when}, the release and its approval are on record"), || shown.to_string());
    let explained = story.crosstie(&["explain", &told.prediction])?;
    story.ledger_mut().check(explained.succeeded, format!("{when}, a prediction from before is explained"), || {
        explained.text.clone()
    });
    let address = story.address("grpc")?;
    let traffic = ["--protocol", "grpc", "--address", &address, "--requests", "50"];
    let report = story.python(Path::new("traffic.py"), &traffic)?;
    let served = report.succeeded && report.json["errors"] == 0 && report.json["requests"] == 50;
    story.ledger_mut().check(served, format!("{when}, it serves, with features, at once"), || report.text.clone());
    Ok(())
}
