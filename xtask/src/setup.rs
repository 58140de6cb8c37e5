//! What a fresh machine lacks: found, made, installed when we may, and otherwise named with the command that installs it.
//!
//! Nothing here is remembered except by looking again, so that a run which was interrupted is simply repeated.

pub(crate) mod chromium;
pub(crate) mod packages;
pub(crate) mod postgres;
pub(crate) mod python;

use anyhow::bail;

use crate::process::Runner;
use crate::workspace::Workspace;
use crate::{Verbosity, environment, output};

/// Everything that `demo` and `test` need, ready to use.
pub(crate) fn everything(workspace: &Workspace, verbosity: Verbosity) -> anyhow::Result<()> {
    let runner = Runner::new(workspace.logs(), verbosity.verbose);
    output::heading("setup");
    compiler(&runner)?;
    let demo = python::demo(workspace, &runner)?;
    let mlflow = python::mlflow(workspace, &runner)?;
    let postgres = postgres::Installation::find(&runner)?;
    let chromium = chromium::find(&runner)?;
    output::line(format!("   Python of the demo: {}", demo.interpreter().display()));
    output::line(format!("   Python with the whole of MLflow, and Playwright: {}", mlflow.interpreter().display()));
    output::line(format!("   Postgres: {}", postgres.programs().display()));
    output::line(format!("   Chromium: {}", chromium.display()));
    Ok(())
}

/// SQLite is compiled from C; cargo's own message about a missing compiler does not say what to install.
pub(crate) fn compiler(runner: &Runner) -> anyhow::Result<()> {
    let found = || ["cc", "gcc", "clang"].iter().any(|name| environment::on_path(name).is_some());
    if found() {
        return Ok(());
    }
    packages::install(runner, &["build-essential"], "a C compiler, which SQLite is built with")?;
    if !found() {
        bail!("there is still no C compiler on PATH; install one: apt-get install build-essential");
    }
    Ok(())
}
