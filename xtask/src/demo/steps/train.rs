//! An Argo Workflow, run here: from a snapshot of the data to a registered version.

use super::{MODEL, Told, needs, registry_script};
use crate::demo::story::Story;

/// Well above chance (0.5) for a world in which clicks depend on the features, and below what leaks would give.
const LEARNT: std::ops::Range<f64> = 0.68..0.95;

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    if let Some(took) = needs::trained(story, told)? {
        story.note_time("crosstie run workflows/train.yaml", took);
    }
    story.ledger_mut().check(true, "every step of the workflow succeeded", String::new);

    let answer = story
        .python(&registry_script(), &["metrics", MODEL, &told.version.to_string()])?
        .expect("reading the run back")?;
    let auc = answer["metrics"]["auc"].as_f64().unwrap_or_default();
    story.ledger_mut().measure("AUC on the days that training has not seen", format!("{auc:.4}"));
    story.ledger_mut().check(
        LEARNT.contains(&auc),
        "the stock MLflow client finds the run with an AUC well above chance",
        || answer.to_string(),
    );
    Ok(())
}
