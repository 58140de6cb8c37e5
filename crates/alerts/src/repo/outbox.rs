//! The messages that are to leave, each written with the change that it tells of.

use std::collections::HashSet;

use database::{Row, Transaction, params};
use serde_json::Value as Json;
use types::Timestamp;

use super::{json, word};
use crate::{Alert, Delivery, Error, Status, WebhookUrl};

/// The most open messages that one look considers, oldest first.
const MOST_OPEN: u32 = 10_000;

/// A message that no receiver has accepted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Open {
    /// Orders messages.
    pub(crate) number: i64,
    /// Whom it goes to, as stored.
    pub(crate) route: String,
    /// What it is about: the source and the condition's key. Messages of one subject to one receiver keep their order.
    pub(crate) subject: (String, String),
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// When it was written.
    pub(crate) created_at: Timestamp,
    /// When it is to be tried.
    pub(crate) next_attempt_at: Timestamp,
}

/// A message's content.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Content {
    pub(crate) alert: String,
    pub(crate) sequence: i64,
    pub(crate) payload: Json,
}

/// Which messages have been written for alerts that fire: alert, sequence, route.
pub(crate) async fn written(tx: &mut Transaction) -> Result<HashSet<(String, i64, String)>, Error> {
    let sql = "SELECT delivery.alert_id, delivery.sequence, delivery.route FROM crosstie_alert_delivery delivery \
               JOIN crosstie_alert alert ON alert.id = delivery.alert_id WHERE alert.status = 'firing'";
    let key = |row: &Row| Ok((row.get("alert_id")?, row.get("sequence")?, row.get("route")?));
    tx.rows(sql, params![]).await?.iter().map(key).collect()
}

/// Writes a message to `receiver` about `alert` as it is now. Written before, it stays as it was.
pub(crate) async fn add(
    tx: &mut Transaction,
    alert: &Alert,
    receiver: &WebhookUrl,
    payload: &Json,
    now: Timestamp,
) -> Result<(), Error> {
    put(tx, alert, &receiver.id(), &receiver.to_string(), payload, now).await
}

/// Writes the message that `alert` is resolved, to everyone who was told or is to be told that it fires.
pub(crate) async fn add_resolved(
    tx: &mut Transaction,
    alert: &Alert,
    payload: &Json,
    now: Timestamp,
) -> Result<(), Error> {
    let sql = "SELECT route, MAX(receiver) AS receiver FROM crosstie_alert_delivery \
               WHERE alert_id = $1 AND abandoned_at IS NULL GROUP BY route ORDER BY MIN(number)";
    for row in tx.rows(sql, params![&alert.id]).await? {
        let (route, receiver): (String, String) = (row.get("route")?, row.get("receiver")?);
        put(tx, alert, &route, &receiver, payload, now).await?;
    }
    Ok(())
}

async fn put(
    tx: &mut Transaction,
    alert: &Alert,
    route: &str,
    receiver: &str,
    payload: &Json,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO crosstie_alert_delivery (number, alert_id, sequence, route, receiver, status, payload, attempts, \
         created_at, next_attempt_at) \
         SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5, $6, 0, $7, $7 FROM crosstie_alert_delivery \
         WHERE true ON CONFLICT (alert_id, sequence, route) DO NOTHING",
        params![&alert.id, alert.sequence, route, receiver, alert.status.as_str(), payload.to_string(), now],
    )
    .await?;
    Ok(())
}

/// Messages that are to leave, oldest first.
pub(crate) async fn open(tx: &mut Transaction) -> Result<Vec<Open>, Error> {
    let sql = "SELECT delivery.number, delivery.route, alert.source, alert.condition_key, delivery.attempts, \
               delivery.created_at, delivery.next_attempt_at FROM crosstie_alert_delivery delivery \
               JOIN crosstie_alert alert ON alert.id = delivery.alert_id \
               WHERE delivery.next_attempt_at IS NOT NULL ORDER BY delivery.number LIMIT $1";
    let open = |row: &Row| {
        Ok(Open {
            number: row.get("number")?,
            route: row.get("route")?,
            subject: (row.get("source")?, row.get("condition_key")?),
            attempts: row.get("attempts")?,
            created_at: row.get("created_at")?,
            next_attempt_at: row.get("next_attempt_at")?,
        })
    };
    tx.rows(sql, params![MOST_OPEN]).await?.iter().map(open).collect()
}

/// What an open message says; `None` if it is not open any more.
pub(crate) async fn content(tx: &mut Transaction, number: i64) -> Result<Option<Content>, Error> {
    let sql = "SELECT alert_id, sequence, payload FROM crosstie_alert_delivery \
               WHERE number = $1 AND next_attempt_at IS NOT NULL";
    let row = tx.row(sql, params![number]).await?;
    let content = |row: &Row| {
        let (alert, sequence) = (row.get("alert_id")?, row.get("sequence")?);
        Ok(Content { alert, sequence, payload: json(row, "payload")? })
    };
    row.as_ref().map(content).transpose()
}

/// Records that the receiver accepted a message.
pub(crate) async fn delivered(tx: &mut Transaction, number: i64, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "UPDATE crosstie_alert_delivery SET attempts = attempts + 1, delivered_at = $1, next_attempt_at = NULL, \
         error = NULL WHERE number = $2 AND next_attempt_at IS NOT NULL",
        params![now, number],
    )
    .await?;
    Ok(())
}

/// Records that it did not, and when to try again.
pub(crate) async fn failed(tx: &mut Transaction, number: i64, next: Timestamp, error: &str) -> Result<(), Error> {
    tx.execute(
        "UPDATE crosstie_alert_delivery SET attempts = attempts + 1, next_attempt_at = $1, error = $2 \
         WHERE number = $3 AND next_attempt_at IS NOT NULL",
        params![next, error, number],
    )
    .await?;
    Ok(())
}

/// Records that a message is given up.
pub(crate) async fn abandoned(tx: &mut Transaction, number: i64, now: Timestamp, error: &str) -> Result<(), Error> {
    tx.execute(
        "UPDATE crosstie_alert_delivery SET abandoned_at = $1, next_attempt_at = NULL, error = $2 \
         WHERE number = $3 AND next_attempt_at IS NOT NULL",
        params![now, error, number],
    )
    .await?;
    Ok(())
}

/// An alert's messages, oldest first.
pub(crate) async fn of_alert(tx: &mut Transaction, alert: &str) -> Result<Vec<Delivery>, Error> {
    let sql = "SELECT sequence, status, receiver, attempts, next_attempt_at, delivered_at, abandoned_at, error \
               FROM crosstie_alert_delivery WHERE alert_id = $1 ORDER BY number";
    let delivery = |row: &Row| {
        Ok(Delivery {
            sequence: row.get("sequence")?,
            status: word(row, "status", Status::parse)?,
            receiver: row.get("receiver")?,
            attempts: row.get("attempts")?,
            next_attempt_at: row.get("next_attempt_at")?,
            delivered_at: row.get("delivered_at")?,
            abandoned_at: row.get("abandoned_at")?,
            error: row.get("error")?,
        })
    };
    tx.rows(sql, params![alert]).await?.iter().map(delivery).collect()
}
