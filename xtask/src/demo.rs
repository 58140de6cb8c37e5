//! `cargo xtask demo`: the story of a model from data to production and of the ways in which it may not get there, told with the real clients
//! on real input and checked at each step.
//!
//! The story uses only what a user has: the command line, the stock clients, and a copy of `examples/click-ranker` in a Git repository of its own.
//! Every check is counted; the run succeeds only if each of them held.

mod beside;
mod http;
mod ledger;
mod project;
mod steps;
mod story;

use std::path::PathBuf;
use std::process::Command;

use anyhow::bail;
use clap::Args;

use crate::process::Runner;
use crate::setup::{self, python};
use crate::time::{Spoken, Stopwatch};
use crate::workspace::Workspace;
use crate::{Verbosity, environment, output};
use story::Story;

#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
    /// Leave everything up and print the console's address
    #[arg(long)]
    pub(crate) keep: bool,
    /// Where the project of the story is made; replaced if it is there [default: target/demo/click-ranker]
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// The generated world's seed
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Only these steps, by number or name, after what they need
    #[arg(long, value_name = "STEP", num_args = 1..)]
    pub(crate) only: Vec<String>,
    /// Take the binary that is there, as CI does after it built demo and tests in one go
    #[arg(long = "built")]
    pub(crate) is_built: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let chosen = steps::chosen(&options.only)?;
    let runner = Runner::new(workspace.logs().join("demo"), options.verbosity.verbose);
    output::heading("setup");
    setup::compiler(&runner)?;
    let python = python::demo(workspace, &runner)?;
    if !options.is_built {
        let mut build = Command::new(environment::cargo());
        build.args(["build", "--profile", "ci", "--package", "crosstie"]).current_dir(workspace.root());
        let built = Stopwatch::start();
        runner.aloud(&mut build)?;
        output::line(format!("   crosstie is built ({})", Spoken(built.elapsed())));
    }

    let watch = Stopwatch::start();
    let dir = options.dir.clone().unwrap_or_else(|| workspace.target().join("demo").join("click-ranker"));
    let dir = std::path::absolute(dir)?;
    project::stop_leftover(&workspace.binary(), &dir);
    project::copy(workspace, &dir)?;
    let mut story = Story::new(runner, workspace.binary(), python, dir);
    let told = steps::tell(&mut story, &chosen, options.seed);
    if options.keep {
        story.invite();
    } else {
        story.stop();
    }
    story.ledger().print(watch.elapsed());
    told?;
    if !story.ledger().all_held() {
        bail!("{} of {} checks did not hold", story.ledger().failed(), story.ledger().count());
    }
    Ok(())
}
