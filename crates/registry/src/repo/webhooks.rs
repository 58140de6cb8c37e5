//! `webhooks` and `webhook_events`. Deleted ones stay, with the time of their deletion, and are seen by nobody.

use std::collections::HashMap;

use database::{Row, Transaction, params};

use crate::{
    error::{Error, Result},
    repo::select_in,
    webhooks::{Event, Status, Webhook},
};

const COLUMNS: &str = "webhook_id, name, description, url, status, creation_timestamp, last_updated_timestamp";
const LIVE: &str = "workspace = 'default' AND deleted_timestamp IS NULL";

/// Where a webhook's messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) url: String,
    /// The encrypted secret.
    pub(crate) secret: Option<String>,
    pub(crate) status: Status,
}

pub(crate) async fn insert(tx: &mut Transaction, webhook: &Webhook, secret: Option<&str>) -> Result<()> {
    let insert = "INSERT INTO webhooks (webhook_id, name, description, url, status, secret, creation_timestamp,
            last_updated_timestamp, workspace)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'default')";
    let Webhook { id, name, description, url, status, created, updated, events } = webhook;
    let values = params![id, name, description.as_ref(), url, status.as_str(), secret, *created, *updated];
    tx.execute(insert, values).await?;
    insert_events(tx, id, events).await
}

async fn insert_events(tx: &mut Transaction, id: &str, events: &[Event]) -> Result<()> {
    let row = |event: &Event| params![id, event.entity().as_str(), event.action().as_str()];
    let head = "INSERT INTO webhook_events (webhook_id, entity, action) VALUES";
    Ok(tx.insert(head, "ON CONFLICT DO NOTHING", events.iter().map(row)).await?)
}

/// Writes everything of a webhook but its secret, which is written only if there is one.
pub(crate) async fn update(tx: &mut Transaction, webhook: &Webhook, secret: Option<&str>) -> Result<()> {
    let update = "UPDATE webhooks SET name = $2, description = $3, url = $4, status = $5, last_updated_timestamp = $6,
            secret = COALESCE($7, secret)
        WHERE webhook_id = $1";
    let Webhook { id, name, description, url, status, updated, events, .. } = webhook;
    tx.execute(update, params![id, name, description.as_ref(), url, status.as_str(), *updated, secret]).await?;
    tx.execute("DELETE FROM webhook_events WHERE webhook_id = $1", params![id]).await?;
    insert_events(tx, id, events).await
}

pub(crate) async fn mark_deleted(tx: &mut Transaction, id: &str, now: i64) -> Result<()> {
    let update = "UPDATE webhooks SET deleted_timestamp = $2, last_updated_timestamp = $2 WHERE webhook_id = $1";
    tx.execute(update, params![id, now]).await?;
    Ok(())
}

/// The webhook of that id.
pub(crate) async fn required(tx: &mut Transaction, id: &str) -> Result<Webhook> {
    let select = format!("SELECT {COLUMNS} FROM webhooks WHERE {LIVE} AND webhook_id = $1");
    let missing = || Error::NotFound(format!("Webhook with ID {id} not found."));
    let row = tx.row(&select, params![id]).await?.ok_or_else(missing)?;
    let mut webhooks = [decode(&row)?];
    add_events(tx, &mut webhooks).await?;
    let [webhook] = webhooks;
    Ok(webhook)
}

/// Up to `limit` webhooks from `offset` on, newest first.
pub(crate) async fn page(tx: &mut Transaction, limit: i64, offset: i64) -> Result<Vec<Webhook>> {
    let select = format!(
        "SELECT {COLUMNS} FROM webhooks WHERE {LIVE} ORDER BY creation_timestamp DESC, webhook_id LIMIT $1 OFFSET $2"
    );
    let rows = tx.rows(&select, params![limit, offset]).await?;
    let mut webhooks = rows.iter().map(decode).collect::<Result<Vec<_>>>()?;
    add_events(tx, &mut webhooks).await?;
    Ok(webhooks)
}

/// The ids of the active webhooks that are subscribed to an event.
pub(crate) async fn subscribed(tx: &mut Transaction, event: Event) -> Result<Vec<String>> {
    let select = format!(
        "SELECT webhook_id FROM webhooks WHERE {LIVE} AND status = 'ACTIVE' AND webhook_id IN
            (SELECT webhook_id FROM webhook_events WHERE entity = $1 AND action = $2)
        ORDER BY webhook_id"
    );
    let rows = tx.rows(&select, params![event.entity().as_str(), event.action().as_str()]).await?;
    rows.iter().map(|row| Ok(row.get("webhook_id")?)).collect()
}

/// Where the webhook's messages go; `None` if it is deleted.
pub(crate) async fn target(tx: &mut Transaction, id: &str) -> Result<Option<Target>> {
    let select = format!("SELECT url, secret, status FROM webhooks WHERE {LIVE} AND webhook_id = $1");
    let row = tx.row(&select, params![id]).await?;
    let target = |row: &Row| Ok(Target { url: row.get("url")?, secret: row.get("secret")?, status: status(row)? });
    row.as_ref().map(target).transpose()
}

/// The names and encrypted secrets of webhooks that have one.
pub(crate) async fn secrets(tx: &mut Transaction) -> Result<Vec<(String, String)>> {
    let select = format!("SELECT name, secret FROM webhooks WHERE {LIVE} AND secret IS NOT NULL ORDER BY name");
    let rows = tx.rows(&select, params![]).await?;
    rows.iter().map(|row| Ok((row.get("name")?, row.get("secret")?))).collect()
}

async fn add_events(tx: &mut Transaction, webhooks: &mut [Webhook]) -> Result<()> {
    let ids: Vec<String> = webhooks.iter().map(|webhook| webhook.id.clone()).collect();
    let select = "SELECT webhook_id, entity, action FROM webhook_events WHERE webhook_id";
    let mut found: HashMap<String, Vec<Event>> = HashMap::new();
    for row in select_in(tx, select, &ids, "ORDER BY entity, action").await? {
        let (entity, action): (String, String) = (row.get("entity")?, row.get("action")?);
        // A newer MLflow may know more; what it is about is nothing that happens here.
        let Some(event) = entity.parse().ok().zip(action.parse().ok()) else { continue };
        let Ok(event) = Event::new(event.0, event.1) else { continue };
        found.entry(row.get("webhook_id")?).or_default().push(event);
    }
    for webhook in webhooks {
        webhook.events = found.remove(&webhook.id).unwrap_or_default();
    }
    Ok(())
}

fn decode(row: &Row) -> Result<Webhook> {
    Ok(Webhook {
        id: row.get("webhook_id")?,
        name: row.get("name")?,
        description: row.get("description")?,
        url: row.get("url")?,
        status: status(row)?,
        created: row.get("creation_timestamp")?,
        updated: row.get("last_updated_timestamp")?,
        events: Vec::new(),
    })
}

fn status(row: &Row) -> Result<Status> {
    let status: String = row.get("status")?;
    Status::parse(&status).ok_or(Error::Corrupt { what: "a webhook's status", value: status })
}
