//! Reads on a store of many runs: the search, a long history, and the start itself.

use std::process::Command;

use anyhow::{Context as _, ensure};

use super::{Bench, LATENCIES, latencies};
use crate::bench::calls::{self, BATCH};
use crate::bench::client::Acknowledge;
use crate::bench::load::{CLIENTS, Outcome};
use crate::bench::peers::{Database, Peer, Server};
use crate::bench::report::{Aim, Comparison, Table, number};
use crate::bench::store::{HISTORY_RUN, POINTS};
use crate::output;
use crate::process::answer;
use crate::time::{Spoken, Stopwatch};

/// What a server reached on the prepared store.
struct Reached {
    search: Outcome,
    history: Outcome,
    ready_after: f64,
    resident: f64,
}

/// One of the numbers.
type NumberOf = fn(&Reached) -> f64;

impl Bench<'_> {
    /// The store that MLflow made, in `prepared`; FastTrackML fills its own.
    pub(super) fn prepared(&mut self) -> anyhow::Result<()> {
        let runs = self.size.runs();
        let experiment = self.filler.mlflow(&self.folder.join("prepared"), &Database::Sqlite, runs)?;
        let bare = self.folder.join("bare.db");
        std::fs::copy(self.folder.join("prepared/store.db"), &bare)?;
        let bare = self.filler.bare(&bare, self.size.duration().as_secs_f64())?;
        self.report.note(format!(
            "SQLite itself, driven by Python on a store like that and without a server before it, takes {} metrics/s in \
             durable commits of {BATCH}",
            number(bare)
        ));
        let mut table = Table::new(&format!("Reads on a store of {runs} runs (SQLite)"), &LATENCIES);
        let mut reached = Vec::new();
        let mut pages = Vec::new();
        for peer in [Peer::Crosstie, Peer::Mlflow] {
            output::line(format!("   {} …", peer.name()));
            let folder = format!("prepared_{}", peer.name());
            self.copy_prepared("prepared", &folder)?;
            if peer == Peer::Crosstie {
                let first = self.start(peer, &folder, &Database::Sqlite)?.ready_after;
                self.report.note(format!("crosstie's first start on the store that MLflow made: {}", Spoken(first)));
            }
            let server = self.start(peer, &folder, &Database::Sqlite)?;
            pages.push(first_page(&server, &experiment)?);
            reached.push(self.reads(peer, &server, &experiment, HISTORY_RUN, &mut table)?);
        }
        ensure!(pages[0] == pages[1], "crosstie and MLflow find other runs: {:?} and {:?}", pages[0], pages[1]);
        self.report.note("crosstie and MLflow answer the search with the same runs in the same order");
        output::line("   fasttrackml …");
        let server = self.start(Peer::FastTrackMl, "prepared_fasttrackml", &Database::Sqlite)?;
        let watch = Stopwatch::start();
        let (experiment, history) = self.filler.fasttrackml(&server, runs)?;
        self.report.note(format!(
            "MLflow's store of {runs} runs was filled directly, a copy of the same file given to crosstie; FastTrackML's was \
             filled through its API in {}",
            Spoken(watch.elapsed())
        ));
        drop(server);
        let server = self.start(Peer::FastTrackMl, "prepared_fasttrackml", &Database::Sqlite)?;
        reached.push(self.reads(Peer::FastTrackMl, &server, &experiment, &history, &mut table)?);
        self.report.tables.push(table);
        let [ours, mlflow, fasttrackml] = reached.as_slice() else { return Ok(()) };
        self.compare_reads(ours, mlflow, fasttrackml);
        Ok(())
    }

    fn compare_reads(&mut self, ours: &Reached, mlflow: &Reached, fasttrackml: &Reached) {
        let runs = number(self.size.runs() as f64);
        let measures: [(String, &'static str, NumberOf, Vec<Aim>); 5] = [
            (format!("search over {runs} runs, p50"), "ms", |it| it.search.percentile(0.5), vec![]),
            (
                format!("search over {runs} runs, p95"),
                "ms",
                |it| it.search.percentile(0.95),
                vec![Aim::TimesMlflow(30.0)],
            ),
            (
                format!("history of {} points, p50", number(POINTS as f64)),
                "ms",
                |it| it.history.percentile(0.5),
                vec![Aim::TimesMlflow(20.0)],
            ),
            ("ready after start on that store".to_owned(), "ms", |it| it.ready_after, vec![Aim::AtMost(300.0)]),
            ("memory after those reads, at most".to_owned(), "MiB", |it| it.resident, vec![Aim::AtMost(200.0)]),
        ];
        for (measure, unit, pick, aims) in measures {
            self.report.compare(Comparison {
                measure,
                unit,
                more: false,
                crosstie: pick(ours),
                mlflow: Some(pick(mlflow)),
                mlflow_unstalled: None,
                fasttrackml: Some(pick(fasttrackml)),
                aims,
            });
        }
    }

    fn reads(
        &mut self,
        peer: Peer,
        server: &Server,
        experiment: &str,
        history: &str,
        table: &mut Table,
    ) -> anyhow::Result<Reached> {
        let mut client = server.client()?;
        let request = calls::history(history);
        let answer = client.call(&request)?;
        let body = String::from_utf8_lossy(client.body(answer)).into_owned();
        let points = body.matches("\"step\"").count();
        ensure!(points == POINTS, "{} answers {points} points of {POINTS}: {:.200}", peer.name(), body);
        let lazily = Acknowledge::Lazily;
        let search = self.load("search", server, lazily, CLIENTS, &|_| calls::same(calls::search(experiment)))?;
        table.rows.push(latencies("search", peer.name(), &search));
        let long = self.load("history", server, lazily, 1, &|_| calls::same(request.clone()))?;
        table.rows.push(latencies("history, one client", peer.name(), &long));
        let ready_after = server.ready_after.as_secs_f64() * 1_000.0;
        Ok(Reached { search, history: long, ready_after, resident: server.tree().peak() })
    }

    /// Copies a store that no server has open.
    pub(super) fn copy_prepared(&self, from: &str, to: &str) -> anyhow::Result<()> {
        std::fs::create_dir_all(self.folder.join(to))?;
        std::fs::copy(self.folder.join(from).join("store.db"), self.folder.join(to).join("store.db"))?;
        Ok(())
    }

    /// The search on Postgres, on databases made from the same template.
    pub(super) fn prepared_postgres(&mut self, server: &str) -> anyhow::Result<()> {
        let runs = self.size.runs();
        let template = self.make_database(server, "prepared", None)?;
        let experiment = self.filler.mlflow(&self.folder.join("postgres_prepared"), &template, runs)?;
        let mut table = Table::new(&format!("Reads on a store of {runs} runs (Postgres)"), &LATENCIES);
        let mut reached = Vec::new();
        for peer in [Peer::Crosstie, Peer::Mlflow] {
            output::line(format!("   {} …", peer.name()));
            let name = format!("prepared_{}", peer.name());
            let database = self.make_database(server, &name, Some("prepared"))?;
            let server = self.start(peer, &format!("postgres_{name}"), &database)?;
            reached.push(self.reads(peer, &server, &experiment, HISTORY_RUN, &mut table)?);
        }
        self.report.tables.push(table);
        let [ours, mlflow] = reached.as_slice() else { return Ok(()) };
        let measures: [(&str, NumberOf); 2] = [
            ("search, p95, postgres", |it| it.search.percentile(0.95)),
            ("history, p50, postgres", |it| it.history.percentile(0.5)),
        ];
        for (measure, pick) in measures {
            self.report.compare(Comparison {
                measure: measure.to_owned(),
                unit: "ms",
                more: false,
                crosstie: pick(ours),
                mlflow: Some(pick(mlflow)),
                mlflow_unstalled: None,
                fasttrackml: None,
                aims: Vec::new(),
            });
        }
        Ok(())
    }

    /// Makes a database on the Postgres at `server`, a copy of `template` if one is named.
    pub(super) fn make_database(&self, server: &str, name: &str, template: Option<&str>) -> anyhow::Result<Database> {
        let script = "import sys, psycopg2; connection = psycopg2.connect(sys.argv[1]); connection.autocommit = True; \
                      connection.cursor().execute(sys.argv[2])";
        let template = template.map_or_else(String::new, |template| format!(" TEMPLATE {template}"));
        let mut command = Command::new(&self.filler.python);
        command.args(["-c", script, &format!("postgresql://postgres@{server}/postgres")]);
        command.arg(format!("CREATE DATABASE {name}{template}"));
        answer(&mut command).with_context(|| format!("make the database {name}"))?;
        Ok(Database::Postgres(server.to_owned(), name.to_owned()))
    }
}

/// The runs that the search finds.
fn first_page(server: &Server, experiment: &str) -> anyhow::Result<Vec<String>> {
    let page = server.client()?.json(&calls::search(experiment))?;
    let runs = page["runs"].as_array().context("runs")?;
    Ok(runs.iter().map(|run| run["info"]["run_id"].to_string()).collect())
}
