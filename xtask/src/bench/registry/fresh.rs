//! Writes on fresh stores, and the memory that they take.

use std::time::Duration;

use super::{Bench, LATENCIES, latencies};
use crate::bench::calls::{self, BATCH};
use crate::bench::client::Acknowledge;
use crate::bench::load::{CLIENTS, Outcome};
use crate::bench::peers::{Database, Peer};
use crate::bench::report::{Aim, Comparison, Table, number};
use crate::bench::store;
use crate::output;
use crate::time::pause;

/// How long a server is left alone before its idle memory is looked at.
const REST: Duration = Duration::from_secs(3);

/// What a server reached.
#[derive(Debug, Default)]
struct Reached {
    log_metric: Option<Outcome>,
    create_run: Option<Outcome>,
    log_batch: Option<Outcome>,
    idle: f64,
    peak: f64,
}

/// One of the outcomes.
type OutcomeOf = fn(&Reached) -> &Option<Outcome>;

impl Bench<'_> {
    /// On SQLite, or in databases of the Postgres at `postgres`.
    pub(super) fn fresh(&mut self, kind: &str, postgres: Option<&str>) -> anyhow::Result<()> {
        let mut table = Table::new(&format!("Writes on fresh stores ({kind})"), &LATENCIES);
        let mut all = Vec::new();
        for peer in Peer::ALL {
            let name = format!("{kind}_{}", peer.name());
            let database = match postgres {
                Some(server) => self.make_database(server, &name, None)?,
                None => Database::Sqlite,
            };
            output::line(format!("   {} …", peer.name()));
            let (lazily, at_once) = self.measure(peer, &name, &database, &mut table)?;
            all.push((peer, lazily, at_once));
        }
        self.report.tables.push(table);
        let [(_, ours, _), (_, mlflow, unstalled), (_, fasttrackml, _)] = all.as_slice() else { return Ok(()) };
        let aims = if postgres.is_some() {
            [None, None, None]
        } else {
            [Some((20.0, 2.0)), Some((20.0, 2.0)), Some((8.0, 5.0))]
        };
        let singles: [(&str, &str, OutcomeOf, f64); 3] = [
            ("log-metric", "calls/s", |reached| &reached.log_metric, 1.0),
            ("create-run", "calls/s", |reached| &reached.create_run, 1.0),
            ("log-batch, 1,000 per call", "metrics/s", |reached| &reached.log_batch, BATCH as f64),
        ];
        for ((measure, unit, pick, each), aim) in singles.into_iter().zip(aims) {
            let rate = |reached: &Reached| pick(reached).as_ref().map(|outcome| outcome.per_second() * each);
            let aims = aim.map_or_else(Vec::new, |(mlflow, fasttrackml)| {
                vec![Aim::TimesMlflow(mlflow), Aim::TimesFastTrackMl(fasttrackml)]
            });
            self.report.compare(Comparison {
                measure: format!("{measure}, {kind}"),
                unit,
                more: true,
                crosstie: rate(ours).unwrap_or(f64::NAN),
                mlflow: rate(mlflow),
                mlflow_unstalled: rate(unstalled),
                fasttrackml: rate(fasttrackml),
                aims,
            });
        }
        for (measure, pick, most) in [
            ("memory, idle", (|reached| reached.idle) as fn(&Reached) -> f64, 40.0),
            ("memory, at most under that load", |reached| reached.peak, 200.0),
        ] {
            self.report.compare(Comparison {
                measure: format!("{measure}, {kind}"),
                unit: "MiB",
                more: false,
                crosstie: pick(ours),
                mlflow: Some(pick(mlflow)),
                mlflow_unstalled: None,
                fasttrackml: Some(pick(fasttrackml)),
                aims: if postgres.is_some() { Vec::new() } else { vec![Aim::AtMost(most)] },
            });
        }
        Ok(())
    }

    /// A server with lazy clients, and MLflow also with others.
    fn measure(
        &mut self,
        peer: Peer,
        name: &str,
        database: &Database,
        table: &mut Table,
    ) -> anyhow::Result<(Reached, Reached)> {
        let server = self.start(peer, name, database)?;
        pause(REST);
        let (mut lazily, mut at_once) =
            (Reached { idle: server.tree().resident(), ..Reached::default() }, Reached::default());
        if peer == Peer::Crosstie && matches!(database, Database::Sqlite) {
            let ceiling = self.load("/health", &server, Acknowledge::Lazily, CLIENTS, &|_| calls::health())?;
            self.report.note(format!("the generator's ceiling: {} calls/s of /health", number(ceiling.per_second())));
        }
        let experiment = store::experiment(&server)?;
        let mut client = server.client()?;
        let runs = (0..CLIENTS * 2)
            .map(|number| store::run(&mut client, &experiment, number))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut manners = vec![(Acknowledge::Lazily, &mut lazily, peer.name().to_owned(), &runs[..CLIENTS])];
        if peer == Peer::Mlflow {
            manners.push((Acknowledge::AtOnce, &mut at_once, "mlflow, no stall".to_owned(), &runs[CLIENTS..]));
        }
        for (acknowledge, reached, who, runs) in manners {
            let mut run = |what: &str, requests: &dyn Fn(usize) -> crate::bench::load::Requests| {
                let outcome = self.load(&format!("{what}, {who}"), &server, acknowledge, CLIENTS, requests)?;
                table.rows.push(latencies(what, &who, &outcome));
                anyhow::Ok(Some(outcome))
            };
            reached.log_metric = run("log-metric", &|client| calls::log_metrics(&runs[client]))?;
            reached.create_run = run("create-run", &|client| calls::create_runs(&experiment, client))?;
            reached.log_batch = run("log-batch", &|client| calls::log_batches(&runs[client]))?;
        }
        lazily.peak = server.tree().peak();
        Ok((lazily, at_once))
    }
}
