//! Prepared stores: thousands of runs, and one run with a long history.
//!
//! Through MLflow's own API that would take hours. The tables are the same for MLflow and Crosstie, so MLflow makes the
//! store, its tables are filled directly, and both get the same file (or a copy of the same database). FastTrackML has
//! tables of its own and is fast enough to be filled through its API.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::Context as _;

use super::calls;
use super::client::{Acknowledge, Client};
use super::load::CLIENTS;
use super::peers::{Database, Peer, Programs, Server};
use crate::process::{Runner, answer};

/// Points of the long history.
pub(super) const POINTS: usize = 100_000;
/// The run with the long history, of stores that are filled directly.
pub(super) const HISTORY_RUN: &str = "ffffffffffffffffffffffffffffffff";

/// What fills stores.
#[derive(Debug)]
pub(super) struct Filler<'a> {
    pub(super) runner: &'a Runner,
    pub(super) programs: &'a Programs,
    pub(super) python: PathBuf,
    /// The script, where Python finds it.
    pub(super) script: PathBuf,
}

impl Filler<'_> {
    /// Has MLflow make a store in `folder` with an experiment `bench`, and fills that with `runs` runs.
    pub(super) fn mlflow(&self, folder: &Path, database: &Database, runs: usize) -> anyhow::Result<String> {
        let server = Server::start(self.runner, self.programs, Peer::Mlflow, folder, database)?;
        let experiment = experiment(&server)?;
        drop(server);
        let uri = match database {
            Database::Sqlite => format!("sqlite:{}", folder.join("store.db").display()),
            Database::Postgres(server, name) => format!("postgresql://postgres@{server}/{name}"),
        };
        let mut command = Command::new(&self.python);
        command.arg(&self.script).args(["fill", &uri, &runs.to_string(), &POINTS.to_string()]);
        self.runner.quietly("bench-fill", &format!("filling a store with {runs} runs"), &mut command)?;
        Ok(experiment)
    }

    /// Fills a FastTrackML through its API. Answers the experiment, and the run with the long history.
    pub(super) fn fasttrackml(&self, server: &Server, runs: usize) -> anyhow::Result<(String, String)> {
        let experiment = experiment(server)?;
        let next = Mutex::new(0..runs);
        std::thread::scope(|scope| {
            let fill = || -> anyhow::Result<()> {
                let mut client = Client::connect(&server.address, Acknowledge::AtOnce)?;
                loop {
                    let number = next.lock().map_err(|_| anyhow::anyhow!("another client failed"))?.next();
                    let Some(number) = number else { return Ok(()) };
                    let run = run(&mut client, &experiment, number)?;
                    client.json(&calls::fill_run(&run, number as i64))?;
                }
            };
            let threads: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(fill)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Ok(())))
        })?;
        let mut client = server.client()?;
        let history = run(&mut client, &experiment, runs)?;
        for first in (0..POINTS).step_by(calls::BATCH) {
            let steps = first as i64..(first + calls::BATCH) as i64;
            client.json(&calls::log_batch(&history, "history", 1, steps))?;
        }
        Ok((experiment, history))
    }

    /// Rows per second that SQLite takes into the same table without a server before it. `file` is written to.
    pub(super) fn bare(&self, file: &Path, seconds: f64) -> anyhow::Result<f64> {
        let mut command = Command::new(&self.python);
        command.arg(&self.script).arg("bare").arg(file).arg(seconds.to_string());
        answer(&mut command)?.trim().parse().context("rows per second")
    }
}

/// Makes the experiment `bench` and answers its id.
pub(super) fn experiment(server: &Server) -> anyhow::Result<String> {
    let made = server.client()?.json(&calls::create_experiment("bench"))?;
    made["experiment_id"].as_str().map(str::to_owned).context("an experiment id")
}

/// Makes a run and answers its id.
pub(super) fn run(client: &mut Client, experiment: &str, number: usize) -> anyhow::Result<String> {
    let made = client.json(&calls::create_run(experiment, number))?;
    made["run"]["info"]["run_id"].as_str().map(str::to_owned).context("a run id")
}
