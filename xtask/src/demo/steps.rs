//! The steps of the story, in order. Each is one file: what is done, and what must then hold.

mod end;
mod lineage;
mod online;
mod parity;
mod release;
mod serve;
mod train;
mod up;

use std::path::PathBuf;

use anyhow::Context as _;

use super::story::Story;

/// What one step leaves for those after it.
#[derive(Debug, Default)]
struct Told {
    /// Trains and registers; may approve, but not what is hers.
    author: String,
    /// May approve.
    approver: String,
    /// Operates the feature store.
    operator: String,
    /// The version that goes to production.
    version: u32,
    /// The release that brought it there.
    release: i64,
    /// A prediction that was served, to come back to.
    prediction: String,
}

type Step = fn(&mut Story, &mut Told) -> anyhow::Result<()>;

const STEPS: &[(&str, Step)] = &[
    ("1 Up", up::tell),
    ("2 Train", train::tell),
    ("3 Lineage", lineage::tell),
    ("4 Features online", online::tell),
    ("5 Release", release::tell),
    ("6 Serve", serve::tell),
    ("7 Parity, for real", parity::tell),
    ("8 The end", end::tell),
];

/// What a release must pass.
const GATES: &[&str] = &["lineage", "schema", "parity", "quality", "latency"];

/// The model of the reference project.
const MODEL: &str = "click-ranker";

/// Tells every step; what cannot be done ends the story there, since later steps build on it.
pub(super) fn tell(story: &mut Story, seed: Option<u64>) -> anyhow::Result<()> {
    let mut told = Told::default();
    story.ledger_mut().begin("0 The world");
    up::make_world(story, seed)?;
    for (name, step) in STEPS {
        story.ledger_mut().begin(name);
        step(story, &mut told).with_context(|| format!("step {name} could not be told to its end"))?;
    }
    Ok(())
}

/// A script of the story's own, beside those of the reference project.
fn demo_script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/demo").join(name)
}

/// What the story does with the stock MLflow client.
fn registry_script() -> PathBuf {
    demo_script("registry.py")
}

/// `click-ranker/1`.
fn version_name(version: u32) -> String {
    format!("{MODEL}/{version}")
}
