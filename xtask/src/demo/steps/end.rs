//! Down and up again, by the book and by a kill: everything that was acknowledged is still there.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{Told, demo_script, in_production, needs, registry_script, serve};
use crate::demo::http;
use crate::demo::story::{Story, text_at};
use crate::output;
use crate::time::{Spoken, Stopwatch, pause};

/// Enough acknowledged writes of each kind that the kill falls between others.
const IN_FLIGHT: usize = 300;
/// How many of the predictions served last are looked for.
const NEWEST: usize = 5_000;
/// How long writing them may take.
const WRITTEN_WITHIN: Duration = Duration::from_secs(60);

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    needs::trained_is_stable(story, told)?;
    if told.prediction.is_empty() {
        serve::one(story, told)?;
    }
    story.down()?;
    let took = story.up()?;
    story.ledger_mut().measure("up again, with everything in it", Spoken(took).to_string());
    everything_is_there(story, told, "after down and up")?;
    killed(story)?;
    everything_is_there(story, told, "after kill -9 and up")?;
    what_it_was(told);
    Ok(())
}

/// What all of this shows, and what it does not.
fn what_it_was(told: &Told) {
    let (requests, failed) = told.live;
    let live = format!("live requests: {requests}; {failed} failed, all of them of the version that was sent back");
    let alarms = format!("false alarms: {}", told.false_alarms);
    for line in [
        live.as_str(),
        "simulated: customers, users and items, generated; a legacy whose store takes 0.3 ms for a read; one day of",
        "  traffic, shuffled and sent again and again within minutes",
        "in seconds what takes hours in life: the shadow 5, the pauses 3, windows of drift 10; the first pause takes 25",
        "  requests, the last one as many, and as much evidence, as in the example",
        alarms.as_str(),
        "a fault that it cannot see: an upstream that swaps values among a customer's users and lands them, too. Both",
        "  rails agree, every value is known, their distribution stays, nothing fails; only clicks tell, later",
        "not exercised: Kubernetes, Triton, Redis, S3, PagerDuty, and more than one gateway, which the tests have",
    ] {
        output::line(format!("         {line}"));
    }
}

/// kill -9 while predictions are served and MLflow's client writes.
fn killed(story: &mut Story) -> anyhow::Result<()> {
    let (written, served) = (story.dir().join("state/written.txt"), story.dir().join("state/served.txt"));
    let path = |file: &Path| file.to_str().context("the project's folder is not UTF-8").map(str::to_owned);
    let (written_path, served_path) = (path(&written)?, path(&served)?);
    let address = story.address("http")?;
    let mut writer = story.beside(&registry_script(), &["write", &written_path])?;
    let mut caller = story.beside(&demo_script("until_killed.py"), &[&address, &served_path])?;

    let watch = Stopwatch::start();
    while lines(&written).len() < IN_FLIGHT || lines(&served).len() < IN_FLIGHT {
        if watch.elapsed() > WRITTEN_WITHIN {
            writer.kill().ok();
            caller.kill().ok();
            bail!("too few writes: {} by MLflow, {} predictions", lines(&written).len(), lines(&served).len());
        }
        pause(Duration::from_millis(20));
    }
    story.kill()?;
    writer.wait()?;
    caller.wait()?;
    let took = story.up()?;
    story.ledger_mut().measure("up again after a kill, with recovery", Spoken(took).to_string());

    let report = story.python(&registry_script(), &["written", &written_path])?.expect("reading the writes back")?;
    let kept = report["missing"].as_array().is_some_and(Vec::is_empty);
    let claim = format!("none of {} acknowledged MLflow writes was lost by kill -9", report["acknowledged"]);
    story.ledger_mut().check(kept, claim, || report.to_string());

    let listed = http::get(&story.address("api")?, "/crosstie/v1/predictions?limit=10000")?;
    let listed: Value = serde_json::from_str(&listed.1).context("the list of predictions is not JSON")?;
    let found: BTreeSet<String> =
        listed["predictions"].as_array().into_iter().flatten().map(|one| text_at(one, "/id")).collect();
    // The newest are those at risk; the list ends after ten thousand.
    let acknowledged: Vec<String> = lines(&served).into_iter().rev().take(NEWEST).collect();
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !found.contains(*id)).collect();
    let claim = format!("none of {} served predictions is missing in the log", acknowledged.len());
    story.ledger_mut().check(lost.is_empty() && !acknowledged.is_empty(), claim, || {
        format!("{} are: {:?}", lost.len(), lost.first())
    });
    Ok(())
}

/// Complete lines of a file that somebody may be writing; none if it is not there yet.
fn lines(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    complete.lines().map(str::to_owned).collect()
}

fn everything_is_there(story: &mut Story, told: &Told, when: &str) -> anyhow::Result<()> {
    let alias = in_production(story)?;
    story.ledger_mut().check(
        alias == Some(u64::from(told.stable)),
        format!("{when}, version {} is stable", told.stable),
        || format!("{alias:?}"),
    );
    let shown = story.crosstie(&["release", "show", &told.approved.to_string()])?.json;
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
