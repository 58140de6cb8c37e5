//! The code of a recorded run, in a folder of its own: its commit, with what differed from it applied.
//!
//! A clone that shares the objects of the repository beside it, so that nothing of the user's repository changes and no
//! network is needed; where that has not got the commit, a clone from where the run's record says the repository is.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::command;

/// How `git` may reach a repository that a record names: by nothing that runs a program of the record's choosing.
const PROTOCOLS: &str = "https:ssh:git:file";

/// Which code.
#[derive(Debug, Clone, Default)]
pub struct Code {
    /// The commit; none if the patch is all there is.
    pub commit: Option<String>,
    /// Where the repository is said to be.
    pub repository: Option<String>,
    /// The project's folder in it.
    pub path: String,
    /// What differed.
    pub patch: Option<Vec<u8>>,
}

/// Why the code is not there.
#[derive(Debug, Error)]
pub enum CheckoutError {
    /// No repository that can be reached has the commit.
    #[error("no repository at hand has the commit {commit}: {tried}")]
    NoCommit {
        /// The commit.
        commit: String,
        /// What was tried, with what came of it.
        tried: String,
    },
    /// What differed does not apply.
    #[error("what differed from the commit does not apply: {0}")]
    Patch(String),
    /// The project's folder is not in the commit.
    #[error("the commit has no folder `{0}`")]
    NoFolder(String),
    /// The folder cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// Puts `code` into the fresh folder `into` and answers where the project lies in it. `beside` is the work tree whose
/// repository is asked first.
///
/// # Errors
/// When the commit is nowhere, or the patch does not apply.
pub async fn checkout(code: &Code, beside: &Path, into: &Path) -> Result<PathBuf, CheckoutError> {
    let write = |source| CheckoutError::Write { path: into.to_owned(), source };
    std::fs::create_dir_all(into).map_err(write)?;
    match &code.commit {
        Some(commit) => fetch(commit, code.repository.as_deref(), beside, into).await?,
        None => run(into, &["init", "--quiet"]).await.map_err(CheckoutError::Patch)?,
    }
    if let Some(patch) = &code.patch {
        // Beside the tree, where no workflow takes it for a file of its own.
        let file = into.with_extension("patch");
        std::fs::write(&file, patch).map_err(write)?;
        let apply =
            ["-c", "apply.ignoreWhitespace=no", "apply", "--binary", "--whitespace=nowarn", &*file.to_string_lossy()];
        run(into, &apply).await.map_err(CheckoutError::Patch)?;
    }
    let project = if code.path.is_empty() { into.to_owned() } else { into.join(&code.path) };
    let outside = Path::new(&code.path).components().any(|part| !matches!(part, std::path::Component::Normal(_)));
    if outside || !project.is_dir() {
        return Err(CheckoutError::NoFolder(code.path.clone()));
    }
    Ok(project)
}

async fn fetch(commit: &str, recorded: Option<&str>, beside: &Path, into: &Path) -> Result<(), CheckoutError> {
    let missing = |tried: Vec<String>| CheckoutError::NoCommit { commit: commit.to_owned(), tried: tried.join("; ") };
    let mut tried = Vec::new();
    if commit.is_empty() || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(missing(vec!["that is no commit's name".to_owned()]));
    }
    let object = format!("{commit}^{{commit}}");
    if let Some(root) = super::git(beside, &["rev-parse", "--show-toplevel"]).await {
        if super::git(beside, &["cat-file", "-e", &object]).await.is_some() {
            match clone(&["--shared"], &root, commit, into).await {
                Ok(()) => return Ok(()),
                Err(message) => tried.push(format!("{root}: {message}")),
            }
        } else {
            tried.push(format!("{root} has no such commit"));
        }
    } else {
        tried.push(format!("{} is in no git repository", beside.display()));
    }
    match recorded {
        Some(url) if !url.starts_with('-') => match clone(&[], url, commit, into).await {
            Ok(()) => return Ok(()),
            Err(message) => tried.push(format!("{url}: {message}")),
        },
        Some(_) | None => {}
    }
    Err(missing(tried))
}

async fn clone(flags: &[&str], from: &str, commit: &str, into: &Path) -> Result<(), String> {
    let place = into.to_string_lossy();
    let arguments = [&["clone", "--quiet", "--no-checkout"], flags, &["--", from, &*place]].concat();
    run(Path::new("."), &arguments).await?;
    run(into, &["checkout", "--quiet", "--detach", commit]).await
}

async fn run(dir: &Path, arguments: &[&str]) -> Result<(), String> {
    let mut command = command(dir, arguments);
    command.env("GIT_ALLOW_PROTOCOL", PROTOCOLS).env("GIT_TERMINAL_PROMPT", "0");
    let output = command.output().await.map_err(|error| format!("cannot run `git`: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::{git_state, snapshot};

    async fn commit(dir: &Path) {
        for arguments in [
            &["init", "--quiet"][..],
            &["add", "."],
            &["-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "--quiet", "-m", "First"],
        ] {
            run(dir, arguments).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_dirty_tree_comes_back_as_it_was_and_the_repository_is_not_touched() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (tree, project) = (dir.path(), dir.path().join("ranking"));
        std::fs::create_dir_all(&project).unwrap();
        std::fs::write(project.join("train.py"), "one\n").unwrap();
        std::fs::write(project.join("gone.py"), "x\n").unwrap();
        std::fs::write(tree.join(".gitignore"), "data/\n").unwrap();
        std::fs::write(tree.join(".gitattributes"), "*.py diff=loud\n").unwrap();
        commit(tree).await;
        // What people have, and no patch may obey.
        for (name, value) in [
            ("diff.noprefix", "true"),
            ("color.ui", "always"),
            ("diff.external", "false"),
            ("diff.loud.textconv", "tr a-z A-Z <"),
            ("apply.ignoreWhitespace", "change"),
        ] {
            run(tree, &["config", name, value]).await.unwrap();
        }
        std::fs::write(project.join("train.py"), "two\n").unwrap();
        std::fs::remove_file(project.join("gone.py")).unwrap();
        std::fs::write(tree.join("shared.bin"), [0, 159, 146, 150]).unwrap();
        std::fs::create_dir(tree.join("data")).unwrap();
        std::fs::write(tree.join("data/big"), "ignored").unwrap();
        let state = git_state(&project).await.unwrap();
        let before = super::super::git(tree, &["count-objects"]).await;

        let kept = snapshot(&project, &other.path().join("scratch")).await.unwrap().unwrap();
        assert_eq!(kept.files, 3);
        assert_eq!(super::super::git(tree, &["count-objects"]).await, before);
        assert_eq!(super::super::git(tree, &["diff", "--cached", "--name-only"]).await.unwrap(), "");

        let code = Code { commit: Some(state.commit), repository: None, path: state.path, patch: Some(kept.patch) };
        let again = checkout(&code, tree, &other.path().join("again")).await.unwrap();
        assert_eq!(std::fs::read_to_string(again.join("train.py")).unwrap(), "two\n");
        assert!(!again.join("gone.py").exists() && !again.join("../data").exists());
        assert_eq!(std::fs::read(again.join("../shared.bin")).unwrap(), [0, 159, 146, 150]);
    }

    #[tokio::test]
    async fn a_repository_in_the_tree_is_named_and_not_lost() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let inner = dir.path().join("vendor/ours");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(dir.path().join("train.py"), "import ours\n").unwrap();
        commit(dir.path()).await;
        std::fs::write(inner.join("ours.py"), "x = 1\n").unwrap();
        commit(&inner).await;
        let error = snapshot(dir.path(), &other.path().join("scratch")).await.unwrap_err().to_string();
        assert!(error.starts_with("`vendor/ours` is a repository of its own"), "{error}");
        std::fs::write(dir.path().join(".gitignore"), "vendor/\n").unwrap();
        assert!(snapshot(dir.path(), &other.path().join("again")).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_folder_without_a_repository_is_kept_whole() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir_all(dir.path().join("__pycache__")).unwrap();
        std::fs::write(dir.path().join("__pycache__/x.pyc"), "x").unwrap();
        std::fs::write(dir.path().join("train.ipynb"), "{}\n").unwrap();
        let kept = snapshot(dir.path(), &other.path().join("scratch")).await.unwrap().unwrap();
        assert_eq!(kept.files, 1);
        assert!(!dir.path().join(".git").exists());
        let code = Code { patch: Some(kept.patch), ..Code::default() };
        let again = checkout(&code, dir.path(), &other.path().join("again")).await.unwrap();
        assert_eq!(std::fs::read_to_string(again.join("train.ipynb")).unwrap(), "{}\n");
    }

    #[tokio::test]
    async fn what_is_too_large_for_a_record_is_named() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(dir.path().join("train.py"), "x").unwrap();
        let file = std::fs::File::create(dir.path().join("weights.bin")).unwrap();
        file.set_len(snapshot::MOST_BYTES + 1).unwrap();
        let error = snapshot(dir.path(), &other.path().join("scratch")).await.unwrap_err().to_string();
        assert!(error.contains("the largest is `weights.bin`") && error.contains(".gitignore"), "{error}");
    }

    #[tokio::test]
    async fn a_commit_that_is_nowhere_is_named_with_what_was_tried() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(dir.path().join("a"), "a").unwrap();
        commit(dir.path()).await;
        let absent = "0123456789012345678901234567890123456789";
        for (commit, repository) in [(absent, None), (absent, Some("ext::sh -c touch%20ran")), ("--help", None)] {
            let repository = repository.map(str::to_owned);
            let code = Code { commit: Some(commit.to_owned()), repository, ..Code::default() };
            let error = checkout(&code, dir.path(), &other.path().join("again")).await.unwrap_err().to_string();
            assert!(error.contains(commit), "{error}");
        }
    }
}
