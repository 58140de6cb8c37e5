//! What a work tree has that its commit has not, as one patch: changed files and those that are in no commit and not
//! ignored, binary ones included. A folder without a repository is a patch upon nothing.
//!
//! Made by `git` with an index and an object store of its own, so that neither the user's index nor their repository is
//! touched. Kept with a run, it is what makes a dirty tree reproducible instead of forbidden; so it is bounded, since a
//! data set that somebody forgot to ignore belongs into no run's record.

use std::{io, path::Path};

use thiserror::Error;
use tokio::process::Command;

use super::command;

/// The most bytes of files that are kept: sources are thousands of times smaller.
pub(crate) const MOST_BYTES: u64 = 10 << 20;

/// The tree without files, which every repository knows.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// What no project means to keep where nothing says what is ignored.
const IGNORED: &str = ".venv/\nvenv/\n__pycache__/\n.ipynb_checkpoints/\n.crosstie/\n";

/// What differed from the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The patch; `git apply` takes it.
    pub patch: Vec<u8>,
    /// How many files it touches.
    pub files: usize,
}

/// Why there is no snapshot.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// It would be larger than what is kept.
    #[error(
        "{files} uncommitted files are {} MB, more than the {} MB that are kept with a run; the largest is `{largest}`: \
         commit what is code, and name what is not in `.gitignore`",
        bytes / 1_000_000, MOST_BYTES / 1_000_000
    )]
    TooLarge {
        /// How many files.
        files: usize,
        /// Their bytes together.
        bytes: u64,
        /// The largest of them.
        largest: String,
    },
    /// `git` is not there.
    #[error("cannot run `git`")]
    Start(#[source] io::Error),
    /// `git` did not do it.
    #[error("git {command} failed: {message}")]
    Git {
        /// What was asked of it.
        command: String,
        /// What it said.
        message: String,
    },
    /// The scratch folder cannot be written.
    #[error("cannot write in the scratch folder")]
    Scratch(#[source] io::Error),
}

/// The snapshot of the work tree that `dir` is in, or of `dir` itself where there is no repository (or no commit yet).
/// `None` when nothing differs. `scratch` is an empty folder outside of the tree, or ignored by it.
///
/// # Errors
/// [`SnapshotError::TooLarge`], or `git`'s own failures.
pub async fn snapshot(dir: &Path, scratch: &Path) -> Result<Option<Snapshot>, SnapshotError> {
    let tree = Tree::open(dir, scratch).await?;
    let changed = tree.changed().await?;
    if changed.is_empty() {
        return Ok(None);
    }
    tree.check_size(&changed)?;
    tree.git(&["add", "--all"]).await?;
    let patch = tree.git(&["diff", "--cached", "--binary", "--full-index", "--no-ext-diff", &tree.base]).await?;
    Ok((!patch.is_empty()).then_some(Snapshot { patch, files: changed.len() }))
}

/// A work tree, seen through an index of our own.
struct Tree {
    root: std::path::PathBuf,
    /// What the patch is upon.
    base: String,
    env: Vec<(&'static str, std::path::PathBuf)>,
    /// Names what is ignored, where nothing else does.
    excludes: Option<String>,
}

impl Tree {
    async fn open(dir: &Path, scratch: &Path) -> Result<Self, SnapshotError> {
        let objects = scratch.join("objects");
        std::fs::create_dir_all(&objects).map_err(SnapshotError::Scratch)?;
        let index = ("GIT_INDEX_FILE", scratch.join("index"));
        if let Some(commit) = super::git(dir, &["rev-parse", "HEAD"]).await {
            let told = |text: Option<String>| text.unwrap_or_default();
            let root = told(super::git(dir, &["rev-parse", "--show-toplevel"]).await);
            let known = told(super::git(dir, &["rev-parse", "--path-format=absolute", "--git-path", "objects"]).await);
            let env =
                vec![index, ("GIT_OBJECT_DIRECTORY", objects), ("GIT_ALTERNATE_OBJECT_DIRECTORIES", known.into())];
            let tree = Self { root: root.into(), base: commit, env, excludes: None };
            tree.git(&["read-tree", &tree.base]).await?;
            return Ok(tree);
        }
        let repository = scratch.join("repository");
        let excludes = scratch.join("ignored");
        std::fs::write(&excludes, IGNORED).map_err(SnapshotError::Scratch)?;
        let env = vec![index, ("GIT_DIR", repository), ("GIT_WORK_TREE", dir.to_owned())];
        let excludes = Some(format!("core.excludesFile={}", excludes.display()));
        let tree = Self { root: dir.to_owned(), base: EMPTY_TREE.to_owned(), env, excludes };
        tree.git(&["init", "--quiet"]).await?;
        Ok(tree)
    }

    /// The paths that differ from the base, from the tree's root.
    async fn changed(&self) -> Result<Vec<String>, SnapshotError> {
        let untracked = self.git(&["ls-files", "-z", "--others", "--exclude-standard"]).await?;
        let modified = self.git(&["diff", "-z", "--name-only"]).await?;
        let all = [untracked, modified].concat();
        let paths = all.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        Ok(paths.map(|path| String::from_utf8_lossy(path).into_owned()).collect())
    }

    fn check_size(&self, changed: &[String]) -> Result<(), SnapshotError> {
        let size = |path: &String| std::fs::symlink_metadata(self.root.join(path)).map_or(0, |about| about.len());
        let bytes = changed.iter().map(size).sum();
        if bytes <= MOST_BYTES {
            return Ok(());
        }
        let largest = changed.iter().max_by_key(|path| size(path)).cloned().unwrap_or_default();
        Err(SnapshotError::TooLarge { files: changed.len(), bytes, largest })
    }

    async fn git(&self, arguments: &[&str]) -> Result<Vec<u8>, SnapshotError> {
        let configured: Vec<&str> = self.excludes.iter().flat_map(|exclude| ["-c", exclude]).collect();
        let mut command: Command = command(&self.root, &[&configured, arguments].concat());
        command.envs(self.env.iter().map(|(name, value)| (*name, value)));
        let output = command.output().await.map_err(SnapshotError::Start)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(SnapshotError::Git { command: arguments.first().copied().unwrap_or_default().to_owned(), message })
    }
}
