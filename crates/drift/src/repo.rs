//! The tables of drift and KPIs, and nothing but SQL.

pub(crate) mod ddl;

use std::sync::Arc;

use database::{Row, Transaction, params};
use serde::{Serialize, de::DeserializeOwned};
use types::{ModelName, ModelVersion, Timestamp};

use crate::{Error, Finding, KpiRow, WindowSummary, reference::Reference};

/// The closed windows that are kept of a version.
const WINDOWS_KEPT: i64 = 48;

/// The frozen reference of a version.
pub(crate) async fn reference(tx: &mut Transaction, version: &ModelVersion) -> Result<Option<Reference>, Error> {
    let sql = "SELECT frozen FROM crosstie_drift_reference WHERE model = $1 AND version = $2";
    let row = tx.row(sql, params![&version.model, version.version]).await?;
    row.map(|row| from_json("a frozen reference", &row.get::<String>("frozen")?)).transpose()
}

/// Writes a version's reference, unless it has one: what was frozen first stands.
pub(crate) async fn put_reference(
    tx: &mut Transaction,
    version: &ModelVersion,
    reference: &Reference,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO crosstie_drift_reference (model, version, frozen_at, frozen) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (model, version) DO NOTHING",
        params![&version.model, version.version, reference.frozen_at, to_json(reference)?],
    )
    .await?;
    Ok(())
}

/// Writes a window, open or closed, in place of what was known of it.
pub(crate) async fn put_window(
    tx: &mut Transaction,
    version: &ModelVersion,
    window: &WindowSummary,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO crosstie_drift_window (model, version, opened_at, closed_at, row_count, is_open, comparisons) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (model, version, opened_at) DO UPDATE SET \
         closed_at = excluded.closed_at, row_count = excluded.row_count, is_open = excluded.is_open, \
         comparisons = excluded.comparisons",
        params![
            &version.model,
            version.version,
            window.since,
            window.until,
            i64::try_from(window.rows).unwrap_or(i64::MAX),
            window.is_open,
            to_json(&window.comparisons)?,
        ],
    )
    .await?;
    Ok(())
}

/// Drops windows beyond those that are kept, and open ones that no longer are.
pub(crate) async fn prune_windows(tx: &mut Transaction, version: &ModelVersion, open: Timestamp) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM crosstie_drift_window WHERE model = $1 AND version = $2 AND ((is_open AND opened_at <> $3) OR \
         opened_at < COALESCE((SELECT MIN(opened_at) FROM (SELECT opened_at FROM crosstie_drift_window \
         WHERE model = $1 AND version = $2 ORDER BY opened_at DESC LIMIT $4) AS kept), 0))",
        params![&version.model, version.version, open, WINDOWS_KEPT],
    )
    .await?;
    Ok(())
}

/// The last windows of a model, newest first.
pub(crate) async fn windows(
    tx: &mut Transaction,
    model: &ModelName,
    limit: i64,
) -> Result<Vec<(ModelVersion, WindowSummary)>, Error> {
    let sql = "SELECT version, opened_at, closed_at, row_count, is_open, comparisons FROM crosstie_drift_window \
               WHERE model = $1 ORDER BY closed_at DESC, version DESC, opened_at DESC LIMIT $2";
    let rows = tx.rows(sql, params![model, limit]).await?;
    let of = |row: &Row| Ok((ModelVersion::new(model.clone(), row.get("version")?), window_of(row)?));
    rows.iter().map(of).collect()
}

/// Where a version's open window begins: where it was left, or where the last one ended.
pub(crate) async fn opens_at(tx: &mut Transaction, version: &ModelVersion) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT CASE WHEN is_open THEN opened_at ELSE closed_at END AS opens_at FROM crosstie_drift_window \
               WHERE model = $1 AND version = $2 ORDER BY opened_at DESC LIMIT 1";
    let row = tx.row(sql, params![&version.model, version.version]).await?;
    Ok(row.map(|row| row.get("opens_at")).transpose()?)
}

/// When the last closed window of a version began.
pub(crate) async fn last_closed(tx: &mut Transaction, version: &ModelVersion) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT opened_at FROM crosstie_drift_window WHERE model = $1 AND version = $2 AND NOT is_open \
               ORDER BY opened_at DESC LIMIT 1";
    let row = tx.row(sql, params![&version.model, version.version]).await?;
    Ok(row.map(|row| row.get("opened_at")).transpose()?)
}

/// Writes what was found. A trouble that is known keeps the time at which it was first seen.
pub(crate) async fn put_finding(tx: &mut Transaction, finding: &Finding) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO crosstie_drift_finding (model, version, finding_key, first_seen_at, seen_at, finding) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (model, version, finding_key) DO UPDATE SET \
         seen_at = excluded.seen_at, finding = excluded.finding",
        params![
            &finding.version.model,
            finding.version.version,
            &finding.key,
            finding.since,
            finding.seen_at,
            to_json(finding)?,
        ],
    )
    .await?;
    Ok(())
}

/// A finding that is over.
pub(crate) async fn end_finding(tx: &mut Transaction, version: &ModelVersion, key: &str) -> Result<(), Error> {
    let sql = "DELETE FROM crosstie_drift_finding WHERE model = $1 AND version = $2 AND finding_key = $3";
    tx.execute(sql, params![&version.model, version.version, key]).await?;
    Ok(())
}

/// Every finding of every version.
pub(crate) async fn findings(tx: &mut Transaction) -> Result<Vec<Finding>, Error> {
    let sql = "SELECT first_seen_at, finding FROM crosstie_drift_finding ORDER BY model, version, finding_key";
    tx.rows(sql, params![])
        .await?
        .iter()
        .map(|row| {
            let finding: Finding = from_json("a finding", &row.get::<String>("finding")?)?;
            Ok(Finding { since: row.get("first_seen_at")?, ..finding })
        })
        .collect()
}

/// Writes a model's KPIs.
pub(crate) async fn put_kpis(
    tx: &mut Transaction,
    model: &ModelName,
    kpis: &[KpiRow],
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO crosstie_kpi (model, counted_at, kpis) VALUES ($1, $2, $3) \
         ON CONFLICT (model) DO UPDATE SET counted_at = excluded.counted_at, kpis = excluded.kpis",
        params![model, now, to_json(&kpis)?],
    )
    .await?;
    Ok(())
}

/// A model's KPIs.
pub(crate) async fn kpis(tx: &mut Transaction, model: &ModelName) -> Result<Vec<KpiRow>, Error> {
    let row = tx.row("SELECT kpis FROM crosstie_kpi WHERE model = $1", params![model]).await?;
    row.map_or(Ok(Vec::new()), |row| from_json("KPIs", &row.get::<String>("kpis")?))
}

fn window_of(row: &Row) -> Result<WindowSummary, Error> {
    Ok(WindowSummary {
        since: row.get("opened_at")?,
        until: row.get("closed_at")?,
        rows: row.get("row_count")?,
        is_open: row.get("is_open")?,
        comparisons: from_json("the comparisons of a window", &row.get::<String>("comparisons")?)?,
    })
}

fn to_json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(malformed("a value on its way in"))
}

fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(malformed(what))
}

fn malformed(what: &'static str) -> impl Fn(serde_json::Error) -> Error {
    move |source| Error::Malformed { what, source: Arc::new(source) }
}
