//! The registry's SQL, by concept; statements that a search puts together are in the searches.

pub(crate) mod artifact_records;
pub(crate) mod authors;
pub(crate) mod brought;
pub(crate) mod experiments;
pub(crate) mod gc;
pub(crate) mod histories;
pub(crate) mod inputs;
pub(crate) mod lineage;
pub(crate) mod logged_models;
pub(crate) mod metrics;
pub(crate) mod models;
pub(crate) mod outbox;
pub(crate) mod references;
pub(crate) mod runs;
pub(crate) mod sql;
pub(crate) mod unread;
pub(crate) mod versions;
pub(crate) mod webhooks;

use std::collections::HashMap;

use database::{Parameter, Transaction};

use crate::{KeyValue, error::Result};
use sql::Sql;

/// Keys that one SELECT asks for, and what shorter lists are filled up to with their last key, so that statements of only
/// a few lengths are prepared.
const KEYS_PER_SELECT: [usize; 5] = [1, 10, 50, 100, 500];

/// `select` with `IN (ids)` and `tail` appended, for all `ids`, as many per statement as fit.
pub(crate) async fn select_in<P>(
    tx: &mut Transaction,
    select: &str,
    ids: &[P],
    tail: &str,
) -> Result<Vec<database::Row>>
where
    for<'a> &'a P: Into<Parameter>,
{
    let mut rows = Vec::new();
    let [.., most] = KEYS_PER_SELECT;
    for ids in ids.chunks(most) {
        let length = KEYS_PER_SELECT.into_iter().find(|length| *length >= ids.len()).unwrap_or(most);
        let padding = ids.last().into_iter().cycle().take(length - ids.len());
        let mut sql = Sql::new(select);
        sql.push(" IN ").bind_list(ids.iter().chain(padding)).push(" ").push(tail);
        let (text, params) = sql.into_parts();
        rows.extend(tx.rows(&text, params).await?);
    }
    Ok(rows)
}

/// Key-value rows (`owner`, `key`, `value`) by owner, in order of key.
pub(crate) async fn key_values(
    tx: &mut Transaction,
    select: &str,
    owners: &[String],
) -> Result<HashMap<String, Vec<KeyValue>>> {
    let mut found: HashMap<String, Vec<KeyValue>> = HashMap::new();
    for row in select_in(tx, select, owners, "ORDER BY key").await? {
        let value: Option<String> = row.get("value")?;
        let tag = KeyValue { key: row.get("key")?, value: value.unwrap_or_default() };
        found.entry(row.get("owner")?).or_default().push(tag);
    }
    Ok(found)
}

/// `entries` with only the last value of each key, so that one statement can upsert them all.
pub(crate) fn distinct(entries: &[KeyValue]) -> Vec<&KeyValue> {
    let mut last: Vec<&KeyValue> = Vec::with_capacity(entries.len());
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(entries.len());
    for entry in entries {
        let place = *places.entry(&entry.key).or_insert(last.len());
        if place < last.len() {
            last[place] = entry;
        } else {
            last.push(entry);
        }
    }
    last
}
