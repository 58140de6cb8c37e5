//! The tables of releases and of traffic, and nothing but SQL.

pub(crate) mod ddl;
pub(crate) mod gateways;
pub(crate) mod rollouts;
mod rows;
pub(crate) mod traffic;
pub(crate) mod windows;

use std::{collections::BTreeMap, error::Error as StdError};

use database::{Row, Transaction, params};
use serde::de::DeserializeOwned;
use types::ModelName;

use crate::{Approval, Error, Filter, GateReport, Release, ReleaseId, Stage, Waiver};
use rows::{gate_of, release_of, waiver_of};

/// What orders decisions on Postgres; on SQLite there is one writer anyway. One key for all models, because numbers and
/// revisions are counted over all of them.
pub(crate) const LOCK: &str = "crosstie_release";
/// What orders what gateways count, so that it is numbered in the order of commits.
pub(crate) const WINDOW_LOCK: &str = "crosstie_arm_window";

const COLUMNS: &str = "id, kind, model, version, stage, reason, paused, sequence, candidate, created_by, created_at, \
                       updated_at, previous_version, step_index, weight, step_entered_at, \
                       (SELECT progress FROM crosstie_rollout WHERE release_id = crosstie_release.id) AS progress";

/// The next release's number.
pub(crate) async fn next_id(tx: &mut Transaction) -> Result<ReleaseId, Error> {
    let row = tx.row("SELECT COALESCE(MAX(id), 0) + 1 AS next FROM crosstie_release", params![]).await?;
    Ok(ReleaseId(row.map_or(Ok(1), |row| row.get("next"))?))
}

/// Writes a new release with its gates.
pub(crate) async fn insert(tx: &mut Transaction, release: &Release) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO crosstie_release (id, kind, model, version, stage, reason, paused, sequence, candidate, created_by, \
         created_at, updated_at, previous_version, step_index, weight, step_entered_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        params![
            release.id.0,
            release.kind.as_str(),
            &release.version.model,
            release.version.version,
            release.stage.as_str(),
            release.reason.as_deref(),
            release.paused,
            release.sequence,
            to_json(&release.candidate())?,
            &release.created_by,
            release.created_at,
            release.updated_at,
            release.previous,
            release.step,
            release.weight.percent(),
            release.step_entered_at,
        ],
    )
    .await?;
    for gate in &release.gates {
        put_gate(tx, release.id, gate).await?;
    }
    Ok(())
}

/// Writes what a decision may change of the release itself, if it is still at `sequence`.
pub(crate) async fn update(tx: &mut Transaction, release: &Release, sequence: i64) -> Result<(), Error> {
    let changed = tx
        .execute(
            "UPDATE crosstie_release SET stage = $1, reason = $2, paused = $3, sequence = $4, updated_at = $5, \
             previous_version = $6, step_index = $7, weight = $8, step_entered_at = $9 WHERE id = $10 AND sequence = $11",
            params![
                release.stage.as_str(),
                release.reason.as_deref(),
                release.paused,
                release.sequence,
                release.updated_at,
                release.previous,
                release.step,
                release.weight.percent(),
                release.step_entered_at,
                release.id.0,
                sequence,
            ],
        )
        .await?;
    if changed == 1 { Ok(()) } else { Err(Error::Raced(release.id)) }
}

/// Writes where a gate stands.
pub(crate) async fn put_gate(tx: &mut Transaction, id: ReleaseId, gate: &GateReport) -> Result<(), Error> {
    let evidence = gate.evidence.as_ref().map(ToString::to_string);
    tx.execute(
        "INSERT INTO crosstie_release_gate (release_id, gate, verdict, attempts, not_before, summary, evidence, concluded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (release_id, gate) DO UPDATE SET \
         verdict = excluded.verdict, attempts = excluded.attempts, not_before = excluded.not_before, \
         summary = excluded.summary, evidence = excluded.evidence, concluded_at = excluded.concluded_at",
        params![
            id.0,
            gate.gate.as_str(),
            gate.verdict.as_str(),
            gate.attempts,
            gate.not_before,
            gate.summary.as_deref(),
            evidence,
            gate.concluded_at,
        ],
    )
    .await?;
    Ok(())
}

/// Writes a sign-off.
pub(crate) async fn add_approval(tx: &mut Transaction, id: ReleaseId, approval: &Approval) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO crosstie_release_approval (release_id, principal, remark, approved_at) VALUES ($1, $2, $3, $4)",
        params![id.0, &approval.principal, approval.comment.as_deref(), approval.at],
    )
    .await?;
    Ok(())
}

/// Writes a waiver. The newest of a gate is the one that counts.
pub(crate) async fn add_waiver(tx: &mut Transaction, id: ReleaseId, waiver: &Waiver) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO crosstie_release_waiver (release_id, number, gate, principal, reason, waived_until, waived_at) \
         SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5, $6 FROM crosstie_release_waiver WHERE release_id = $1",
        params![
            id.0,
            waiver.gate.as_str(),
            &waiver.principal,
            &waiver.reason,
            waiver.until,
            waiver.at,
        ],
    )
    .await?;
    Ok(())
}

/// The release of that number.
pub(crate) async fn load(tx: &mut Transaction, id: ReleaseId) -> Result<Release, Error> {
    let sql = format!("SELECT {COLUMNS} FROM crosstie_release WHERE id = $1");
    let rows = tx.rows(&sql, params![id.0]).await?;
    complete(tx, &rows, Detail::Whole).await?.pop().ok_or(Error::UnknownRelease(id))
}

/// Releases, newest first, without their gates' evidence.
pub(crate) async fn list(tx: &mut Transaction, filter: &Filter) -> Result<Vec<Release>, Error> {
    let over: Vec<_> = Stage::ALL.into_iter().filter(|stage| stage.is_over()).map(|s| format!("'{s}'")).collect();
    let open_only = if filter.open_only { format!("AND stage NOT IN ({})", over.join(", ")) } else { String::new() };
    let rows = match &filter.model {
        Some(model) => {
            let sql = format!(
                "SELECT {COLUMNS} FROM crosstie_release WHERE model = $1 {open_only} ORDER BY id DESC LIMIT $2"
            );
            tx.rows(&sql, params![model, filter.limit]).await?
        }
        None => {
            let sql =
                format!("SELECT {COLUMNS} FROM crosstie_release WHERE id > 0 {open_only} ORDER BY id DESC LIMIT $1");
            tx.rows(&sql, params![filter.limit]).await?
        }
    };
    complete(tx, &rows, Detail::WithoutEvidence).await
}

/// The last release of each model, without its gates' evidence.
pub(crate) async fn last_of_each_model(tx: &mut Transaction) -> Result<Vec<Release>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM crosstie_release WHERE id IN (SELECT MAX(id) FROM crosstie_release GROUP BY model) \
         ORDER BY id"
    );
    let rows = tx.rows(&sql, params![]).await?;
    complete(tx, &rows, Detail::WithoutEvidence).await
}

/// The open releases of a model, newest first.
pub(crate) async fn open_of(tx: &mut Transaction, model: &ModelName) -> Result<Vec<Release>, Error> {
    list(tx, &Filter { model: Some(model.clone()), open_only: true, limit: 100 }).await
}

/// How much of a release is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// All of it.
    Whole,
    /// All but what gates rest on, which may be long.
    WithoutEvidence,
}

/// The rows with what belongs to them, in the same order.
async fn complete(tx: &mut Transaction, rows: &[Row], detail: Detail) -> Result<Vec<Release>, Error> {
    let mut releases = rows.iter().map(release_of).collect::<Result<Vec<_>, _>>()?;
    let (Some(low), Some(high)) =
        (releases.iter().map(|release| release.id.0).min(), releases.iter().map(|release| release.id.0).max())
    else {
        return Ok(releases);
    };
    let places: BTreeMap<i64, usize> =
        releases.iter().enumerate().map(|(place, release)| (release.id.0, place)).collect();
    let between = "WHERE release_id >= $1 AND release_id <= $2";
    let evidence = match detail {
        Detail::Whole => "evidence",
        Detail::WithoutEvidence => "CAST(NULL AS TEXT)",
    };
    let sql = format!(
        "SELECT release_id, gate, verdict, attempts, not_before, summary, {evidence} AS evidence, concluded_at \
         FROM crosstie_release_gate {between}"
    );
    for row in tx.rows(&sql, params![low, high]).await? {
        if let Some(place) = places.get(&row.get::<i64>("release_id")?) {
            releases[*place].gates.push(gate_of(&row)?);
        }
    }
    let sql = format!(
        "SELECT release_id, principal, remark, approved_at FROM crosstie_release_approval {between} \
         ORDER BY approved_at, principal"
    );
    for row in tx.rows(&sql, params![low, high]).await? {
        if let Some(place) = places.get(&row.get::<i64>("release_id")?) {
            let approval =
                Approval { principal: row.get("principal")?, comment: row.get("remark")?, at: row.get("approved_at")? };
            releases[*place].approvals.push(approval);
        }
    }
    let sql = format!(
        "SELECT release_id, gate, principal, reason, waived_until, waived_at FROM crosstie_release_waiver {between} \
         ORDER BY release_id, number"
    );
    for row in tx.rows(&sql, params![low, high]).await? {
        if let Some(place) = places.get(&row.get::<i64>("release_id")?) {
            releases[*place].waivers.push(waiver_of(&row)?);
        }
    }
    for release in &mut releases {
        release.gates.sort_by_key(|report| report.gate);
    }
    Ok(releases)
}

pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(malformed("a value on its way in"))
}

pub(crate) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(malformed(what))
}

pub(crate) fn malformed<E: StdError + Send + Sync + 'static>(what: &'static str) -> impl Fn(E) -> Error {
    move |source| Error::Malformed { what, source: std::sync::Arc::new(source) }
}
