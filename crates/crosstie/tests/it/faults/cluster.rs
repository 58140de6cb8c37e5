//! A Postgres of the test's own, which it may stop, crash and start again.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use runtime::testing::eventually;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::program::skip;

/// Longer than a cold start of a small cluster on a busy machine with two cores.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where Debian hides the programs, a folder for each version.
const HIDDEN: &str = "/usr/lib/postgresql";
/// Postgres refuses to run as root, so as root it is started as one of these.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// A cluster on a port of its own; it ends with its test.
pub(super) struct Cluster {
    programs: PathBuf,
    dir: TempDir,
    port: u16,
    user: Option<(u32, u32)>,
    server: Option<Child>,
}

impl Cluster {
    /// Makes one and starts it; nothing where Postgres is not installed.
    pub(super) async fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            skip("Postgres' own programs are not installed");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let user = geteuid().is_root().then(|| unprivileged().expect("a user to run Postgres as, which refuses root"));
        if let Some((user, group)) = user {
            chown(dir.path(), Some(user), Some(group)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut cluster = Self { programs, dir, port, user, server: None };
        let mut initdb = cluster.command("initdb");
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        let made = initdb.stdout(Stdio::null()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        cluster.start_again().await;
        Some(cluster)
    }

    /// A program of Postgres', told where the data is.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match self.user {
            None => Command::new(program),
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
                command.arg("--").arg(program);
                command
            }
        };
        command.arg("-D").arg(self.dir.path().join("data")).current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    pub(super) async fn start_again(&mut self) {
        let log = fs::File::create(self.dir.path().join("log")).unwrap();
        let mut command = self.command("postgres");
        // What was committed is on disk, also when it crashes.
        command.arg("-k").arg(self.dir.path()).args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=on"]);
        command.args(["-p", &self.port.to_string()]).stdout(Stdio::null()).stderr(log);
        self.server = Some(command.spawn().unwrap());
        let log = self.dir.path().join("log");
        eventually(PATIENCE, || async {
            let said = fs::read_to_string(&log).unwrap_or_default();
            if said.contains("database system is ready to accept") { Ok(()) } else { Err(said) }
        })
        .await;
    }

    /// Ends all of it at once, as `pg_ctl stop -m immediate` does: nothing is written any more, and the next start recovers.
    pub(super) fn crash(&mut self) {
        let mut server = self.server.take().unwrap();
        kill_process(pid(server.id()), Signal::QUIT).unwrap();
        server.wait().unwrap();
    }

    /// Stops all of its processes where they are. What is sent to them is taken by the machine, and nobody answers.
    pub(super) fn freeze(&self) {
        let leader = self.server.as_ref().unwrap().id();
        kill_process(pid(leader), Signal::STOP).unwrap();
        self.signal_children(leader, Signal::STOP);
    }

    /// Lets it go on.
    pub(super) fn thaw(&self) {
        let leader = self.server.as_ref().unwrap().id();
        self.signal_children(leader, Signal::CONT);
        kill_process(pid(leader), Signal::CONT).unwrap();
    }

    fn signal_children(&self, leader: u32, signal: Signal) {
        let children = fs::read_to_string(format!("/proc/{leader}/task/{leader}/children")).unwrap();
        for child in children.split_whitespace() {
            // One that has just ended is stopped as well.
            kill_process(pid(child.parse().unwrap()), signal).ok();
        }
    }

    pub(super) fn uri(&self) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.thaw();
            self.crash();
        }
    }
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
}

/// The folder of `initdb` and `postgres`: the newest.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(HIDDEN).into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let mut folders: Vec<PathBuf> =
        versions.chain([PathBuf::from("/usr/bin"), PathBuf::from("/usr/local/bin")]).collect();
    folders.sort();
    folders.into_iter().rfind(|folder| ["initdb", "postgres"].iter().all(|program| folder.join(program).exists()))
}

/// User and group to run Postgres as.
fn unprivileged() -> Option<(u32, u32)> {
    let known = fs::read_to_string("/etc/passwd").ok()?;
    USERS.iter().find_map(|user| {
        let mut fields =
            known.lines().map(|line| line.split(':')).find(|fields| fields.clone().next() == Some(*user))?;
        let id = fields.nth(2)?.parse().ok()?;
        Some((id, fields.next()?.parse().ok()?))
    })
}
