//! `crosstie gc`, `verify`, `backup` and `restore`. All but the last ask the server that is up; like `crosstie token`, as
//! the folder's owner where no token is given.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use api::maintenance::BackedUp;
use registry::{Collected, Collection, Verified};
use serde_json::json;
use types::Duration;

use super::{
    Context,
    database::stores_of,
    output::{Told, table},
};
use crate::{backup, settings::StoreFlags, state_dir::StateDir};

/// What `crosstie gc` is told; MLflow's own `mlflow gc` has the same flags.
#[derive(Debug, clap::Args)]
pub(super) struct GcFlags {
    /// Only what was deleted at least this long ago, such as 30d.
    #[arg(long, value_name = "AGE")]
    older_than: Option<Duration>,
    /// Say what would be collected; change nothing.
    #[arg(long)]
    dry_run: bool,
    /// These runs only; they must be deleted.
    #[arg(long, value_name = "ID,ID,…", value_delimiter = ',')]
    run_ids: Option<Vec<String>>,
    /// These experiments with their runs only; they must be deleted.
    #[arg(long, value_name = "ID,ID,…", value_delimiter = ',')]
    experiment_ids: Option<Vec<String>>,
    /// These logged models only; they must be deleted.
    #[arg(long, value_name = "ID,ID,…", value_delimiter = ',')]
    logged_model_ids: Option<Vec<String>>,
}

pub(super) async fn gc(context: &Context, flags: GcFlags) -> Result<()> {
    let GcFlags { older_than, dry_run, run_ids, experiment_ids, logged_model_ids } = flags;
    let collection = Collection { older_than, dry_run, run_ids, experiment_ids, logged_model_ids };
    let collected: Collected = context.client()?.acting_as_owner().post("gc", &collection).await?;
    context.output.answer(&collected, || {
        let verb = if dry_run { "would delete" } else { "deleted" };
        let Collected { runs, logged_models, experiments, kept, elsewhere, files, bytes, .. } = &collected;
        let mut text = format!(
            "{verb} {} runs, {} logged models, {} experiments, {files} files ({bytes} bytes)\n",
            runs.len(),
            logged_models.len(),
            experiments.len()
        );
        for kept in kept {
            text.push_str(&format!("kept the {} {}: {}\n", kept.what, kept.id, kept.because));
        }
        for uri in elsewhere {
            text.push_str(&format!("left the artifacts at {uri}, which are not this server's\n"));
        }
        text
    });
    Ok(())
}

pub(super) async fn verify(context: &Context) -> Result<()> {
    let verified: Verified = context.client()?.acting_as_owner().get("verify").await?;
    context.output.answer(&verified, || {
        let Verified { references, versions, elsewhere, files, bytes, sizes_only, problems } = &verified;
        let counted = format!(
            "held every row to {references} kinds of reference, found the files of {versions} versions ({elsewhere} lie \
             elsewhere), read {files} files ({bytes} bytes; of {sizes_only} only the size is recorded)"
        );
        if problems.is_empty() {
            return format!("{counted}\neverything is as it should be");
        }
        let rows = problems.iter().map(|it| [it.what.clone(), it.subject.clone(), it.problem.clone()]);
        format!("{counted}\n\n{}\n{} problems", table(["WHAT", "WHICH", "PROBLEM"], rows), problems.len())
    });
    if verified.problems.is_empty() { Ok(()) } else { Err(Told.into()) }
}

pub(super) async fn back_up(context: &Context, to: PathBuf) -> Result<()> {
    let to = std::path::absolute(&to).with_context(|| format!("cannot resolve {}", to.display()))?;
    let made: BackedUp = context.client()?.acting_as_owner().post("backups", &json!({ "to": to })).await?;
    context
        .output
        .answer(&made, || format!("wrote {} files ({} bytes) to {}", made.files, made.bytes, made.to.display()));
    Ok(())
}

pub(super) async fn restore(context: &Context, from: PathBuf, stores: StoreFlags) -> Result<()> {
    let from = std::path::absolute(&from).with_context(|| format!("cannot resolve {}", from.display()))?;
    let uris = stores_of(context, stores)?;
    let _state = StateDir::acquire(&context.state())?;
    let restored = backup::restore(&from, &uris, &context.state()).await?;
    context.output.answer(&restored, || {
        format!("restored {} files ({} bytes); `crosstie up` serves them", restored.files, restored.bytes)
    });
    Ok(())
}
