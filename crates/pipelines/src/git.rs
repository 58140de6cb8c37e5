//! The state of the project's git work tree, for the record of a run. Only read, and only through `git` itself.

mod checkout;
mod snapshot;

use std::{path::Path, process::Stdio};

use tokio::process::Command;

pub use checkout::{CheckoutError, Code, checkout};
pub use snapshot::{Snapshot, SnapshotError, snapshot};

/// What the project's code was when a run started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitState {
    /// The commit that is checked out.
    pub commit: String,
    /// Whether a file of the work tree differs from it, or is not in it and not ignored. The whole tree: what is imported
    /// may lie beside the project's folder.
    pub dirty: bool,
    /// Where `origin` is, without credentials.
    pub repository: Option<String>,
    /// The project's folder in the repository; empty where it is the repository itself.
    pub path: String,
}

/// The git state of `dir`: none outside a work tree, before the first commit, or without `git`.
pub async fn git_state(dir: &Path) -> Option<GitState> {
    let commit = git(dir, &["rev-parse", "HEAD"]).await?;
    let status = git(dir, &["status", "--porcelain", "--untracked-files=normal"]).await?;
    let repository = git(dir, &["config", "--get", "remote.origin.url"]).await;
    let path = git(dir, &["rev-parse", "--show-prefix"]).await?.trim_end_matches('/').to_owned();
    let repository = repository.map(|url| without_credentials(&url));
    Some(GitState { commit, dirty: !status.is_empty(), repository, path })
}

async fn git(dir: &Path, arguments: &[&str]) -> Option<String> {
    let output = command(dir, arguments).output().await.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// `git -C dir …`, of the repository that `dir` is in and no other.
fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(dir)
        .args(arguments)
        // Set when we are called from a hook; they would name that repository instead of the project's.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .env_remove("GIT_OBJECT_DIRECTORY")
        .env_remove("GIT_ALTERNATE_OBJECT_DIRECTORIES")
        // What somebody likes to see of a diff is no part of a patch.
        .env_remove("GIT_DIFF_OPTS")
        .env_remove("GIT_EXTERNAL_DIFF")
        // Reading the state must not touch the index of a repository that someone else works in.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// `https://user:token@host/path` is stored in many clones; a run's record is read by everyone.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority = rest.split('/').next().unwrap_or(rest);
    match authority.rsplit_once('@') {
        Some((credentials, _)) => format!("{scheme}://{}", &rest[credentials.len() + 1..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn in_repository(dir: &Path, arguments: &[&str]) {
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];
        let all: Vec<&str> = identity.iter().chain(arguments).copied().collect();
        assert!(git(dir, &all).await.is_some(), "git {arguments:?}");
    }

    #[tokio::test]
    async fn the_commit_and_whether_the_folder_differs_from_it() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(git_state(dir.path()).await, None);
        in_repository(dir.path(), &["init", "-q"]).await;
        assert_eq!(git_state(dir.path()).await, None);
        std::fs::write(dir.path().join("train.py"), "print(1)").unwrap();
        in_repository(dir.path(), &["add", "."]).await;
        in_repository(dir.path(), &["commit", "-q", "-m", "First"]).await;
        in_repository(dir.path(), &["remote", "add", "origin", "https://me:secret@example.com/team/ranker.git"]).await;

        let clean = git_state(dir.path()).await.unwrap();
        assert_eq!(clean.commit.len(), 40);
        assert!(!clean.dirty);
        assert_eq!(clean.repository.as_deref(), Some("https://example.com/team/ranker.git"));

        std::fs::write(dir.path().join("new.py"), "").unwrap();
        assert!(git_state(dir.path()).await.unwrap().dirty);
        std::fs::create_dir(dir.path().join("ranking")).unwrap();
        let inner = git_state(&dir.path().join("ranking")).await.unwrap();
        assert!(inner.dirty, "what lies beside the project's folder counts");
        assert_eq!((clean.path.as_str(), inner.path.as_str()), ("", "ranking"));
    }

    #[test]
    fn credentials_are_taken_out_of_the_address() {
        assert_eq!(without_credentials("git@github.com:team/x.git"), "git@github.com:team/x.git");
        assert_eq!(without_credentials("https://host/a@b"), "https://host/a@b");
        assert_eq!(without_credentials("https://token@host/a"), "https://host/a");
    }
}
