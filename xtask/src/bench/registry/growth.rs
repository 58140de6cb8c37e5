//! What the same call costs as the store grows.

use super::Bench;
use crate::bench::calls::{self, BATCH};
use crate::bench::client::{Acknowledge, PATIENCE};
use crate::bench::load::CLIENTS;
use crate::bench::peers::{Database, Peer};
use crate::bench::report::{Table, number};
use crate::bench::store;
use crate::output;

/// What is seen of a search.
const COLUMNS: [&str; 7] =
    ["runs", "server", "search p50 (ms)", "search p95 (ms)", "page at 0", "at 1,000", "at 10,000"];
/// Where deep pages begin.
const DEPTHS: [usize; 3] = [0, 1_000, 10_000];

impl Bench<'_> {
    /// On SQLite, or on this Postgres (`host:port`).
    pub(super) fn growth(&mut self, postgres: Option<&str>) -> anyhow::Result<()> {
        let mut sizes = vec![2_000];
        if !self.size.quick {
            sizes.push(20_000);
        }
        if self.size.growth {
            sizes.push(200_000);
        }
        let on = if postgres.is_some() { "Postgres" } else { "SQLite" };
        let mut table = Table::new(&format!("Search as the store grows ({on}, one client)"), &COLUMNS);
        for runs in sizes {
            let from = self.grown(runs, postgres)?;
            for peer in [Peer::Crosstie, Peer::Mlflow] {
                output::line(format!("   {} with {runs} runs …", peer.name()));
                let folder = format!("{from}_{}_growth", peer.name());
                let database = match postgres {
                    Some(server) => self.make_database(server, &folder, Some(&from))?,
                    None => {
                        self.copy_prepared(&from, &folder)?;
                        Database::Sqlite
                    }
                };
                let row = self.searches(peer, &folder, &database, runs)?;
                output::line(format!("      {}", row.join(" | ")));
                table.rows.push(row);
                std::fs::remove_dir_all(self.folder.join(&folder))?;
            }
        }
        self.report.tables.push(table);
        self.batches(on, postgres)
    }

    /// The folder, and on Postgres also the database, of a store with so many runs.
    fn grown(&self, runs: usize, postgres: Option<&str>) -> anyhow::Result<String> {
        if let Some(server) = postgres {
            let from = format!("grown_postgres_{runs}");
            let database = self.make_database(server, &from, None)?;
            self.filler.mlflow(&self.folder.join(&from), &database, runs)?;
            return Ok(from);
        }
        let from = if runs == self.size.runs() { "prepared".to_owned() } else { format!("grown_{runs}") };
        if !self.folder.join(&from).exists() {
            self.filler.mlflow(&self.folder.join(&from), &Database::Sqlite, runs)?;
        }
        Ok(from)
    }

    fn searches(&mut self, peer: Peer, folder: &str, database: &Database, runs: usize) -> anyhow::Result<Vec<String>> {
        let server = self.start(peer, folder, database)?;
        // The first experiment that MLflow makes beside its own.
        let experiment = "1";
        let once = Acknowledge::AtOnce;
        let mut row = vec![number(runs as f64), peer.name().to_owned()];
        let search = self.load("search", &server, once, 1, &|_| calls::same(calls::search(experiment)));
        let search = match search {
            Err(_) if peer != Peer::Crosstie => {
                // It would not answer the other pages either.
                row.push(format!("no answer in {} s", PATIENCE.as_secs()));
                row.resize(COLUMNS.len(), String::new());
                return Ok(row);
            }
            search => search?,
        };
        row.extend([0.5, 0.95].map(|share| number(search.percentile(share))));
        for depth in DEPTHS {
            row.push(if depth < runs {
                let page = calls::deep_page(experiment, depth);
                let outcome = self.load("a deep page", &server, once, 1, &|_| calls::same(page.clone()))?;
                number(outcome.percentile(0.5))
            } else {
                String::new()
            });
        }
        Ok(row)
    }

    /// log-batch while the store grows under it.
    fn batches(&mut self, on: &str, postgres: Option<&str>) -> anyhow::Result<()> {
        let columns =
            ["server", "metrics in the store before", "metrics/s", "p50 (ms)", "p95 (ms)", "processor per call (ms)"];
        let mut table =
            Table::new(&format!("log-batch while the store grows ({on}, 1,000 metrics per call)"), &columns);
        let slices = if self.size.growth { 20 } else { 5 };
        for (peer, slices) in [(Peer::Crosstie, slices), (Peer::Mlflow, 2), (Peer::FastTrackMl, 2)] {
            output::line(format!("   {} with a store that grows …", peer.name()));
            let name = format!("batches_{}_{}", on.to_lowercase(), peer.name());
            let database = match postgres {
                Some(server) => self.make_database(server, &name, None)?,
                None => Database::Sqlite,
            };
            let server = self.start(peer, &name, &database)?;
            let experiment = store::experiment(&server)?;
            let mut metrics = 0;
            for slice in 0..slices {
                let mut client = server.client()?;
                let runs = (0..CLIENTS)
                    .map(|number| store::run(&mut client, &experiment, slice * CLIENTS + number))
                    .collect::<anyhow::Result<Vec<_>>>()?;
                let requests = |client: usize| calls::log_batches(&runs[client]);
                let outcome = self.load("log-batch", &server, Acknowledge::AtOnce, CLIENTS, &requests)?;
                table.rows.push(vec![
                    peer.name().to_owned(),
                    number(metrics as f64),
                    number(outcome.per_second() * BATCH as f64),
                    number(outcome.percentile(0.5)),
                    number(outcome.percentile(0.95)),
                    number(outcome.cpu_per_call),
                ]);
                metrics += outcome.calls * BATCH;
            }
        }
        self.report.tables.push(table);
        Ok(())
    }
}
