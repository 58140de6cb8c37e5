//! The project of the story: a copy of `examples/click-ranker` in a Git repository of its own, as a user would have it.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::process::answer;
use crate::workspace::Workspace;

const EXAMPLE: &str = "examples/click-ranker";

/// An interrupted demo may have left its server running on the folder that we are about to replace.
pub(crate) fn stop_leftover(crosstie: &Path, dir: &Path) {
    if dir.join(".crosstie").exists() {
        answer(Command::new(crosstie).args(["down", "--dir"]).arg(dir)).ok();
    }
}

/// Copies what Git knows of the example, and commits it: lineage records the commit that a model was trained from.
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
    git(dir, &["init", "--quiet", "--initial-branch=main"])?;
    commit(dir, "Start the click ranker")
}

/// Commits everything, as somebody who is not the machine's owner.
pub(crate) fn commit(dir: &Path, subject: &str) -> anyhow::Result<()> {
    git(dir, &["add", "--all"])?;
    let identity = ["-c", "user.name=Demo", "-c", "user.email=demo@example.org", "-c", "commit.gpgsign=false"];
    git(dir, &[identity.as_slice(), &["commit", "--quiet", "--message", subject]].concat())
}

fn git(dir: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    answer(Command::new("git").current_dir(dir).args(arguments)).map(drop)
}
