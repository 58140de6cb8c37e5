//! `cargo xtask`: the one entry to building, testing and showing Crosstie.
//!
//! A stranger needs a Rust toolchain and Python; what else is needed, `setup` makes or names. Nothing here is part of the product: the crates
//! never depend on it, and it drives the product only as a user would, through the command line and the stock clients.

mod bench;
mod ci;
mod conformance;
mod demo;
mod environment;
mod output;
mod process;
mod protocol;
mod setup;
mod test;
mod tidy;
mod time;
mod workspace;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use workspace::Workspace;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Builds, tests and shows Crosstie")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Set everything up, build, and tell the whole story on real input; exit 0 only if every check held
    Demo(demo::Options),
    /// Set everything up and run every test
    Test(test::Options),
    /// Run MLflow's own tests against our server, from a source tree of MLflow
    Conformance(conformance::Options),
    /// What CI runs: fmt, tidy, clippy, demo, test
    Ci(Verbosity),
    /// Check the house: floors, laws, files, generated code
    Tidy(tidy::Options),
    /// Make the Python environments and find Postgres, without running anything
    Setup(Verbosity),
    /// Measure speed and size beside other servers
    Bench(bench::Options),
    /// Write the generated code of the Open Inference Protocol
    Protocol,
}

/// How much is shown.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Verbosity {
    /// Print each command that is run, so that it can be repeated by hand
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::line(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let workspace = Workspace::find()?;
    match cli.task {
        Task::Demo(options) => demo::run(&workspace, &options),
        Task::Test(options) => test::run(&workspace, &options),
        Task::Conformance(options) => conformance::run(&workspace, &options),
        Task::Ci(verbosity) => ci::run(&workspace, verbosity),
        Task::Tidy(options) => tidy::run(&workspace, &options),
        Task::Setup(verbosity) => setup::everything(&workspace, verbosity),
        Task::Bench(options) => bench::run(&workspace, &options),
        Task::Protocol => protocol::generate(workspace.root(), false),
    }
}
