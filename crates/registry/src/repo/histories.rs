//! `metrics` of several runs at once, for charts.

use database::{Row, Transaction};

use crate::{
    Metric,
    error::Result,
    repo::{metrics::decode, sql::Sql},
};

/// Points that one answer carries; MLflow's number.
pub(crate) const MOST_POINTS: i64 = 25_000;

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

/// At most `most` points of `key` in a run, in order of step: of as many parts of the same size the first, and the last of
/// all, as MLflow takes them.
pub(crate) async fn sampled(
    tx: &mut Transaction,
    run: &str,
    key: &str,
    steps: Option<(i64, i64)>,
    most: i64,
) -> Result<Vec<Metric>> {
    const ORDER: &str = "OVER (ORDER BY step, timestamp, value, is_nan)";
    let mut sql = Sql::new(&format!("SELECT {COLUMNS} FROM (SELECT {COLUMNS}, place, total, "));
    sql.push("ROW_NUMBER() OVER (PARTITION BY part ORDER BY place) AS place_in_part FROM (");
    sql.push(&format!("SELECT {COLUMNS}, ROW_NUMBER() {ORDER} AS place, COUNT(*) OVER () AS total, NTILE("));
    sql.push(&most.max(1).to_string()).push(&format!(") {ORDER} AS part FROM metrics WHERE run_uuid = "));
    sql.bind(run).push(" AND key = ").bind(key);
    if let Some((first, last)) = steps {
        sql.push(" AND step >= ").bind(first).push(" AND step <= ").bind(last);
    }
    sql.push(") parts) places WHERE place_in_part = 1 OR place = total ORDER BY place");
    let mut found = points(tx, sql).await?;
    // The last point takes the place of the last part's first.
    if i64::try_from(found.len()).is_ok_and(|found| found > most) {
        found.remove(found.len() - 2);
    }
    Ok(found)
}
