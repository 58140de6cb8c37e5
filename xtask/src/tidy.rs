//! `cargo xtask tidy`: the laws of the house that a machine can check.
//!
//! Each check is a function from what it reads to the violations it found, so that each is shown, by a fixture, to be able to fail. None of
//! them builds anything: tidy answers in a second and therefore runs before everything else.

mod documents;
mod files;
mod floors;
mod laws;
mod manifests;
mod sql;
mod tree;

use anyhow::bail;
use clap::Args;

use crate::time::{Spoken, Stopwatch};
use crate::workspace::Workspace;
use crate::{output, protocol};
use tree::Tree;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Write generated files afresh instead of complaining about old ones
    #[arg(long)]
    pub(crate) fix: bool,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    place: String,
    message: String,
}

impl Violation {
    fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let watch = Stopwatch::start();
    let tree = Tree::read(workspace.root())?;
    let mut violations = Vec::new();
    violations.extend(floors::check(workspace.packages()));
    violations.extend(laws::check(workspace.packages()));
    violations.extend(files::check(&tree));
    violations.extend(sql::check(&tree));
    violations.extend(manifests::check_crates(workspace)?);
    violations.extend(manifests::check_workspace(&std::fs::read_to_string(workspace.root().join("Cargo.toml"))?)?);
    violations.extend(documents::check(&tree));
    if let Err(error) = protocol::generate(workspace.root(), !options.fix) {
        violations.push(Violation::new("crates/protocol", format!("{error:#}; run `cargo xtask protocol`")));
    }
    violations.sort();
    for violation in &violations {
        output::line(format!("{}: {}", violation.place, violation.message));
    }
    if !violations.is_empty() {
        bail!("{} things are not tidy", violations.len());
    }
    output::line(format!(
        "tidy: {} crates and {} files keep the house's laws ({})",
        workspace.packages().len(),
        tree.files().len(),
        Spoken(watch.elapsed())
    ));
    Ok(())
}
