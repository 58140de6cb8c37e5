//! `cargo xtask ci`: what CI runs, cheap first, and ending with the tests, whose summary is the last thing that it prints.

use std::process::Command;

use crate::process::Runner;
use crate::time::{Spoken, Stopwatch};
use crate::workspace::Workspace;
use crate::{Verbosity, demo, environment, output, test, tidy};

pub(crate) fn run(workspace: &Workspace, verbosity: Verbosity) -> anyhow::Result<()> {
    let runner = Runner::new(workspace.logs(), verbosity.verbose);
    let mut took = Vec::new();
    let mut stage = |name: &'static str, work: &dyn Fn() -> anyhow::Result<()>| {
        output::heading(name);
        let watch = Stopwatch::start();
        work()?;
        output::line(format!("   {name}: {}", Spoken(watch.elapsed())));
        took.push(format!("{name} {}", Spoken(watch.elapsed())));
        anyhow::Ok(())
    };
    stage("fmt", &|| cargo(workspace, &runner, &["fmt", "--all", "--check"]))?;
    stage("tidy", &|| tidy::run(workspace, &tidy::Options { fix: false }))?;
    stage("deny", &|| deny(workspace, &runner))?;
    stage("clippy", &|| {
        let lint = ["clippy", "--profile", "ci", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        cargo(workspace, &runner, &lint)
    })?;
    // One build serves demo and tests: building the binary alone would take other features of most dependencies, and as long again.
    stage("build", &|| {
        cargo(workspace, &runner, &["test", "--no-run", "--quiet", "--profile", "ci", "--workspace", "--locked"])
    })?;
    stage("demo", &|| demo::run(workspace, &demo::Options { verbosity, is_built: true, ..demo::Options::default() }))?;
    output::heading("test");
    output::line(format!("   so far: {}", took.join(", ")));
    test::run(workspace, &test::Options { verbosity, arguments: Vec::new() })
}

fn cargo(workspace: &Workspace, runner: &Runner, arguments: &[&str]) -> anyhow::Result<()> {
    runner.aloud(Command::new(environment::cargo()).args(arguments).current_dir(workspace.root()))
}

/// Licences, bans and sources of dependencies. Advisories need a network and are not judged here.
fn deny(workspace: &Workspace, runner: &Runner) -> anyhow::Result<()> {
    if environment::on_path("cargo-deny").is_none() {
        output::line("   cargo-deny is not installed (cargo install cargo-deny --locked): licences are not checked");
        return Ok(());
    }
    cargo(workspace, runner, &["deny", "--offline", "check", "licenses", "bans", "sources"])
}
