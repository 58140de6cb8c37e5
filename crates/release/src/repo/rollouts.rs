//! How far rollouts have come, and the course of their analysis.

use database::{Row, Transaction, params};
use types::{Percent, Timestamp};

use super::{from_json, malformed, to_json};
use crate::{Error, Point, ReleaseId, machine::Progress, tally::Tally};

/// Writes how far a rollout has come. What was counted of it stays.
pub(crate) async fn put_progress(
    tx: &mut Transaction,
    id: ReleaseId,
    progress: &Progress,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO crosstie_rollout (release_id, progress, state, updated_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (release_id) DO UPDATE SET progress = excluded.progress, updated_at = excluded.updated_at",
        params![id.0, to_json(progress)?, to_json(&Tally::default())?, now],
    )
    .await?;
    Ok(())
}

/// Writes what was counted of a rollout that has begun.
pub(crate) async fn put_tally(tx: &mut Transaction, id: ReleaseId, tally: &Tally) -> Result<(), Error> {
    let sql = "UPDATE crosstie_rollout SET state = $1 WHERE release_id = $2";
    tx.execute(sql, params![to_json(tally)?, id.0]).await?;
    Ok(())
}

/// What was counted of a rollout; nothing before it has begun.
pub(crate) async fn tally(tx: &mut Transaction, id: ReleaseId) -> Result<Tally, Error> {
    let row = tx.row("SELECT state FROM crosstie_rollout WHERE release_id = $1", params![id.0]).await?;
    row.map_or_else(|| Ok(Tally::default()), |row| from_json("what was counted", &row.get::<String>("state")?))
}

/// Writes a point, the `number`th of its rollout.
pub(crate) async fn add_point(tx: &mut Transaction, id: ReleaseId, number: u32, point: &Point) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO crosstie_rollout_point (release_id, number, at, step, weight, canary_requests, stable_requests, \
         e_errors, e_latency, threshold, excess_bound) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        params![
            id.0,
            number,
            point.at,
            point.step,
            point.weight.percent(),
            i64::try_from(point.canary_requests).unwrap_or(i64::MAX),
            i64::try_from(point.stable_requests).unwrap_or(i64::MAX),
            point.e_errors,
            point.e_latency,
            point.threshold,
            point.excess_bound,
        ],
    )
    .await?;
    Ok(())
}

/// The course of a rollout's analysis, oldest first.
pub(crate) async fn points(tx: &mut Transaction, id: ReleaseId) -> Result<Vec<Point>, Error> {
    let sql = "SELECT at, step, weight, canary_requests, stable_requests, e_errors, e_latency, threshold, excess_bound \
               FROM crosstie_rollout_point WHERE release_id = $1 ORDER BY number";
    tx.rows(sql, params![id.0]).await?.iter().map(point_of).collect()
}

fn point_of(row: &Row) -> Result<Point, Error> {
    Ok(Point {
        at: row.get("at")?,
        step: row.get("step")?,
        weight: Percent::new(row.get("weight")?).map_err(malformed("a weight"))?,
        canary_requests: row.get::<i64>("canary_requests")?.unsigned_abs(),
        stable_requests: row.get::<i64>("stable_requests")?.unsigned_abs(),
        e_errors: row.get("e_errors")?,
        e_latency: row.get("e_latency")?,
        threshold: row.get("threshold")?,
        excess_bound: row.get("excess_bound")?,
    })
}
