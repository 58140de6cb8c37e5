//! A project's `.crosstie/`: who runs on it, where they answer, and the first token.
//!
//! One process at a time owns the folder, by a lock that the operating system drops with the process, so a kill leaves
//! nothing to clean up. What is written here is written whole: to a neighbour first, then renamed.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

/// Where a running `up` answers, by role: `api`, `http`, `grpc`, `metrics`.
pub(crate) type Addresses = BTreeMap<String, String>;

/// What a running `up` leaves for other commands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Its process id.
    pub(crate) pid: i32,
    /// Its version.
    pub(crate) version: String,
    /// Where it answers.
    pub(crate) addresses: Addresses,
}

/// The folder of state, held by this process.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Makes the folder if it is absent and takes its lock.
    ///
    /// # Errors
    /// When the folder cannot be written, or another process runs on it.
    pub(crate) fn acquire(path: &Path) -> Result<Self> {
        fs::create_dir_all(path)
            .with_context(|| format!("cannot make {}: give a folder that you can write with --dir", path.display()))?;
        fs::write(path.join(".gitignore"), "*\n").with_context(|| {
            format!("cannot write in {}: give a folder that you can write with --dir", path.display())
        })?;
        let lock = File::options().create(true).truncate(false).write(true).open(path.join("lock"));
        let lock = lock.with_context(|| format!("cannot open {}", path.join("lock").display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_path_buf(), _lock: lock }),
            Err(TryLockError::WouldBlock) => match running(path) {
                Some(other) => bail!(
                    "crosstie is up on this folder already (process {}, http://{}): use it, or stop it with `crosstie down`",
                    other.pid,
                    other.addresses.get("api").map_or("?", String::as_str)
                ),
                None => bail!("another crosstie is starting or stopping on {}: try again in a moment", path.display()),
            },
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }

    /// Tells other commands where this process answers.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn announce(&self, addresses: &Addresses) -> Result<()> {
        let pid = i32::try_from(std::process::id()).context("the process id does not fit")?;
        let running = Running { pid, version: env!("CARGO_PKG_VERSION").to_owned(), addresses: addresses.clone() };
        write_whole(&self.path.join("up.json"), &serde_json::to_vec_pretty(&running)?)
    }

    /// Takes the announcement back.
    pub(crate) fn withdraw(&self) {
        let _ = fs::remove_file(self.path.join("up.json"));
    }
}

/// Whether a process holds the folder's lock now.
pub(crate) fn is_held(path: &Path) -> bool {
    File::open(path.join("lock")).is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

/// The process that is up on this folder, if one is.
pub(crate) fn running(path: &Path) -> Option<Running> {
    if !is_held(path) {
        return None;
    }
    serde_json::from_slice(&fs::read(path.join("up.json")).ok()?).ok()
}

/// Writes `content` so that a reader sees all of it or the file before.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    write(path, content, 0o666)
}

/// The same, for its owner's eyes alone.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    write(path, content, 0o600)
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().context("a file name is needed")?.to_string_lossy();
    let partial = dir.join(format!(".{name}.{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        // Left by a process of the same id that was killed: its mode may be another.
        fs::remove_file(&partial)
            .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
        let mut file = File::options().write(true).create_new(true).mode(mode).open(&partial)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateDir::acquire(dir.path()).unwrap();
        first.announce(&BTreeMap::from([("api".to_owned(), "127.0.0.1:5000".to_owned())])).unwrap();
        let second = StateDir::acquire(dir.path()).unwrap_err().to_string();
        assert!(second.contains("http://127.0.0.1:5000"), "{second}");
        assert!(running(dir.path()).is_some());
        drop(first);
        assert!(running(dir.path()).is_none());
        StateDir::acquire(dir.path()).unwrap();
    }
}
