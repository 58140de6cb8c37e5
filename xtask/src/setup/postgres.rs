//! A private Postgres for one test run: its own data folder, a free port on loopback, gone when the run ends.
//!
//! Postgres refuses to run as root, so as root it is started as the user that its package made. `setpriv` starts it with a parent-death signal: it
//! stops by itself even when we are killed and cannot stop it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::packages;
use crate::process::{self, Runner};
use crate::time::{Stopwatch, pause};
use crate::{environment, output};

/// Longer than a cold start of a small cluster on a busy machine with two cores.
const START_WITHIN: Duration = Duration::from_secs(60);

/// The user to run as when we are root, in order of preference.
const USERS: &[&str] = &["postgres", "nobody"];

/// Data folders are named by this and the process that made them.
const FOLDER: &str = "crosstie-postgres-";

/// The folder of `initdb` and `postgres`.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    programs: PathBuf,
}

impl Installation {
    /// Finds Postgres on `PATH` or where Debian hides it; installs it when we may.
    pub(crate) fn find(runner: &Runner) -> anyhow::Result<Self> {
        if let Some(found) = Self::search() {
            return Ok(found);
        }
        packages::install(runner, &["postgresql"], "Postgres, which the tests run on beside SQLite")?;
        Self::search().context("postgresql is installed, but its initdb is nowhere under /usr/lib/postgresql")
    }

    pub(crate) fn programs(&self) -> &Path {
        &self.programs
    }

    fn search() -> Option<Self> {
        let mut folders: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
            .collect();
        folders.sort();
        folders.reverse();
        let on_path = environment::on_path("initdb").and_then(|file| Some(file.parent()?.to_owned()));
        let complete = |folder: &PathBuf| folder.join("initdb").exists() && folder.join("postgres").exists();
        on_path.into_iter().chain(folders).find(complete).map(|programs| Self { programs })
    }
}

/// A running server; dropping it stops it and removes its data.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    data: PathBuf,
    port: u16,
}

/// For tests: nothing that they wrote is missed after a power loss.
const FORGETFUL: [&str; 2] = ["fsync=off", "full_page_writes=off"];

impl Server {
    /// A server for tests, which does not wait for the disk.
    pub(crate) fn start(installation: &Installation, runner: &Runner) -> anyhow::Result<Self> {
        Self::start_with(installation, runner, &FORGETFUL)
    }

    /// A server whose commits are on the disk, as Postgres is without being told otherwise.
    pub(crate) fn start_durable(installation: &Installation, runner: &Runner) -> anyhow::Result<Self> {
        Self::start_with(installation, runner, &[])
    }

    fn start_with(installation: &Installation, runner: &Runner, settings: &[&str]) -> anyhow::Result<Self> {
        let data = make_data_folder()?;
        let cluster = data.join("cluster");
        let mut initdb = unprivileged(&installation.programs.join("initdb"), false)?;
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "--pgdata"]);
        initdb.arg(&cluster).current_dir(&data);
        runner.quietly("postgres-initdb", "making a private Postgres", &mut initdb)?;

        std::fs::create_dir_all(runner.logs())?;
        let log = runner.logs().join("postgres.log");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = unprivileged(&installation.programs.join("postgres"), true)?;
        command.arg("-D").arg(&cluster).arg("-k").arg(&data).current_dir(&data);
        // Each test makes its own database, and their pools stay open side by side.
        for setting in ["listen_addresses=127.0.0.1", "max_connections=300"].iter().chain(settings) {
            command.args(["-c", setting]);
        }
        command.args(["-c", &format!("port={port}")]);
        let file = std::fs::File::create(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        runner.show(&command);
        let child = command.spawn().with_context(|| format!("start {}", process::display(&command)))?;
        let mut server = Self { child, data, port };
        server.wait(&log)?;
        Ok(server)
    }

    /// A URI of the server; tests make their databases through it.
    pub(crate) fn uri(&self) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Where it listens: `host:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn wait(&mut self, log: &Path) -> anyhow::Result<()> {
        let watch = Stopwatch::start();
        while watch.elapsed() < START_WITHIN {
            if std::fs::read_to_string(log).is_ok_and(|said| said.contains("database system is ready to accept")) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                output::line(process::tail(log));
                bail!("the private Postgres ended with {status}");
            }
            pause(Duration::from_millis(50));
        }
        output::line(process::tail(log));
        bail!("the private Postgres is not ready after {START_WITHIN:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT is Postgres's fast shutdown: it ends sessions instead of waiting for them.
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-INT", &pid]).status().is_ok_and(|status| status.success());
        let watch = Stopwatch::start();
        while asked && watch.elapsed() < Duration::from_secs(10) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            pause(Duration::from_millis(20));
        }
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.data).ok();
    }
}

/// A folder that the unprivileged user may write and reach: not below a home that only root may enter.
fn make_data_folder() -> anyhow::Result<PathBuf> {
    let temporary = std::env::temp_dir();
    remove_leftovers(&temporary);
    let folder = temporary.join(format!("{FOLDER}{}", std::process::id()));
    std::fs::create_dir(&folder).with_context(|| format!("create {}", folder.display()))?;
    if environment::is_root() {
        process::answer(Command::new("chown").arg(user()?).arg(&folder))?;
    }
    Ok(folder)
}

/// Folders of runs that were killed before they could remove theirs; what cannot be removed is another user's.
fn remove_leftovers(temporary: &Path) {
    for entry in std::fs::read_dir(temporary).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(FOLDER)).and_then(|pid| pid.parse::<u32>().ok());
        if process.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}

fn user() -> anyhow::Result<&'static str> {
    let exists = |name: &&&str| process::answer(Command::new("id").arg(name)).is_ok();
    USERS.iter().find(exists).copied().context("no user to run Postgres as; it refuses root")
}

/// The program as a user that Postgres accepts; with `dies_with_us`, it gets SIGINT when we end in any way.
fn unprivileged(program: &Path, dies_with_us: bool) -> anyhow::Result<Command> {
    let Some(setpriv) = environment::on_path("setpriv") else {
        if environment::is_root() {
            bail!("setpriv is missing, without which Postgres cannot be started by root: apt-get install util-linux");
        }
        return Ok(Command::new(program));
    };
    let mut command = Command::new(setpriv);
    if environment::is_root() {
        let user = user()?;
        let group = process::answer(Command::new("id").args(["-gn", user]))?;
        command.arg(format!("--reuid={user}")).arg(format!("--regid={}", group.trim())).arg("--clear-groups");
    }
    if dies_with_us {
        command.args(["--pdeathsig", "INT"]);
    }
    command.arg("--").arg(program);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_dead_runs_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        // Process ids end far below this one.
        let (dead, alive) = (format!("{FOLDER}4000000000"), format!("{FOLDER}{}", std::process::id()));
        for name in [dead.as_str(), alive.as_str(), "crosstie-postgres-notes"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        remove_leftovers(dir.path());
        assert!(!dir.path().join(dead).exists());
        assert!(dir.path().join(alive).exists() && dir.path().join("crosstie-postgres-notes").exists());
    }
}
