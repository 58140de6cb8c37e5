//! The steps of the story, in order. Each is one file: what is done, and what must then hold.
//!
//! A step begins by making sure of what it needs (`needs`), so that a part can be told alone: in the whole story all of
//! that is there already.

mod canary;
mod drift;
mod end;
mod legacy;
mod lineage;
mod live;
mod needs;
mod online;
mod parity;
mod release;
mod rollback;
mod rollout;
mod serve;
mod shadow;
mod train;
mod up;

use std::path::PathBuf;

use anyhow::{Context as _, bail};

use super::story::Story;

/// What one step leaves for those after it.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The generated world's seed, if it was given.
    seed: Option<u64>,
    /// What is there already.
    done: std::collections::BTreeSet<needs::Need>,
    /// Trains and registers; may approve, but not what is hers.
    author: String,
    /// May approve.
    approver: String,
    /// Operates feature store and rollouts.
    operator: String,
    /// The version that is the server of before.
    legacy: u32,
    /// Where that server answers.
    machine: String,
    /// The version that was trained first.
    version: u32,
    /// The release that is to bring it to production.
    release: i64,
    /// The version that was trained better.
    better: u32,
    /// The version that serves.
    stable: u32,
    /// The release that was approved last and went through.
    approved: i64,
    /// A prediction that was served, to come back to.
    prediction: String,
    /// Live requests that were sent, and those of them that failed.
    live: (u64, u64),
    /// Outcomes that were posted of the better version's predictions.
    outcomes: u64,
    /// Alerts that came and should not have.
    false_alarms: u64,
}

type Step = fn(&mut Story, &mut Told) -> anyhow::Result<()>;

const STEPS: &[(&str, Step)] = &[
    ("0 The legacy", legacy::tell),
    ("1 Up", up::tell),
    ("2 Train", train::tell),
    ("3 Lineage", lineage::tell),
    ("4 Features online", online::tell),
    ("5 Release", release::tell),
    ("6 Serve", serve::tell),
    ("7 Parity, for real", parity::tell),
    ("9 Shadow", shadow::tell),
    ("10 Canary", canary::tell),
    ("11 Rollback", rollback::tell),
    ("12 Drift", drift::tell),
    ("13 The end", end::tell),
];

/// What a release must pass.
const GATES: &[&str] = &["lineage", "schema", "parity", "quality", "latency"];

/// The model of the reference project.
const MODEL: &str = "click-ranker";

/// The steps that were asked for, by number or by a word of their name; all, if none was.
pub(super) fn chosen(only: &[String]) -> anyhow::Result<Vec<usize>> {
    if only.is_empty() {
        return Ok((0..STEPS.len()).collect());
    }
    let mut found = Vec::new();
    for wanted in only {
        let wanted = wanted.to_lowercase();
        let is_it = |name: &str| {
            let (number, rest) = name.split_once(' ').unwrap_or((name, ""));
            number == wanted || rest.to_lowercase().split([' ', ',']).any(|word| word == wanted)
        };
        match STEPS.iter().position(|(name, _)| is_it(name)) {
            Some(step) => found.push(step),
            None => {
                let names: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
                bail!("there is no step `{wanted}`; the steps are: {}", names.join(", "));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Tells these steps; what cannot be done ends the story there, since later steps build on it.
pub(super) fn tell(story: &mut Story, chosen: &[usize], seed: Option<u64>) -> anyhow::Result<()> {
    let mut told = Told { seed, ..Told::default() };
    for (name, step) in chosen.iter().map(|step| STEPS[*step]) {
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

/// The version that was registered last.
fn newest(story: &Story) -> anyhow::Result<u32> {
    let answer = story.python(&registry_script(), &["newest", MODEL])?.expect("looking for the newest version")?;
    let version = answer["version"].as_u64().and_then(|version| u32::try_from(version).ok());
    version.context("there is no version")
}

/// The version that the alias `production` names.
fn in_production(story: &Story) -> anyhow::Result<Option<u64>> {
    let alias = story.python(&registry_script(), &["alias", MODEL, "production"])?.expect("reading the alias")?;
    Ok(alias["version"].as_u64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_chosen_by_number_or_name_and_told_in_order() {
        let only = |words: &[&str]| chosen(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(only(&[]).unwrap().len(), STEPS.len());
        let names: Vec<&str> = only(&["12", "canary", "parity"]).unwrap().iter().map(|step| STEPS[*step].0).collect();
        assert_eq!(names, ["7 Parity, for real", "10 Canary", "12 Drift"]);
        let error = only(&["8"]).unwrap_err().to_string();
        assert!(error.contains("no step `8`") && error.contains("9 Shadow"), "{error}");
    }
}
