//! `cargo xtask conformance`: MLflow's own tests against our server.
//!
//! Neither MLflow's tests nor the harness that runs them are part of this project: an extracted source tree of MLflow and
//! the harness are named by whoever has them. Its Python environment is made from the harness's own requirements, and
//! only then.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use clap::Args;

use crate::process::{self, Runner};
use crate::setup::{self, python};
use crate::workspace::Workspace;
use crate::{Verbosity, environment, output};

/// Names an extracted source tree of MLflow, whose `tests/` are run.
const SOURCE: &str = "CROSSTIE_MLFLOW_SRC";
/// Names the harness's folder.
const HARNESS: &str = "CROSSTIE_MLFLOW_CONFORMANCE";
/// Where the harness is looked for otherwise, from the project's root.
const BESIDE: &str = "../shared/mlflow/conformance";
/// How the harness starts our server; it fills in what stands in braces.
const UP: &str = "--dir {store_dir} up --host {host} --port {port} --http-port 0 --grpc-port 0 --metrics-port 0 \
                  --default-artifact-root {artifact_root} --artifacts {artifacts_destination}";
/// More failing tests than this are named in the file only.
const MOST_NAMES: usize = 40;

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
    /// An extracted source tree of MLflow [default: CROSSTIE_MLFLOW_SRC]
    #[arg(long, value_name = "DIR")]
    pub(crate) mlflow_src: Option<PathBuf>,
    /// The folder of the harness [default: CROSSTIE_MLFLOW_CONFORMANCE, or ../shared/mlflow/conformance]
    #[arg(long, value_name = "DIR")]
    pub(crate) harness: Option<PathBuf>,
    /// Only test files whose path matches, such as `*test_rest_tracking.py`
    #[arg(long, value_name = "GLOB")]
    pub(crate) files: Option<String>,
    /// Every test of these files that says something about a server, not only those that the harness lists
    #[arg(long)]
    pub(crate) all: bool,
    /// Take the binary that is there
    #[arg(long = "built")]
    pub(crate) is_built: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let runner = Runner::new(workspace.logs(), options.verbosity.verbose);
    let Some(source) = options.mlflow_src.clone().or_else(|| variable(SOURCE)) else {
        bail!("name an extracted source tree of MLflow: --mlflow-src DIR, or {SOURCE}");
    };
    let harness = options.harness.clone().or_else(|| harness(workspace));
    let harness = harness.with_context(|| format!("name the harness: --harness DIR, or {HARNESS}"))?;
    setup::compiler(&runner)?;
    if !options.is_built {
        let mut build = Command::new(environment::cargo());
        build.args(["build", "--profile", "ci", "--package", "crosstie"]).current_dir(workspace.root());
        runner.aloud(&mut build)?;
    }
    judge(workspace, &runner, &source, &harness, options)
}

/// Runs the listed tests if the tree and the harness are there, and says so if they are not.
pub(crate) fn where_present(workspace: &Workspace, runner: &Runner) -> anyhow::Result<()> {
    let Some(source) = variable(SOURCE) else {
        output::line(format!("   skipped: MLflow's own tests: {SOURCE} names no source tree of MLflow"));
        return Ok(());
    };
    let Some(harness) = harness(workspace) else {
        output::line(format!("   skipped: MLflow's own tests: {HARNESS} names no harness, and {BESIDE} is none"));
        return Ok(());
    };
    judge(workspace, runner, &source, &harness, &Options::default())
}

fn variable(name: &str) -> Option<PathBuf> {
    environment::variable(name).map(PathBuf::from)
}

/// The harness that the environment names, or the one beside the project.
fn harness(workspace: &Workspace) -> Option<PathBuf> {
    let folder = variable(HARNESS).unwrap_or_else(|| workspace.root().join(BESIDE));
    folder.join("run.py").is_file().then_some(folder)
}

fn judge(
    workspace: &Workspace,
    runner: &Runner,
    source: &Path,
    harness: &Path,
    options: &Options,
) -> anyhow::Result<()> {
    output::heading("MLflow's own tests");
    if !source.join("tests").is_dir() {
        bail!("{} is no source tree of MLflow: it has no tests/", source.display());
    }
    let python = python::of_requirements(runner, "conformance", &harness.join("requirements.txt"))?;
    let out = workspace.logs().join("conformance");
    let mut start = OsString::from(workspace.binary());
    start.push(" ");
    start.push(UP);
    let mut command = Command::new(python.interpreter());
    command.arg(harness.join("run.py")).arg("--python").arg(python.interpreter());
    command.arg("--mlflow-src").arg(source).arg("--out").arg(&out).arg("--server-cmd").arg(start);
    if !options.all {
        command.arg("--ids").arg(harness.join("public.txt"));
    }
    if let Some(files) = &options.files {
        command.args(["--files", files]);
    }
    let ran = runner.quietly("conformance", "running MLflow's own tests", &mut command);
    let log = std::fs::read_to_string(runner.logs().join("conformance.log")).unwrap_or_default();
    let counts = log.lines().rev().find(|line| is_counts(line));
    // Without counts the harness itself failed, and its error says how.
    let Some(counts) = counts else { return ran.context("run the harness") };
    let failed = std::fs::read_to_string(out.join("failed.txt")).unwrap_or_default();
    for name in failed.lines().take(MOST_NAMES) {
        output::line(format!("   failed: {name}"));
    }
    if failed.lines().count() > MOST_NAMES {
        output::line(format!("   … all in {}", out.join("failed.txt").display()));
    }
    output::line(format!("   conformance: {counts}"));
    if ran.is_err() {
        let pytest = process::tail(&out.join("pytest.log"));
        bail!("MLflow's own tests: {counts}; the end of {}:\n{pytest}", out.join("pytest.log").display());
    }
    Ok(())
}

/// `328 passed, 0 failed, 0 skipped`
fn is_counts(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    matches!(words.as_slice(), [_, "passed,", _, "failed,", _, "skipped"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_counts_is_told_from_the_others() {
        assert!(is_counts("328 passed, 0 failed, 0 skipped"));
        assert!(!is_counts("failing ids: out/failed.txt (30 deselected, 12 s)"));
    }
}
