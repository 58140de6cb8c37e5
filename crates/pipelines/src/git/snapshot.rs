//! What a work tree has that its commit has not, as one patch: changed files and those that are in no commit and not
//! ignored, binary ones included. A folder without a repository is a patch upon nothing.
//!
//! Made by `git` with an index and an object store of its own, so that neither the user's index nor their repository is
//! touched. By its plumbing commands alone: `git diff` would obey the user's colours, prefixes and text conversions, and
//! make what no `git apply` takes, or takes for other content. Kept with a run, it is what makes a dirty tree reproducible instead of forbidden; so it is bounded, since a
//! data set that somebody forgot to ignore belongs into no run's record.

use std::{io, path::Path};

use thiserror::Error;
use tokio::process::Command;

use super::command;

/// The most bytes of files that are kept: sources are thousands of times smaller.
pub(crate) const MOST_BYTES: u64 = 10 << 20;

/// The tree without files, which every repository knows.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// How git's index writes that a path is another repository's commit.
const REPOSITORY: &str = "160000";

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
    /// There is a repository in it, whose files no patch holds.
    #[error(
        "{}, whose files are in no patch: keep that code in the project's own repository, or name it in `.gitignore`",
        repositories(paths)
    )]
    Nested {
        /// Where they lie, from the tree's root.
        paths: Vec<String>,
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
    let nested = tree.nested().await?;
    if !nested.is_empty() {
        return Err(SnapshotError::Nested { paths: nested });
    }
    let plain = ["--no-ext-diff", "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/"];
    let patch = [&["diff-index", "--cached", "-p", "--binary", "--full-index"], &plain[..], &[&tree.base]].concat();
    let patch = tree.git(&patch).await?;
    Ok((!patch.is_empty()).then_some(Snapshot { patch, files: changed.len() }))
}

/// What git ends with a zero byte each.
fn fields(output: &[u8]) -> impl Iterator<Item = String> {
    let fields = output.split(|byte| *byte == 0).filter(|field| !field.is_empty());
    fields.map(|field| String::from_utf8_lossy(field).into_owned())
}

fn repositories(paths: &[String]) -> String {
    let named = paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
    if paths.len() == 1 {
        format!("{named} is a repository of its own")
    } else {
        format!("{named} are repositories of their own")
    }
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
        self.git(&["update-index", "-q", "--refresh"]).await?;
        let modified = self.git(&["diff-files", "-z", "--name-only"]).await?;
        Ok(fields(&[untracked, modified].concat()).collect())
    }

    /// The repositories among what was added: git keeps the name of their commit, and nothing of their files.
    async fn nested(&self) -> Result<Vec<String>, SnapshotError> {
        let added = self.git(&["diff-index", "--cached", "--raw", "-z", &self.base]).await?;
        let fields: Vec<String> = fields(&added).collect();
        let is_nested = |about: &str| about.split(' ').nth(1) == Some(REPOSITORY);
        Ok(fields.chunks(2).filter(|entry| is_nested(&entry[0])).filter_map(|entry| entry.get(1).cloned()).collect())
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
