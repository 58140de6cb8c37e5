//! The servers that are compared: each is started on a folder of its own, as its documentation says, and stopped.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::client::{Acknowledge, Client, get};
use super::machine::Tree;
use crate::process::{Runner, display, tail};
use crate::time::{Stopwatch, pause};

/// MLflow takes tens of seconds on a busy machine with two cores.
const READY_WITHIN: Duration = Duration::from_secs(180);
/// How often to look whether a server answers: finer than the aim for our own start.
const LOOK: Duration = Duration::from_millis(2);

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Peer {
    Crosstie,
    Mlflow,
    FastTrackMl,
}

impl Peer {
    pub(super) const ALL: [Self; 3] = [Self::Crosstie, Self::Mlflow, Self::FastTrackMl];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Crosstie => "crosstie",
            Self::Mlflow => "mlflow",
            Self::FastTrackMl => "fasttrackml",
        }
    }
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    pub(super) crosstie: PathBuf,
    pub(super) mlflow: PathBuf,
    pub(super) fasttrackml: PathBuf,
}

/// Where a server keeps its rows.
#[derive(Debug, Clone)]
pub(super) enum Database {
    /// `store.db` in its folder.
    Sqlite,
    /// A database of that name on this server (`host:port`).
    Postgres(String, String),
}

impl Database {
    /// As the peer writes it.
    fn uri(&self, peer: Peer, folder: &Path) -> String {
        let file = folder.join("store.db");
        match (self, peer) {
            (Self::Sqlite, Peer::Crosstie) => format!("sqlite:{}", file.display()),
            (Self::Sqlite, Peer::Mlflow) => format!("sqlite:///{}", file.display()),
            (Self::Sqlite, Peer::FastTrackMl) => format!("sqlite://{}", file.display()),
            (Self::Postgres(server, name), Peer::Crosstie) => format!("postgresql://postgres@{server}/{name}"),
            (Self::Postgres(server, name), Peer::Mlflow) => format!("postgresql+psycopg2://postgres@{server}/{name}"),
            (Self::Postgres(server, name), Peer::FastTrackMl) => {
                format!("postgres://postgres@{server}/{name}?sslmode=disable")
            }
        }
    }
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pub(super) address: String,
    /// From the start of the process until `/health` was answered.
    pub(super) ready_after: Duration,
}

impl Server {
    pub(super) fn start(
        runner: &Runner,
        programs: &Programs,
        peer: Peer,
        folder: &Path,
        database: &Database,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let uri = database.uri(peer, folder);
        let mut command = match peer {
            Peer::Crosstie => {
                let mut command = Command::new(&programs.crosstie);
                command.args(["up", "--port", &port.to_string(), "--http-port", "0", "--grpc-port", "0"]);
                command.args(["--metrics-port", "0", "--database", &uri]).arg("--dir").arg(folder);
                command
            }
            Peer::Mlflow => {
                let mut command = Command::new(&programs.mlflow);
                command.args(["server", "--port", &port.to_string(), "--backend-store-uri", &uri]);
                command
            }
            Peer::FastTrackMl => {
                let mut command = Command::new(&programs.fasttrackml);
                command.args(["server", "--listen-address", &address, "--database-uri", &uri]);
                command
            }
        };
        let log = folder.join(format!("{}.log", peer.name()));
        let file = File::create(&log)?;
        command.current_dir(folder).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        // A group of its own, so that MLflow's workers are stopped with it.
        command.process_group(0);
        runner.show(&command);
        let watch = Stopwatch::start();
        let child = command.spawn().with_context(|| format!("start {}", display(&command)))?;
        let mut server = Self { child, address, ready_after: Duration::ZERO };
        server.wait(peer, &log, watch)?;
        Ok(server)
    }

    /// The server's processes.
    pub(super) fn tree(&self) -> Tree {
        Tree(self.child.id())
    }

    /// A connection for calls that are not measured.
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        Client::connect(&self.address, Acknowledge::AtOnce)
    }

    fn wait(&mut self, peer: Peer, log: &Path, watch: Stopwatch) -> anyhow::Result<()> {
        let request = get("/health");
        while watch.elapsed() < READY_WITHIN {
            let answered = Client::connect(&self.address, Acknowledge::AtOnce).and_then(|mut it| it.call(&request));
            if answered.is_ok_and(|answer| answer.status == 200) {
                self.ready_after = watch.elapsed();
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}:\n{}", peer.name(), tail(log));
            }
            pause(LOOK);
        }
        bail!("{} does not answer after {READY_WITHIN:?}:\n{}", peer.name(), tail(log))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        for (signal, patience) in [("-TERM", Duration::from_secs(10)), ("-KILL", Duration::from_secs(5))] {
            Command::new("kill").args([signal, "--", &group]).stderr(Stdio::null()).status().ok();
            let watch = Stopwatch::start();
            while watch.elapsed() < patience {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    // Workers that outlive the one that started them hold the port and the file.
                    Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status().ok();
                    return;
                }
                pause(Duration::from_millis(20));
            }
        }
    }
}
