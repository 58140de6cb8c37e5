//! `cargo xtask test`: every test, on SQLite and on a real Postgres, with the real clients at hand.
//!
//! The last lines are the runner's own summary, so that whoever reads only the end reads the truth.

mod summary;

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::process::{self, Runner};
use crate::setup::{self, chromium, postgres, python};
use crate::workspace::Workspace;
use crate::{Verbosity, conformance, environment, output};
use summary::Summary;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
    /// Given to the test runner as they are, such as `-p registry` or a part of a test's name
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let runner = Runner::new(workspace.logs(), options.verbosity.verbose);
    output::heading("setup");
    setup::compiler(&runner)?;
    let demo = python::demo(workspace, &runner)?;
    let mlflow = python::mlflow(workspace, &runner)?;
    let installation = postgres::Installation::find(&runner)?;
    let chromium = chromium::find(&runner)?;

    let mut variables: Vec<(&str, OsString)> = vec![
        ("CROSSTIE_TEST_PYTHON", demo.interpreter().into()),
        ("CROSSTIE_TEST_MLFLOW_PYTHON", mlflow.interpreter().into()),
        ("CROSSTIE_TEST_ONNXRUNTIME", demo.onnxruntime()?.into()),
        ("CROSSTIE_TEST_CHROMIUM", chromium.into()),
    ];
    // Stopped when it goes out of scope, whatever the tests say.
    let server;
    match environment::variable("CROSSTIE_TEST_POSTGRES") {
        Some(uri) => variables.push(("CROSSTIE_TEST_POSTGRES", uri)),
        None => {
            server = postgres::Server::start(&installation, &runner)?;
            variables.push(("CROSSTIE_TEST_POSTGRES", server.uri().into()));
        }
    }

    output::heading("tests");
    let mut command = test_command(options);
    command.current_dir(workspace.root()).envs(variables);
    let (passed, closing) = stream(&runner, &mut command)?;
    // Whoever asked for some tests did not ask for these.
    let conforms = if options.arguments.is_empty() { conformance::where_present(workspace, &runner) } else { Ok(()) };
    if let Err(error) = &conforms {
        output::line(format!("   {error:#}"));
    }
    output::raw(&closing);
    if !passed {
        bail!("not every test passed");
    }
    conforms
}

fn test_command(options: &Options) -> Command {
    let mut command = Command::new(environment::cargo());
    if environment::on_path("cargo-nextest").is_some() {
        command.args(["nextest", "run", "--cargo-profile", "ci", "--no-fail-fast"]);
    } else {
        output::line("   cargo-nextest is not installed (cargo install cargo-nextest --locked): using cargo test");
        command.args(["test", "--profile", "ci", "--no-fail-fast"]);
    }
    if options.arguments.is_empty() {
        command.arg("--workspace");
    }
    let colour = if output::is_terminal() { "always" } else { "never" };
    command.args(&options.arguments).env("CARGO_TERM_COLOR", colour);
    command
}

/// Passes the runner's output through while counting. Answers whether all passed, and the closing lines, which belong to
/// the very end.
fn stream(runner: &Runner, command: &mut Command) -> anyhow::Result<(bool, String)> {
    runner.show(command);
    // Both runners report on standard error and standard output by turns; one pipe keeps their order.
    let (reader, writer) = std::io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("start {}", process::display(command)))?;
    // Our own copies of the pipe's writing end must be closed, or the reader never sees the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());

    let mut summary = Summary::default();
    let mut lines = BufReader::new(reader);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line).into_owned();
        if summary.read(&text) {
            output::raw(&text);
        }
        line.clear();
    }
    let status = child.wait()?;
    Ok((status.success(), summary.closing()))
}
