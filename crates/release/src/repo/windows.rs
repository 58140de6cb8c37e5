//! What gateways counted: one row for each gateway, revision, second and arm, never changed.
//!
//! Rows are numbered in the order in which they were committed, which the lock sees to, so that the analysis can go on
//! after the last number it has read without missing a row. The row of the greatest number is never removed: numbers
//! would begin anew below where somebody has read to.

use database::{Row, Transaction, params};
use types::{ModelName, Timestamp};

use super::{from_json, malformed, to_json};
use crate::{Arm, ArmWindow, Error, ReleaseId};

/// Writes windows that are not there yet. Under [`WINDOW_LOCK`](super::WINDOW_LOCK).
pub(crate) async fn add(tx: &mut Transaction, gateway: &str, windows: &[ArmWindow]) -> Result<(), Error> {
    let row = tx.row("SELECT COALESCE(MAX(number), 0) + 1 AS next FROM crosstie_arm_window", params![]).await?;
    let mut number: i64 = row.map_or(Ok(1), |row| row.get("next"))?;
    for window in windows {
        let added = tx
            .execute(
                "INSERT INTO crosstie_arm_window (number, gateway, model, release_id, revision, second, arm, version, \
                 requests, entities, errors, slow, failed_requests, latency) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
                 ON CONFLICT (gateway, model, revision, second, arm) DO NOTHING",
                params![
                    number,
                    gateway,
                    &window.model,
                    window.release.0,
                    window.revision,
                    window.second,
                    window.arm.as_str(),
                    window.version,
                    count(window.requests),
                    count(window.entities),
                    count(window.errors),
                    count(window.slow),
                    count(window.failed_requests),
                    to_json(&window.latency)?,
                ],
            )
            .await?;
        number += i64::try_from(added).unwrap_or(0);
    }
    Ok(())
}

/// The windows of a release after `number`, in order and with their numbers, at most `most`.
pub(crate) async fn after(
    tx: &mut Transaction,
    release: ReleaseId,
    number: i64,
    most: u32,
) -> Result<Vec<(i64, ArmWindow)>, Error> {
    let sql = "SELECT number, model, release_id, revision, second, arm, version, requests, entities, errors, slow, \
               failed_requests, latency FROM crosstie_arm_window WHERE release_id = $1 AND number > $2 \
               ORDER BY number LIMIT $3";
    tx.rows(sql, params![release.0, number, most]).await?.iter().map(window_of).collect()
}

/// Removes windows of before `before` whose release is over.
pub(crate) async fn prune(tx: &mut Transaction, before: Timestamp) -> Result<(), Error> {
    let sql = "DELETE FROM crosstie_arm_window WHERE second < $1 \
               AND number < (SELECT MAX(number) FROM crosstie_arm_window) \
               AND release_id NOT IN (SELECT id FROM crosstie_release WHERE stage = 'rolling_out')";
    tx.execute(sql, params![second_of(before)]).await?;
    Ok(())
}

/// Removes windows of before `before` of a release that is on its way, up to the `number` that its analysis has taken.
pub(crate) async fn prune_taken(
    tx: &mut Transaction,
    release: ReleaseId,
    number: i64,
    before: Timestamp,
) -> Result<(), Error> {
    let sql = "DELETE FROM crosstie_arm_window WHERE release_id = $1 AND number <= $2 AND second < $3 \
               AND number < (SELECT MAX(number) FROM crosstie_arm_window)";
    tx.execute(sql, params![release.0, number, second_of(before)]).await?;
    Ok(())
}

fn second_of(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(1_000_000)
}

fn window_of(row: &Row) -> Result<(i64, ArmWindow), Error> {
    let count = |column| row.get::<i64>(column).map(i64::unsigned_abs);
    let window = ArmWindow {
        model: ModelName::parse(&row.get::<String>("model")?).map_err(malformed("a model name"))?,
        release: ReleaseId(row.get("release_id")?),
        revision: row.get("revision")?,
        second: row.get("second")?,
        arm: Arm::parse(&row.get::<String>("arm")?).map_err(malformed("an arm"))?,
        version: row.get("version")?,
        requests: count("requests")?,
        entities: count("entities")?,
        errors: count("errors")?,
        slow: count("slow")?,
        failed_requests: count("failed_requests")?,
        latency: from_json("a histogram", &row.get::<String>("latency")?)?,
    };
    Ok((row.get("number")?, window))
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
