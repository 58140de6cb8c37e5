//! `metrics` of several runs at once, for charts.

use database::{Row, Transaction};

use crate::{
    Metric,
    error::Result,
    repo::{metrics::decode, sql::Sql},
};

/// Points that one answer carries, of one run where it is thinned; MLflow's number.
pub(crate) const MOST_POINTS: i64 = 25_000;
/// Steps that one SELECT asks for.
const STEPS_PER_SELECT: usize = 500;

/// A point with the run that logged it.
fn decode_of_run(row: &Row) -> Result<Metric> {
    Ok(Metric { run_id: Some(row.get("run_uuid")?), ..decode(row)? })
}

async fn points(tx: &mut Transaction, sql: Sql) -> Result<Vec<Metric>> {
    let (text, values) = sql.into_parts();
    tx.rows(&text, values).await?.iter().map(decode_of_run).collect()
}

/// `columns` of the points of `key` in `runs`.
fn select(columns: &str, runs: &[String], key: &str) -> Sql {
    let mut sql = Sql::select(columns, "metrics");
    sql.push(" WHERE run_uuid IN ").bind_list(runs).push(" AND key = ").bind(key);
    sql
}

const COLUMNS: &str = "run_uuid, key, value, timestamp, step, is_nan";

/// The first points of `key` by run, in order of time.
pub(crate) async fn of_runs(tx: &mut Transaction, runs: &[String], key: &str, limit: i64) -> Result<Vec<Metric>> {
    let mut sql = select(COLUMNS, runs, key);
    sql.push(" ORDER BY run_uuid, timestamp, step, value LIMIT ").bind(limit);
    points(tx, sql).await
}

/// Every step at which one of `runs` logged `key`, in ascending order.
pub(crate) async fn steps(tx: &mut Transaction, runs: &[String], key: &str) -> Result<Vec<i64>> {
    let mut sql = select("DISTINCT step", runs, key);
    sql.push(" ORDER BY step");
    let (text, values) = sql.into_parts();
    tx.rows(&text, values).await?.iter().map(|row| Ok(row.get("step")?)).collect()
}

/// The first and the last step of each run.
pub(crate) async fn ends(tx: &mut Transaction, runs: &[String], key: &str) -> Result<Vec<i64>> {
    let mut sql = select("MIN(step) AS first, MAX(step) AS last", runs, key);
    sql.push(" GROUP BY run_uuid");
    let (text, values) = sql.into_parts();
    let mut ends = Vec::new();
    for row in tx.rows(&text, values).await? {
        ends.push(row.get("first")?);
        ends.push(row.get("last")?);
    }
    Ok(ends)
}

/// The points of a run at `steps`, which ascend, in order of step.
pub(crate) async fn at_steps(tx: &mut Transaction, run: &str, key: &str, steps: &[i64]) -> Result<Vec<Metric>> {
    let mut found = Vec::new();
    for steps in steps.chunks(STEPS_PER_SELECT) {
        let room = MOST_POINTS.saturating_sub(i64::try_from(found.len()).unwrap_or(MOST_POINTS));
        let mut sql = Sql::select(COLUMNS, "metrics");
        sql.push(" WHERE run_uuid = ").bind(run).push(" AND key = ").bind(key);
        sql.push(" AND step IN ").bind_list(steps.iter().copied());
        sql.push(" ORDER BY step, timestamp, value LIMIT ").bind(room);
        found.extend(points(tx, sql).await?);
    }
    Ok(found)
}
