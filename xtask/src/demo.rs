//! `cargo xtask demo`: the story, told and checked.

use clap::Args;

use crate::Verbosity;
use crate::workspace::Workspace;

#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
    /// Leave everything up and print the console's address
    #[arg(long)]
    pub(crate) keep: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    anyhow::bail!("not yet {workspace:?} {options:?}")
}
