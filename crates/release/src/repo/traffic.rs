//! The history of what served: one row for each decision, never changed but for when it was applied.

use database::{Row, Transaction, params};
use types::{ModelName, Timestamp};

use super::{from_json, to_json};
use crate::{Assignment, Error, ReleaseId};

/// What serves `model` now, by the last decision.
pub(crate) async fn latest(tx: &mut Transaction, model: &ModelName) -> Result<Option<Assignment>, Error> {
    let sql = "SELECT assignment FROM crosstie_traffic WHERE model = $1 ORDER BY revision DESC LIMIT 1";
    tx.row(sql, params![model]).await?.map(|row| assignment_of(&row)).transpose()
}

/// What serves every model now.
pub(crate) async fn current(tx: &mut Transaction) -> Result<Vec<Assignment>, Error> {
    let sql = "SELECT assignment FROM crosstie_traffic WHERE revision IN \
               (SELECT MAX(revision) FROM crosstie_traffic GROUP BY model) ORDER BY model";
    tx.rows(sql, params![]).await?.iter().map(assignment_of).collect()
}

/// The same, each with when it was decided.
pub(crate) async fn current_since(tx: &mut Transaction) -> Result<Vec<(Assignment, Timestamp)>, Error> {
    let sql = "SELECT assignment, decided_at FROM crosstie_traffic WHERE revision IN \
               (SELECT MAX(revision) FROM crosstie_traffic GROUP BY model) ORDER BY model";
    let rows = tx.rows(sql, params![]).await?;
    rows.iter().map(|row| Ok((assignment_of(row)?, row.get("decided_at")?))).collect()
}

/// The decision by which `version` last became stable, by a promotion or a rollback.
pub(crate) async fn when_stable(
    tx: &mut Transaction,
    model: &ModelName,
    version: u32,
) -> Result<Option<Assignment>, Error> {
    let sql = "SELECT assignment FROM crosstie_traffic WHERE model = $1 AND stable_version = $2 \
               ORDER BY revision DESC LIMIT 1";
    tx.row(sql, params![model, version]).await?.map(|row| assignment_of(&row)).transpose()
}

/// What served right after the release `id` made its version stable.
pub(crate) async fn promoted_by(
    tx: &mut Transaction,
    model: &ModelName,
    id: ReleaseId,
) -> Result<Option<Assignment>, Error> {
    let sql =
        "SELECT assignment FROM crosstie_traffic WHERE model = $1 AND release_id = $2 ORDER BY revision DESC LIMIT 1";
    let row = tx.row(sql, params![model, id.0]).await?;
    let last = row.map(|row| assignment_of(&row)).transpose()?;
    Ok(last.filter(|assignment| assignment.stable.as_ref().is_some_and(|stable| stable.release == id)))
}

/// What a release decided, oldest first.
pub(crate) async fn of_release(tx: &mut Transaction, id: ReleaseId) -> Result<Vec<Assignment>, Error> {
    let sql = "SELECT assignment FROM crosstie_traffic WHERE release_id = $1 ORDER BY revision";
    tx.rows(sql, params![id.0]).await?.iter().map(assignment_of).collect()
}

/// What serves each model, where not every live gateway is known to have followed.
pub(crate) async fn unsettled(tx: &mut Transaction) -> Result<Vec<Assignment>, Error> {
    let sql = "SELECT assignment FROM crosstie_traffic WHERE settled_at IS NULL AND revision IN \
               (SELECT MAX(revision) FROM crosstie_traffic GROUP BY model) ORDER BY revision";
    tx.rows(sql, params![]).await?.iter().map(assignment_of).collect()
}

/// Remembers that every live gateway follows what was decided about `model` up to `revision`.
pub(crate) async fn mark_settled(
    tx: &mut Transaction,
    model: &ModelName,
    revision: i64,
    now: Timestamp,
) -> Result<(), Error> {
    let sql = "UPDATE crosstie_traffic SET settled_at = $1 WHERE model = $2 AND revision <= $3 AND settled_at IS NULL";
    tx.execute(sql, params![now, model, revision]).await?;
    Ok(())
}

/// When every live gateway followed `revision`.
pub(crate) async fn settled_at(tx: &mut Transaction, revision: i64) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT settled_at FROM crosstie_traffic WHERE revision = $1";
    let row = tx.row(sql, params![revision]).await?;
    Ok(row.map(|row| row.get("settled_at")).transpose()?.flatten())
}

/// Writes a decision. Its revision is the next over all models, whatever it says.
pub(crate) async fn push(
    tx: &mut Transaction,
    mut assignment: Assignment,
    epoch: Option<i64>,
    now: Timestamp,
) -> Result<Assignment, Error> {
    let row = tx.row("SELECT COALESCE(MAX(revision), 0) + 1 AS next FROM crosstie_traffic", params![]).await?;
    assignment.revision = row.map_or(Ok(1), |row| row.get("next"))?;
    tx.execute(
        "INSERT INTO crosstie_traffic (revision, model, release_id, sequence, stable_version, assignment, epoch, decided_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            assignment.revision,
            &assignment.model,
            assignment.release.0,
            assignment.sequence,
            assignment.stable.as_ref().map(|stable| stable.version),
            to_json(&assignment)?,
            epoch,
            now,
        ],
    )
    .await?;
    Ok(assignment)
}

/// Decisions that the rest of the system has not been told, oldest first.
pub(crate) async fn unapplied(tx: &mut Transaction) -> Result<Vec<Assignment>, Error> {
    let sql = "SELECT assignment FROM crosstie_traffic WHERE applied_at IS NULL ORDER BY revision";
    tx.rows(sql, params![]).await?.iter().map(assignment_of).collect()
}

/// Remembers that the rest of the system has been told.
pub(crate) async fn mark_applied(tx: &mut Transaction, revision: i64, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE crosstie_traffic SET applied_at = $1 WHERE revision = $2 AND applied_at IS NULL";
    tx.execute(sql, params![now, revision]).await?;
    Ok(())
}

fn assignment_of(row: &Row) -> Result<Assignment, Error> {
    from_json("an assignment", &row.get::<String>("assignment")?)
}
