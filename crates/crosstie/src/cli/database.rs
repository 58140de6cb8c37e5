//! `crosstie database …`: what is done to the database itself, with nothing up on it.

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::Context;
use crate::{
    project::{Project, read_files},
    settings::{ProjectFile, StoreFlags, StoreUris},
    state_dir::StateDir,
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Drop what is Crosstie's from the database (tables and indexes `crosstie_…`), so that it is MLflow's alone again.
    ///
    /// Runs, models and everything else that MLflow shows stay. Tokens, releases, the audit trail and the applied project
    /// are gone: make a backup before.
    Detach {
        /// Do it; without this it is only listed.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        stores: StoreFlags,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result<()> {
    let Command::Detach { yes, stores } = command;
    let uri = stores_of(context, stores)?.database;
    // Nothing may be up on the folder; a database elsewhere says itself whether it is in use.
    let _state = if context.state().exists() { Some(StateDir::acquire(&context.state())?) } else { None };
    let owned = ::database::owned(&uri).await.context("cannot read the database")?;
    if owned.is_empty() {
        context.output.answer(&json!({ "dropped": [] }), || "nothing of Crosstie's is in this database".to_owned());
        return Ok(());
    }
    if !yes {
        bail!(
            "this drops {} from the database: tokens, releases, the audit trail and the applied project are gone then. \
             Make a backup (`crosstie backup`), then give --yes. It would drop:\n  {}",
            if owned.len() == 1 { "1 thing".to_owned() } else { format!("{} things", owned.len()) },
            owned.join("\n  ")
        );
    }
    let dropped = ::database::detach(&uri).await.context("cannot detach the database; nothing was changed")?;
    context.output.answer(&json!({ "dropped": dropped }), || {
        format!("dropped {} of Crosstie's tables and indexes; the database is MLflow's alone", dropped.len())
    });
    Ok(())
}

/// Where things are kept, by these flags and the project's file.
pub(super) fn stores_of(context: &Context, flags: StoreFlags) -> Result<StoreUris> {
    let files = read_files(&context.dir)?;
    let project = files.as_ref().map(Project::parse).transpose();
    let project = project.map_err(|problems| context.output.problems(&context.dir, &problems))?;
    let default = ProjectFile::default();
    StoreUris::resolve(&context.dir, flags, project.as_ref().map_or(&default, |p| &p.content.project))
}
