//! The Python environment of a run as a lock file: the interpreter, the platform, and every installed package exactly.
//!
//! The file is one that pip installs from (`pip install --no-deps -r environment.txt`), with what pip has no words for in
//! comments: interpreter and platform on top, and behind each package the digest of its installed files. pip does not
//! keep the wheel's own hash; the digest is of the list of files with their SHA-256 that every wheel installs (`RECORD`),
//! without what depends on where it was installed to. A plain `pip freeze` is a lock file too, which knows less.

use std::{collections::BTreeMap, io, path::Path, process::Stdio};

use thiserror::Error;
use tokio::process::Command;
use types::Digest;

/// Prints the lock file of the interpreter that runs it.
const LIST: &str = include_str!("environment.py");

/// What every virtual environment has, so that a list that leaves it out means no other one.
const TOOLS: [&str; 4] = ["pip", "setuptools", "wheel", "distribute"];

/// A lock file, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentLock {
    /// Implementation and version: `CPython 3.11.2`.
    pub python: Option<String>,
    /// Operating system, machine, C library.
    pub platform: Option<String>,
    /// Packages by normalized name.
    pub packages: BTreeMap<String, Package>,
}

/// An installed package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// What pip is asked for: `numpy==2.1.0`, `name @ git+https://…@commit`.
    pub requirement: String,
    /// The digest of its installed files.
    pub digest: Option<Digest>,
    /// Whether it is a folder that somebody edits, whose content no list knows.
    pub editable: bool,
}

/// Something that two environments do not have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `python`, `platform`, or a package.
    pub what: String,
    /// As it was recorded.
    pub recorded: String,
    /// As it is here.
    pub here: String,
}

/// Why an environment could not be listed.
#[derive(Debug, Error)]
pub enum EnvironmentError {
    /// The interpreter could not be started.
    #[error("cannot run {python}: make a virtual environment `.venv` in the project, or activate yours")]
    Start {
        /// The interpreter.
        python: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The interpreter failed.
    #[error("{python} cannot list its packages: {message}")]
    List {
        /// The interpreter.
        python: String,
        /// What it said.
        message: String,
    },
}

/// The lock file of `python`, looked for on `path`.
///
/// # Errors
/// When it is not there or cannot list its packages.
pub async fn list_environment(python: &Path, path: &str) -> Result<String, EnvironmentError> {
    let shown = python.display().to_string();
    let mut command = Command::new(python);
    // Not isolated: what the user's variables add to the search path is what their steps import, too.
    command.args(["-c", LIST]).env("PATH", path).stdin(Stdio::null()).kill_on_drop(true);
    let listed = command.output().await;
    let listed = listed.map_err(|source| EnvironmentError::Start { python: shown.clone(), source })?;
    if listed.status.success() {
        return Ok(String::from_utf8_lossy(&listed.stdout).into_owned());
    }
    let message = String::from_utf8_lossy(&listed.stderr).trim().to_owned();
    Err(EnvironmentError::List { python: shown, message })
}

impl EnvironmentLock {
    /// Reads a lock file. Lines that are no requirement are left out: pip would refuse them, too, in time.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut lock = Self::default();
        for line in text.lines().map(str::trim) {
            if let Some(comment) = line.strip_prefix('#') {
                let told = |name: &str| comment.trim().strip_prefix(name).map(|value| value.trim().to_owned());
                lock.python = told("python:").or(lock.python);
                lock.platform = told("platform:").or(lock.platform);
                continue;
            }
            let (requirement, comment) = line.split_once(" #").unwrap_or((line, ""));
            let requirement = requirement.trim();
            let editable = requirement.starts_with("-e ") || comment.contains("editable");
            let name = requirement.trim_start_matches("-e ").split(['=', ' ', '@', '<', '>', '[', ';']).next();
            let Some(name) = name.filter(|name| !name.is_empty() && !name.starts_with('-')) else { continue };
            let digest = comment.split_whitespace().find_map(|word| Digest::parse(word).ok());
            let package = Package { requirement: requirement.to_owned(), digest, editable };
            lock.packages.insert(normalized(name), package);
        }
        lock
    }

    /// What `here` has otherwise than this recorded one. What a record does not tell counts as equal.
    #[must_use]
    pub fn differences(&self, here: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut compare = |what: &str, recorded: Option<&str>, here: Option<&str>| {
            if let (Some(recorded), Some(here)) = (recorded, here)
                && recorded != here
            {
                let (recorded, here) = (recorded.to_owned(), here.to_owned());
                found.push(Difference { what: what.to_owned(), recorded, here });
            }
        };
        compare("python", self.python.as_deref(), here.python.as_deref());
        compare("platform", self.platform.as_deref(), here.platform.as_deref());
        for (name, recorded) in &self.packages {
            match here.packages.get(name) {
                None => compare(name, Some(&recorded.requirement), Some("not installed")),
                Some(here) if recorded.requirement != here.requirement => {
                    compare(name, Some(&recorded.requirement), Some(&here.requirement));
                }
                Some(here) => {
                    let shown = |package: &Package| package.digest.map(|digest| format!("files {}", digest.short()));
                    compare(name, shown(recorded).as_deref(), shown(here).as_deref());
                }
            }
        }
        let added = here.packages.iter().filter(|(name, _)| !self.packages.contains_key(*name));
        for (name, package) in added.filter(|(name, _)| !TOOLS.contains(&name.as_str())) {
            compare(name, Some("not installed"), Some(&package.requirement));
        }
        found
    }
}

/// PEP 503: runs of `-`, `_` and `.` are one dash, and case does not count.
fn normalized(name: &str) -> String {
    let parts: Vec<&str> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_and_a_plain_freeze_are_read() {
        let digest = Digest::of("x");
        let text = format!(
            "# environment lock, version 1\n# python: CPython 3.11.2\n# platform: Linux x86_64\n\
             Typing_Extensions==4.1  # {digest}\nours @ file:///srv/ours  # editable\n"
        );
        let lock = EnvironmentLock::parse(&text);
        assert_eq!(lock.python.as_deref(), Some("CPython 3.11.2"));
        assert_eq!(lock.packages["typing-extensions"].requirement, "Typing_Extensions==4.1");
        assert_eq!(lock.packages["typing-extensions"].digest, Some(digest));
        assert!(lock.packages["ours"].editable);
        let plain = EnvironmentLock::parse("numpy==2.1.0\n-e git+https://h/x@1#egg=x\n\n--hash=sha256:0\n");
        assert_eq!(plain.packages.keys().collect::<Vec<_>>(), ["git+https://h/x", "numpy"]);
    }

    #[test]
    fn differences_are_named_and_what_a_record_does_not_tell_is_none() {
        let recorded = EnvironmentLock::parse("# python: CPython 3.11.2\nnumpy==2.1.0\nonnx==1.0\n");
        let here = EnvironmentLock::parse("# python: CPython 3.12.0\npip==23\nnumpy==2.2.0\nextra==1\n");
        let told: Vec<String> = recorded
            .differences(&here)
            .into_iter()
            .map(|it| format!("{}: {} → {}", it.what, it.recorded, it.here))
            .collect();
        assert_eq!(
            told,
            [
                "python: CPython 3.11.2 → CPython 3.12.0",
                "numpy: numpy==2.1.0 → numpy==2.2.0",
                "onnx: onnx==1.0 → not installed",
                "extra: not installed → extra==1",
            ]
        );
        let freeze = EnvironmentLock::parse("numpy==2.1.0\nonnx==1.0");
        assert_eq!(freeze.differences(&recorded), []);
    }

    #[tokio::test]
    async fn the_interpreter_lists_itself_the_same_each_time() {
        let path = std::env::var_os("PATH").unwrap_or_default().to_string_lossy().into_owned();
        let python = Path::new("python3");
        let Ok(listed) = list_environment(python, &path).await else { return };
        let lock = EnvironmentLock::parse(&listed);
        assert!(lock.python.as_deref().is_some_and(|python| python.contains(" 3.")), "{listed}");
        assert!(lock.platform.is_some(), "{listed}");
        assert_eq!(list_environment(python, &path).await.unwrap(), listed);
    }
}
