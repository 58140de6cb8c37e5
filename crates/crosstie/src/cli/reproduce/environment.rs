//! The Python environment of the run: the one at hand if it is the same, else a new one from the lock file.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use pipelines::{Difference, EnvironmentLock, list_environment};
use serde_json::{Value as JsonValue, json};
use tokio::process::Command;

use crate::cli::{Context, run::search_path};

/// Differences that are shown; the rest is counted.
const SHOWN: usize = 5;

/// Which environment to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Policy {
    /// The one at hand if it is equal, else a new one.
    Auto,
    /// The one at hand.
    Reuse,
    /// A new one.
    Rebuild,
}

/// An environment to run in.
#[derive(Debug)]
pub(super) struct Environment {
    /// The search path of steps.
    pub(super) path: String,
    /// The new virtual environment, if one was made.
    venv: Option<PathBuf>,
    differences: Vec<Difference>,
}

impl Environment {
    /// What it is, in a few words.
    pub(super) fn shown(&self) -> String {
        let what = if self.venv.is_some() { "rebuilt from the lock file" } else { "the one at hand" };
        match self.differences.len() {
            0 => format!("{what}, equal to the recorded one"),
            _ => format!("{what}, which differs: {}", told(&self.differences)),
        }
    }

    /// The same for programs.
    pub(super) fn differences(&self) -> Vec<JsonValue> {
        let shown = |it: &Difference| json!({ "what": it.what, "recorded": it.recorded, "here": it.here });
        self.differences.iter().map(shown).collect()
    }

    /// Variables beside the search path.
    pub(super) fn variables(&self) -> BTreeMap<String, String> {
        let venv = self.venv.iter().map(|venv| ("VIRTUAL_ENV".to_owned(), venv.display().to_string()));
        venv.collect()
    }
}

fn told(differences: &[Difference]) -> String {
    let each = |it: &Difference| format!("{} was {}, is {}", it.what, it.recorded, it.here);
    let shown: Vec<String> = differences.iter().take(SHOWN).map(each).collect();
    match differences.len().saturating_sub(SHOWN) {
        0 => shown.join("; "),
        more => format!("{}; and {more} more", shown.join("; ")),
    }
}

/// The environment that `lock` asks for.
///
/// # Errors
/// When its interpreter is nowhere, or a package cannot be had.
pub(super) async fn provide(
    policy: Policy,
    recorded: (&EnvironmentLock, &str),
    context: &Context,
    folder: &Path,
) -> Result<Environment> {
    let output = context.output;
    let (lock, text) = recorded;
    let path = search_path(&context.dir);
    let here = list_environment(Path::new("python3"), &path).await;
    if policy != Policy::Rebuild {
        let differences = match &here {
            Ok(listed) => Some(lock.differences(&EnvironmentLock::parse(listed))),
            Err(_) => None,
        };
        match (policy, differences) {
            (_, Some(differences)) if differences.is_empty() || policy == Policy::Reuse => {
                return Ok(Environment { path, venv: None, differences });
            }
            (Policy::Reuse, None) => bail!(
                "there is no environment at hand: {}",
                here.err().map_or_else(String::new, |error| error.to_string())
            ),
            (_, Some(differences)) => {
                output.progress(&format!("environment  the one at hand differs: {}", told(&differences)))
            }
            (_, None) => {}
        }
    }
    output.progress(&format!("environment  installing {} package(s) from the lock file", lock.packages.len()));
    let venv = folder.join("environment");
    let interpreter = interpreter(lock, &path).await?;
    finish(
        "make a virtual environment",
        Command::new(&interpreter).arg("-m").arg("venv").arg(&venv).env("PATH", &path),
    )
    .await?;
    install(lock, text, &venv).await?;
    let path = format!("{}:{}", venv.join("bin").display(), search_path(&context.dir));
    let listed = list_environment(&venv.join("bin/python"), &path).await?;
    let differences = lock.differences(&EnvironmentLock::parse(&listed));
    Ok(Environment { path, venv: Some(venv), differences })
}

/// An interpreter of the recorded implementation, major and minor version: the one at hand, or one named by its version.
async fn interpreter(lock: &EnvironmentLock, path: &str) -> Result<PathBuf> {
    let Some(recorded) = &lock.python else { return Ok("python3".into()) };
    let line = |python: &str| python.rsplit_once('.').map_or(python.to_owned(), |(line, _)| line.to_owned());
    let (implementation, version) = recorded.split_once(' ').unwrap_or(("", recorded));
    let named = format!("python{}", line(version));
    let mut found = Vec::new();
    for candidate in ["python3", &named] {
        let Ok(listed) = list_environment(Path::new(candidate), path).await else { continue };
        let Some(python) = EnvironmentLock::parse(&listed).python else { continue };
        if line(&python) == line(recorded) {
            return Ok(candidate.into());
        }
        found.push(python);
    }
    bail!("the run used {implementation} {version}, and no {named} is on the PATH (there is {})", found.join(", "))
}

async fn install(lock: &EnvironmentLock, text: &str, venv: &Path) -> Result<()> {
    let editable: Vec<&str> =
        lock.packages.values().filter(|package| package.editable).map(|package| package.requirement.as_str()).collect();
    if !editable.is_empty() {
        bail!(
            "the environment had packages in folders that somebody edits, which no lock file holds: {}",
            editable.join(", ")
        );
    }
    let file = venv.join("lock.txt");
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-input", "--disable-pip-version-check", "-r"]);
    finish("install what the lock file has", pip.arg(&file)).await
}

async fn finish(what: &str, command: &mut Command) -> Result<()> {
    let output = command.kill_on_drop(true).output().await.with_context(|| format!("cannot {what}"))?;
    if output.status.success() {
        return Ok(());
    }
    bail!("cannot {what}: {}", String::from_utf8_lossy(&output.stderr).trim())
}
