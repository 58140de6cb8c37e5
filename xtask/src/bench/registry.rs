//! The registry's measures, in an order that lets each server run alone.

mod fresh;
mod growth;
mod prepared;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;

use super::load::{CLIENTS, Load, Outcome, Requests};
use super::machine::{self, Tree};
use super::peers::{Database, Peer, Programs, Server};
use super::report::{Report, number};
use super::store::Filler;
use crate::output;
use crate::process::{Runner, answer};
use crate::setup::postgres;
use crate::time::{Spoken, Stopwatch};

use super::client::Acknowledge;

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Measure {
    /// Single calls of log-metric and create-run, and log-batch, on fresh stores; memory
    Writes,
    /// The search, a long history and the start, on a store of 20,000 runs
    Reads,
    /// Cost as the store grows
    Growth,
    /// Writes and the search on Postgres
    Postgres,
    /// Cost as a store on Postgres grows
    PostgresGrowth,
}

/// How much is measured.
#[derive(Debug, Clone)]
pub(super) struct Size {
    pub(super) quick: bool,
    pub(super) growth: bool,
    pub(super) only: Vec<Measure>,
}

impl Size {
    fn wants(&self, measure: Measure) -> bool {
        self.only.is_empty() || self.only.contains(&measure)
    }

    /// Runs of the prepared store.
    const fn runs(&self) -> usize {
        if self.quick { 2_000 } else { 20_000 }
    }

    /// How long each measure takes.
    const fn duration(&self) -> Duration {
        Duration::from_secs(if self.quick { 2 } else { 6 })
    }
}

/// A running bench.
struct Bench<'a> {
    runner: &'a Runner,
    programs: &'a Programs,
    filler: Filler<'a>,
    folder: PathBuf,
    size: Size,
    report: Report,
}

pub(super) fn run(
    runner: &Runner,
    programs: &Programs,
    python: PathBuf,
    folder: &Path,
    size: Size,
) -> anyhow::Result<()> {
    let work = folder.join("work");
    if work.exists() {
        std::fs::remove_dir_all(&work)?;
    }
    std::fs::create_dir_all(&work)?;
    let script = work.join("fill.py");
    std::fs::write(&script, include_str!("fill.py"))?;
    let watch = Stopwatch::start();
    let filler = Filler { runner, programs, python, script };
    let mut bench = Bench { runner, programs, filler, folder: work.clone(), size, report: Report::default() };
    bench.describe()?;
    if bench.size.wants(Measure::Writes) {
        output::heading("writes, on fresh stores (SQLite)");
        bench.fresh("sqlite", None)?;
    }
    if bench.size.wants(Measure::Reads) {
        output::heading("reads, on a prepared store (SQLite)");
        bench.prepared()?;
    }
    if bench.size.wants(Measure::Growth) {
        output::heading("cost as the store grows (SQLite)");
        bench.growth(None)?;
    }
    if bench.size.wants(Measure::Postgres) || bench.size.wants(Measure::PostgresGrowth) {
        output::heading("Postgres");
        let installation = postgres::Installation::find(runner)?;
        let server = postgres::Server::start_durable(&installation, runner)?;
        if bench.size.wants(Measure::Postgres) {
            bench.fresh("postgres", Some(&server.address()))?;
            bench.prepared_postgres(&server.address())?;
        }
        if bench.size.wants(Measure::PostgresGrowth) {
            bench.growth(Some(&server.address()))?;
        }
    }
    bench.report.note(format!("the whole bench took {}", Spoken(watch.elapsed())));
    bench.report.write(folder)?;
    // Gigabytes that nobody looks at again.
    std::fs::remove_dir_all(&work)?;
    Ok(())
}

impl Bench<'_> {
    fn describe(&mut self) -> anyhow::Result<()> {
        let sync = machine::sync_median(&self.folder)?;
        self.report.note(machine::described());
        self.report.note(format!("fdatasync of a page on this disk: {} ms (p50)", number(sync)));
        let mut versions = Vec::new();
        for program in [&self.programs.crosstie, &self.programs.mlflow, &self.programs.fasttrackml] {
            versions.push(answer(std::process::Command::new(program).arg("--version"))?.trim().to_owned());
        }
        self.report.note(versions.join("; "));
        self.report.note(format!(
            "{CLIENTS} keep-alive clients unless said otherwise, {} s each; every server as it is without being told \
             otherwise, crosstie being the whole of `up`, not only its registry; its writes are on the disk before they \
             are answered (`synchronous=FULL`)",
            self.size.duration().as_secs()
        ));
        self.report.note(
            "`mlflow, no stall` is the same server with clients that set TCP_QUICKACK: otherwise its answers, which it \
             sends in two packets, wait 40 ms for the first one's acknowledgement",
        );
        Ok(())
    }

    fn start(&self, peer: Peer, folder: &str, database: &Database) -> anyhow::Result<Server> {
        Server::start(self.runner, self.programs, peer, &self.folder.join(folder), database)
    }

    /// Puts a load on a server; errors are shown, since they would make a number mean something else.
    fn load(
        &mut self,
        what: &str,
        server: &Server,
        acknowledge: Acknowledge,
        clients: usize,
        requests: &dyn Fn(usize) -> Requests,
    ) -> anyhow::Result<Outcome> {
        let (address, tree): (&str, Tree) = (&server.address, server.tree());
        let duration = self.size.duration();
        let outcome = Load { address, acknowledge, clients, duration, requests, server: tree }.run()?;
        if let Some(error) = &outcome.first_error {
            let error: String = error.chars().take(200).collect();
            self.report.note(format!("{what}: {} calls failed, the first with: {error}", outcome.errors));
        }
        Ok(outcome)
    }
}

/// A row of the table of latencies.
fn latencies(what: &str, server: &str, outcome: &Outcome) -> Vec<String> {
    let mut row = vec![what.to_owned(), server.to_owned(), number(outcome.per_second())];
    row.extend([0.5, 0.95, 0.99].map(|share| number(outcome.percentile(share))));
    row.push(number(outcome.cpu_per_call));
    row
}

/// The columns of [`latencies`].
const LATENCIES: [&str; 7] =
    ["calls", "server", "calls/s", "p50 (ms)", "p95 (ms)", "p99 (ms)", "processor of the server per call (ms)"];
