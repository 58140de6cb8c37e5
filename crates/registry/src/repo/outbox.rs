//! `crosstie_webhook_delivery`: messages of webhooks that are still to be delivered, each written with the change that it
//! tells of. What is delivered or given up is removed.

use database::{Row, Transaction, params};
use types::Timestamp;

use crate::{error::Result, repo::webhooks};

/// The most messages of one webhook that one pass considers, oldest first.
const MOST_OPEN: u32 = 200;

/// A message that is to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Ids grow: messages leave in their order.
    pub(crate) id: String,
    /// Whose it is.
    pub(crate) webhook_id: String,
    /// What it is about, the model. Messages of one subject keep their order.
    pub(crate) subject: String,
    /// The event's name.
    pub(crate) event: String,
    /// What it says.
    pub(crate) body: String,
}

/// Where a message stands, without what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) id: String,
    pub(crate) subject: String,
    pub(crate) attempts: u32,
    pub(crate) created_at: Timestamp,
    pub(crate) next_attempt_at: Timestamp,
}

pub(crate) async fn add(tx: &mut Transaction, message: &Message, now: Timestamp) -> Result<()> {
    let insert = "INSERT INTO crosstie_webhook_delivery (id, webhook_id, subject, event, body, attempts, created_at,
            next_attempt_at)
        VALUES ($1, $2, $3, $4, $5, 0, $6, $6)";
    let Message { id, webhook_id, subject, event, body } = message;
    tx.execute(insert, params![id, webhook_id, subject, event, body, now]).await?;
    Ok(())
}

/// How many messages there are for each webhook that has any.
pub(crate) async fn receivers(tx: &mut Transaction) -> Result<Vec<(String, i64)>> {
    let select = "SELECT webhook_id, COUNT(*) AS open FROM crosstie_webhook_delivery GROUP BY webhook_id
        ORDER BY webhook_id";
    let rows = tx.rows(select, params![]).await?;
    rows.iter().map(|row| Ok((row.get("webhook_id")?, row.get("open")?))).collect()
}

/// A webhook's oldest messages.
pub(crate) async fn open(tx: &mut Transaction, webhook_id: &str) -> Result<Vec<Open>> {
    let select = "SELECT id, subject, attempts, created_at, next_attempt_at FROM crosstie_webhook_delivery
        WHERE webhook_id = $1 ORDER BY id LIMIT $2";
    let open = |row: &Row| {
        Ok(Open {
            id: row.get("id")?,
            subject: row.get("subject")?,
            attempts: row.get("attempts")?,
            created_at: row.get("created_at")?,
            next_attempt_at: row.get("next_attempt_at")?,
        })
    };
    tx.rows(select, params![webhook_id, MOST_OPEN]).await?.iter().map(open).collect()
}

/// What a message says, and where to; `None` if it is not to leave any more. No target if its webhook is deleted.
pub(crate) async fn content(tx: &mut Transaction, id: &str) -> Result<Option<(Message, Option<webhooks::Target>)>> {
    let select = "SELECT webhook_id, subject, event, body FROM crosstie_webhook_delivery WHERE id = $1";
    let Some(row) = tx.row(select, params![id]).await? else { return Ok(None) };
    let message = Message {
        id: id.to_owned(),
        webhook_id: row.get("webhook_id")?,
        subject: row.get("subject")?,
        event: row.get("event")?,
        body: row.get("body")?,
    };
    let target = webhooks::target(tx, &message.webhook_id).await?;
    Ok(Some((message, target)))
}

/// Has a message tried again later, after so many attempts.
pub(crate) async fn postpone(tx: &mut Transaction, id: &str, attempts: u32, next: Timestamp) -> Result<()> {
    let update = "UPDATE crosstie_webhook_delivery SET attempts = $2, next_attempt_at = $3 WHERE id = $1";
    tx.execute(update, params![id, attempts, next]).await?;
    Ok(())
}

/// Removes a message that has arrived or is given up.
pub(crate) async fn remove(tx: &mut Transaction, id: &str) -> Result<()> {
    tx.execute("DELETE FROM crosstie_webhook_delivery WHERE id = $1", params![id]).await?;
    Ok(())
}
