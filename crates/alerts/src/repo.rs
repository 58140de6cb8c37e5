//! The tables of alerts and of their messages, and nothing but SQL.

pub(crate) mod ddl;
pub(crate) mod outbox;

use std::collections::BTreeMap;

use database::{Row, Transaction, params};
use serde::de::DeserializeOwned;
use types::Timestamp;

use crate::{Alert, BoxError, Error, Filter, Status, severity};

/// What orders changes on Postgres; on SQLite there is one writer anyway.
pub(crate) const LOCK: &str = "crosstie_alert";

const COLUMNS: &str = "id, source, condition_key, name, severity, summary, model, labels, details, since, status, \
                       sequence, fired_at, resolved_at, missing_since";

/// Writes a new alert.
pub(crate) async fn insert(tx: &mut Transaction, alert: &Alert) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO crosstie_alert (id, source, condition_key, name, severity, summary, model, labels, details, since, \
         status, sequence, fired_at, resolved_at, missing_since) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        params![
            &alert.id,
            &alert.source,
            &alert.key,
            &alert.name,
            alert.severity.to_string(),
            &alert.summary,
            alert.model.as_ref(),
            labels(alert)?,
            alert.details.to_string(),
            alert.since,
            alert.status.as_str(),
            alert.sequence,
            alert.fired_at,
            alert.resolved_at,
            alert.missing_since,
        ],
    )
    .await?;
    Ok(())
}

/// Writes what may change of an alert that fires.
pub(crate) async fn update(tx: &mut Transaction, alert: &Alert) -> Result<(), Error> {
    tx.execute(
        "UPDATE crosstie_alert SET name = $1, severity = $2, summary = $3, model = $4, labels = $5, details = $6, \
         since = $7, status = $8, sequence = $9, resolved_at = $10, missing_since = $11 \
         WHERE id = $12 AND status = 'firing'",
        params![
            &alert.name,
            alert.severity.to_string(),
            &alert.summary,
            alert.model.as_ref(),
            labels(alert)?,
            alert.details.to_string(),
            alert.since,
            alert.status.as_str(),
            alert.sequence,
            alert.resolved_at,
            alert.missing_since,
            &alert.id,
        ],
    )
    .await?;
    Ok(())
}

/// All alerts that fire, without their messages.
pub(crate) async fn firing(tx: &mut Transaction) -> Result<Vec<Alert>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM crosstie_alert WHERE status = 'firing' ORDER BY fired_at, id");
    tx.rows(&sql, params![]).await?.iter().map(alert_of).collect()
}

/// Alerts with their messages, newest first.
pub(crate) async fn list(tx: &mut Transaction, filter: &Filter) -> Result<Vec<Alert>, Error> {
    let status = if filter.firing_only { "AND status = 'firing'" } else { "" };
    let order = "ORDER BY fired_at DESC, id DESC";
    let rows = match &filter.model {
        Some(model) => {
            let sql = format!("SELECT {COLUMNS} FROM crosstie_alert WHERE model = $1 {status} {order} LIMIT $2");
            tx.rows(&sql, params![model, filter.limit]).await?
        }
        None => {
            let sql = format!("SELECT {COLUMNS} FROM crosstie_alert WHERE sequence > 0 {status} {order} LIMIT $1");
            tx.rows(&sql, params![filter.limit]).await?
        }
    };
    let mut alerts = rows.iter().map(alert_of).collect::<Result<Vec<_>, _>>()?;
    for alert in &mut alerts {
        alert.deliveries = outbox::of_alert(tx, &alert.id).await?;
    }
    Ok(alerts)
}

/// Removes alerts that were resolved before `before` and have nothing left to tell.
pub(crate) async fn prune(tx: &mut Transaction, before: Timestamp) -> Result<(), Error> {
    let over = "SELECT id FROM crosstie_alert WHERE resolved_at < $1 AND id NOT IN \
                (SELECT alert_id FROM crosstie_alert_delivery WHERE next_attempt_at IS NOT NULL)";
    let sql = format!("DELETE FROM crosstie_alert_delivery WHERE alert_id IN ({over})");
    tx.execute(&sql, params![before]).await?;
    tx.execute(&format!("DELETE FROM crosstie_alert WHERE id IN ({over})"), params![before]).await?;
    Ok(())
}

/// Whether there is anything for [`prune`].
pub(crate) async fn is_prunable(tx: &mut Transaction, before: Timestamp) -> Result<bool, Error> {
    let row = tx.row("SELECT id FROM crosstie_alert WHERE resolved_at < $1 LIMIT 1", params![before]).await?;
    Ok(row.is_some())
}

fn alert_of(row: &Row) -> Result<Alert, Error> {
    Ok(Alert {
        id: row.get("id")?,
        source: row.get("source")?,
        key: row.get("condition_key")?,
        name: row.get("name")?,
        severity: word(row, "severity", severity::parse)?,
        summary: row.get("summary")?,
        model: row.get("model")?,
        labels: json::<BTreeMap<String, String>>(row, "labels")?,
        details: json(row, "details")?,
        since: row.get("since")?,
        status: word(row, "status", Status::parse)?,
        sequence: row.get("sequence")?,
        fired_at: row.get("fired_at")?,
        resolved_at: row.get("resolved_at")?,
        missing_since: row.get("missing_since")?,
        deliveries: Vec::new(),
    })
}

fn labels(alert: &Alert) -> Result<String, Error> {
    serde_json::to_string(&alert.labels).map_err(|source| malformed("alert", source))
}

fn json<T: DeserializeOwned>(row: &Row, column: &'static str) -> Result<T, Error> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|source| malformed(column, source))
}

fn word<T>(row: &Row, column: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Error> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| malformed(column, format!("`{text}` is not known")))
}

fn malformed(what: &'static str, source: impl Into<BoxError>) -> Error {
    Error::Malformed { what, source: source.into() }
}
