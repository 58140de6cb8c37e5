//! The command line. Every command but `up`, and those that need no state, is an HTTP client of the API; each says what
//! it did to a person, or with `--json` to a program.

mod client;
mod database;
mod down;
mod explain;
mod features;
mod lineage;
mod maintenance;
mod monitoring;
mod output;
mod projects;
mod release;
mod reproduce;
mod run;
mod status;
mod token;
mod up;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use types::{ModelName, PredictionId};

use crate::{project::find_project_dir, settings::StoreFlags};
use client::{Client, ServerFlags};
use output::Output;

/// Production rails for machine-learning models: one gated, reversible path from a training run to production.
#[derive(Debug, Parser)]
#[command(name = "crosstie", version, max_term_width = 110)]
struct CommandLine {
    /// The project folder. Default: the nearest one at or above this one with a crosstie.yaml, else this one.
    #[arg(long, global = true, value_name = "DIR", env = "CROSSTIE_DIR")]
    dir: Option<PathBuf>,
    /// Answer as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the registry, the gateway and the console of this project.
    Up(Box<up::Flags>),
    /// Stop what `up` started on this folder, after what is in flight.
    Down,
    /// Say what runs on this folder, and where.
    Status,
    /// Write a new project's files into this folder.
    Init,
    /// Check the project's files; change nothing.
    Validate,
    /// Put the project's files in force on the server.
    Apply,
    /// Execute an Argo Workflow here, as local processes.
    Run(run::Flags),
    /// Training sets, materialization.
    #[command(subcommand)]
    Features(features::Command),
    /// Bring a model version to production.
    #[command(subcommand)]
    Release(release::Command),
    /// Serve the version again that was stable before.
    Rollback(release::RollbackFlags),
    /// Show what a version was made from and what became of it, or who read a dataset.
    Lineage(lineage::Flags),
    /// Make a version's run again from its record, and compare the metrics.
    Reproduce(reproduce::Flags),
    /// Show why a served prediction is what it is.
    Explain {
        /// The id that the answer carried.
        prediction: PredictionId,
    },
    /// List what somebody should act on.
    Alerts(monitoring::AlertFlags),
    /// Compare a model's traffic with what it was trained on.
    Drift {
        /// The model.
        model: ModelName,
    },
    /// Count what became of a model's predictions, by version and segment.
    Kpis {
        /// The model.
        model: ModelName,
    },
    /// Delete for good what was deleted: runs, logged models, experiments, and their artifacts.
    Gc(maintenance::GcFlags),
    /// Look whether every row's references and every artifact's content are as they should be.
    Verify,
    /// Write a backup of everything that the server keeps, while it serves, into a folder on its machine.
    Backup {
        /// The folder, which must not exist or be empty.
        to: PathBuf,
    },
    /// Put a backup into empty stores, with nothing up on this folder.
    Restore {
        /// The backup's folder.
        from: PathBuf,
        #[command(flatten)]
        stores: Box<StoreFlags>,
    },
    /// Go back to MLflow's own server.
    #[command(subcommand)]
    Database(database::Command),
    /// Make, list and revoke tokens.
    #[command(subcommand)]
    Token(token::Command),
    /// Write the JSON Schemas of the project's files.
    #[command(hide = true)]
    Schema {
        /// The folder to write them to.
        #[arg(long)]
        out: PathBuf,
    },
}

/// What every command is given.
struct Context {
    dir: PathBuf,
    output: Output,
    server: ServerFlags,
}

impl Context {
    /// A client of the server that `--server` names, or that is up on this folder.
    fn client(&self) -> Result<Client> {
        Client::connect(&self.server, &self.dir)
    }

    /// The folder of state.
    fn state(&self) -> PathBuf {
        self.dir.join(".crosstie")
    }
}

/// Parses the command line, runs the command, and turns its failure into a message and an exit code.
pub(crate) fn main() -> ExitCode {
    let line = CommandLine::parse();
    let output = Output { json: line.json };
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
        .and_then(|runtime| runtime.block_on(run(line, output)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output.failure(&error),
    }
}

async fn run(line: CommandLine, output: Output) -> Result<()> {
    let dir = match line.dir {
        Some(dir) => std::path::absolute(&dir).with_context(|| format!("cannot resolve {}", dir.display()))?,
        None => find_project_dir(&std::env::current_dir().context("the current folder is gone")?),
    };
    let context = Context { dir, output, server: line.server };
    match line.command {
        Command::Up(flags) => up::run(&context, *flags).await,
        Command::Down => down::run(&context).await,
        Command::Status => status::run(&context).await,
        Command::Init => projects::init(&context),
        Command::Validate => projects::validate(&context),
        Command::Apply => projects::apply(&context).await,
        Command::Run(flags) => run::run(&context, flags).await,
        Command::Features(command) => features::run(&context, command).await,
        Command::Release(command) => release::run(&context, command).await,
        Command::Rollback(flags) => release::rollback(&context, flags).await,
        Command::Lineage(flags) => lineage::run(&context, flags).await,
        Command::Reproduce(flags) => reproduce::run(&context, flags).await,
        Command::Explain { prediction } => explain::run(&context, prediction).await,
        Command::Alerts(flags) => monitoring::alerts(&context, &flags).await,
        Command::Drift { model } => monitoring::drift(&context, &model).await,
        Command::Kpis { model } => monitoring::kpis(&context, &model).await,
        Command::Gc(flags) => maintenance::gc(&context, flags).await,
        Command::Verify => maintenance::verify(&context).await,
        Command::Backup { to } => maintenance::back_up(&context, to).await,
        Command::Restore { from, stores } => maintenance::restore(&context, from, *stores).await,
        Command::Database(command) => database::run(&context, command).await,
        Command::Token(command) => token::run(&context, command).await,
        Command::Schema { out } => projects::schema(&context, &out),
    }
}

/// A model's name in a path of a URL.
fn path_of(model: &ModelName) -> String {
    escaped(model.as_str())
}

/// A name in a path of a URL.
fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        super::CommandLine::command().debug_assert();
    }
}
