//! `cargo xtask bench`: how fast we are, beside those whose protocol we speak, on the same machine in the same run.
//!
//! Numbers of different runs do not compare: machines are shared, disks have moods. So every server is started here, one
//! after the other, each on a fresh folder, and gets the same calls with the same bodies from the same clients; and what
//! the generator could reach at most is measured, too.

mod calls;
mod client;
mod load;
mod machine;
mod peers;
mod registry;
mod report;
mod store;

use std::path::PathBuf;
use std::process::Command;

use clap::{Args, Subcommand};

use crate::process::Runner;
use crate::workspace::Workspace;
use crate::{Verbosity, environment, output, setup};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The registry, beside `mlflow server` and FastTrackML; writes target/bench/registry.md and .json
    Registry(RegistryOptions),
}

#[derive(Debug, Args)]
struct RegistryOptions {
    #[command(flatten)]
    verbosity: Verbosity,
    /// Two seconds for each measure, and smaller stores: to see that it works
    #[arg(long)]
    quick: bool,
    /// Also a store of 200,000 runs, and log-batch for longer
    #[arg(long)]
    growth: bool,
    /// Only these measures
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<registry::Measure>,
    /// The crosstie to measure; one is built in release otherwise
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let What::Registry(options) = &options.what;
    let runner = Runner::new(workspace.logs(), options.verbosity.verbose);
    output::heading("setup");
    let mlflow = setup::python::mlflow(workspace, &runner)?;
    let fasttrackml = setup::python::bench(workspace, &runner)?;
    let crosstie = match &options.binary {
        Some(binary) => std::path::absolute(binary)?,
        None => {
            let mut build = Command::new(environment::cargo());
            build.args(["build", "--release", "--package", "crosstie"]).current_dir(workspace.root());
            runner.quietly("bench-build", "building crosstie in release", &mut build)?;
            workspace.target().join("release/crosstie")
        }
    };
    let programs = peers::Programs {
        crosstie,
        mlflow: mlflow.folder().join("bin/mlflow"),
        fasttrackml: fasttrackml.folder().join("bin/fml"),
    };
    let folder = workspace.target().join("bench");
    let size = registry::Size { quick: options.quick, growth: options.growth, only: options.only.clone() };
    registry::run(&runner, &programs, mlflow.interpreter(), &folder, size)
}
