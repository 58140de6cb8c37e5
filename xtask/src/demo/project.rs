//! The project of the story: a copy of `examples/click-ranker` in a Git repository of its own, as a user would have it.
//!
//! What differs from the example is written here: where alerts go, and that what takes hours in life takes seconds.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::process::answer;
use crate::workspace::Workspace;

const EXAMPLE: &str = "examples/click-ranker";
const MODEL_FILE: &str = "models/click-ranker.yaml";

/// What sends a candidate back; as in the example.
const ROLLBACK_ON: &str =
    "  rollback_on: { errors: { tolerance: 10%, max_excess: 1% }, latency: { tolerance: 20% }, false_rollback: 1% }\n";
/// The example's watching, at the pace of the story.
const WATCHING: &str = "drift: { window: 10s, reference: training, exclude: [customer_ctr_7d] }\nattribution: 5s\n";

/// How a version goes to production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The example's steps.
    Steps,
    /// The same, by a team in a hurry.
    WithoutShadow,
    /// All at once: how the story gets quickly to where a later step begins.
    AtOnce,
}

impl Way {
    fn rollout(self) -> String {
        let shadow = "    - shadow: { duration: 5s }\n";
        let weights = "    - set_weight: 5\n    - pause: { duration: 3s, min_requests: 25, max: 10m }\n    \
                       - set_weight: 25\n    - pause: { duration: 3s, min_requests: auto, max: 10m }\n    \
                       - set_weight: 100\n";
        match self {
            Self::Steps => format!("rollout:\n  steps:\n{shadow}{weights}{ROLLBACK_ON}"),
            Self::WithoutShadow => format!("rollout:\n  steps:\n{weights}{ROLLBACK_ON}"),
            Self::AtOnce => "rollout:\n  steps:\n    - set_weight: 100\n".to_owned(),
        }
    }
}

/// An interrupted demo may have left its server running on the folder that we are about to replace.
pub(crate) fn stop_leftover(crosstie: &Path, dir: &Path) {
    if dir.join(".crosstie").exists() {
        answer(Command::new(crosstie).args(["down", "--dir"]).arg(dir)).ok();
    }
}

/// Copies what Git knows of the example.
pub(crate) fn copy(workspace: &Workspace, dir: &Path) -> anyhow::Result<()> {
    if dir.exists() {
        std::fs::remove_dir_all(dir).with_context(|| format!("remove the former {}", dir.display()))?;
    }
    std::fs::create_dir_all(dir)?;
    let mut list = Command::new("git");
    list.current_dir(workspace.root().join(EXAMPLE)).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    for file in answer(&mut list)?.split('\0').filter(|file| !file.is_empty()) {
        let target = dir.join(file);
        std::fs::create_dir_all(target.parent().context("a file has a folder")?)?;
        std::fs::copy(workspace.root().join(EXAMPLE).join(file), &target)
            .with_context(|| format!("copy {file} of the example"))?;
    }
    git(dir, &["init", "--quiet", "--initial-branch=main"])
}

/// Sends alerts to `receiver`, takes seconds for hours, and commits it all: lineage records the commit that a model was
/// trained from.
pub(crate) fn adapt(dir: &Path, receiver: &str) -> anyhow::Result<()> {
    let routes = format!("version: 1\nalerts:\n  - {{ webhook: \"http://{receiver}/alerts\", severity: info }}\n");
    std::fs::write(dir.join("crosstie.yaml"), routes)?;
    rewrite(dir, |text| Ok(without(&section(&text, "rollout:", &Way::Steps.rollout())?, "attribution:")))?;
    rewrite(dir, |text| section(&text, "drift:", WATCHING))?;
    commit(dir, "Start the click ranker")
}

/// Declares another way to production, and commits that.
pub(crate) fn set_way(dir: &Path, way: Way) -> anyhow::Result<()> {
    rewrite(dir, |text| section(&text, "rollout:", &way.rollout()))?;
    commit(dir, &format!("Change the rollout: {way:?}"))
}

fn rewrite(dir: &Path, change: impl Fn(String) -> anyhow::Result<String>) -> anyhow::Result<()> {
    let file = dir.join(MODEL_FILE);
    let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    Ok(std::fs::write(&file, change(text)?)?)
}

/// `text` with the top-level key, and what belongs to it, replaced.
fn section(text: &str, key: &str, replacement: &str) -> anyhow::Result<String> {
    let (before, rest) = text.split_at(start_of(text, key).with_context(|| format!("{MODEL_FILE} has no `{key}`"))?);
    Ok(format!("{before}{replacement}{}", &rest[length_of_section(rest)..]))
}

fn without(text: &str, key: &str) -> String {
    start_of(text, key).map_or_else(
        || text.to_owned(),
        |start| format!("{}{}", &text[..start], &text[start + length_of_section(&text[start..])..]),
    )
}

fn start_of(text: &str, key: &str) -> Option<usize> {
    let offsets = text.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line))
    });
    offsets.into_iter().find(|(_, line)| line.starts_with(key)).map(|(start, _)| start)
}

/// The first line, and those after it that are indented.
fn length_of_section(text: &str) -> usize {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let inner = lines.iter().skip(1).take_while(|line| line.starts_with(' '));
    lines.first().map_or(0, |line| line.len()) + inner.map(|line| line.len()).sum::<usize>()
}

/// Commits everything, as somebody who is not the machine's owner; what changed nothing needs no commit.
pub(crate) fn commit(dir: &Path, subject: &str) -> anyhow::Result<()> {
    git(dir, &["add", "--all"])?;
    if answer(Command::new("git").current_dir(dir).args(["status", "--porcelain"]))?.trim().is_empty() {
        return Ok(());
    }
    let identity = ["-c", "user.name=Demo", "-c", "user.email=demo@example.org", "-c", "commit.gpgsign=false"];
    git(dir, &[identity.as_slice(), &["commit", "--quiet", "--message", subject]].concat())
}

fn git(dir: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    answer(Command::new("git").current_dir(dir).args(arguments)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_with_what_belongs_to_it() {
        let text = "a: 1\nrollout:\n  steps:\n    - x\n  more: y\nslo: z\n";
        assert_eq!(section(text, "rollout:", "rollout: {}\n").unwrap(), "a: 1\nrollout: {}\nslo: z\n");
        assert_eq!(
            section(text, "slo:", "slo: q\n").unwrap(),
            "a: 1\nrollout:\n  steps:\n    - x\n  more: y\nslo: q\n"
        );
        assert!(section(text, "b:", "").is_err());
        assert_eq!(without(text, "a:"), "rollout:\n  steps:\n    - x\n  more: y\nslo: z\n");
        assert_eq!(without(text, "b:"), text);
    }
}
