//! Chromium, in which the console's tests open its pages; Playwright's own download is not used, so that one browser serves every run.

use std::path::PathBuf;

use anyhow::Context as _;

use super::packages;
use crate::environment;
use crate::process::Runner;

/// What it is called: by Debian, by Ubuntu, and where somebody installed Google's.
const PROGRAMS: &[&str] = &["chromium", "chromium-browser", "google-chrome"];

/// Finds Chromium on `PATH`; installs it when we may.
pub(crate) fn find(runner: &Runner) -> anyhow::Result<PathBuf> {
    let search = || PROGRAMS.iter().find_map(|name| environment::on_path(name));
    if let Some(found) = search() {
        return Ok(found);
    }
    packages::install(runner, &["chromium"], "Chromium, in which the console's tests open its pages")?;
    search().context("chromium is installed, but not on PATH")
}
