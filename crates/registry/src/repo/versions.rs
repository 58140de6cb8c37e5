//! `model_versions` and their tags.

use std::collections::HashMap;

use database::{Row, Transaction, params};

use crate::{
    KeyValue, Version,
    error::Result,
    repo::{distinct, select_in},
};

/// The stage of deleted versions, which nothing but the next number looks at.
pub(crate) const DELETED: &str = "Deleted_Internal";

/// The columns that [`decode`] reads.
pub(crate) const COLUMNS: &str = "model_versions.name, model_versions.version, model_versions.creation_time, \
     model_versions.last_updated_time, model_versions.description, model_versions.user_id, \
     model_versions.current_stage, model_versions.source, model_versions.storage_location, model_versions.run_id, \
     model_versions.status, model_versions.status_message, model_versions.run_link";

/// A version from its row, without tags and aliases.
pub(crate) fn decode(row: &Row) -> Result<Version> {
    let created: Option<i64> = row.get("creation_time")?;
    let stage: Option<String> = row.get("current_stage")?;
    let status: Option<String> = row.get("status")?;
    Ok(Version {
        name: row.get("name")?,
        version: row.get("version")?,
        created: created.unwrap_or_default(),
        updated: row.get("last_updated_time")?,
        description: row.get("description")?,
        user_id: row.get("user_id")?,
        stage: stage.unwrap_or_else(|| "None".to_owned()),
        source: row.get("source")?,
        storage_location: row.get("storage_location")?,
        run_id: row.get("run_id")?,
        status: status.unwrap_or_else(|| "READY".to_owned()),
        status_message: row.get("status_message")?,
        run_link: row.get("run_link")?,
        tags: Vec::new(),
        aliases: Vec::new(),
    })
}

/// The number after the highest that was ever used.
pub(crate) async fn next_number(tx: &mut Transaction, name: &str) -> Result<u32> {
    let select = "SELECT COALESCE(MAX(version), 0) AS highest FROM model_versions
        WHERE workspace = 'default' AND name = $1";
    let row = tx.row(select, params![name]).await?;
    let highest: u32 = row.map(|row| row.get("highest")).transpose()?.unwrap_or_default();
    Ok(highest + 1)
}

/// Inserts a version with its tags.
pub(crate) async fn insert(tx: &mut Transaction, version: &Version) -> Result<()> {
    let insert = "INSERT INTO model_versions
            (name, version, creation_time, last_updated_time, description, user_id, current_stage, source,
             storage_location, run_id, status, status_message, run_link, workspace)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'default')";
    let Version { name, version: number, created, updated, description, user_id, stage, source, .. } = version;
    let Version { storage_location, run_id, status, status_message, run_link, tags, .. } = version;
    let values = params![
        name,
        number,
        created,
        *updated,
        description.as_ref(),
        user_id.as_ref(),
        stage,
        source.as_ref(),
        storage_location.as_ref(),
        run_id.as_ref(),
        status,
        status_message.as_ref(),
        run_link.as_ref()
    ];
    tx.execute(insert, values).await?;
    set_tags(tx, name, *number, tags).await
}

/// The version, unless it is deleted, without tags and aliases.
pub(crate) async fn by_number(tx: &mut Transaction, name: &str, version: u32) -> Result<Option<Version>> {
    let select = format!(
        "SELECT {COLUMNS} FROM model_versions
         WHERE workspace = 'default' AND name = $1 AND version = $2 AND current_stage <> $3"
    );
    let row = tx.row(&select, params![name, version, DELETED]).await?;
    row.map(|row| decode(&row)).transpose()
}

/// Fills in tags and aliases.
pub(crate) async fn add_data(tx: &mut Transaction, versions: &mut [Version]) -> Result<()> {
    let mut names: Vec<String> = versions.iter().map(|version| version.name.clone()).collect();
    names.sort_unstable();
    names.dedup();
    let select = "SELECT name, version, key, value FROM model_version_tags WHERE workspace = 'default' AND name";
    let mut tags: HashMap<(String, u32), Vec<KeyValue>> = HashMap::new();
    for row in select_in(tx, select, &names, "ORDER BY key").await? {
        let value: Option<String> = row.get("value")?;
        let tag = KeyValue { key: row.get("key")?, value: value.unwrap_or_default() };
        tags.entry((row.get("name")?, row.get("version")?)).or_default().push(tag);
    }
    let aliases = super::models::aliases(tx, &names).await?;
    for version in versions {
        version.tags = tags.remove(&(version.name.clone(), version.version)).unwrap_or_default();
        let of_model = aliases.get(&version.name).map(Vec::as_slice).unwrap_or_default();
        let own = of_model.iter().filter(|alias| alias.version == version.version);
        version.aliases = own.map(|alias| alias.alias.clone()).collect();
    }
    Ok(())
}

/// The newest version of each stage of models, by model, with tags; MLflow shows no aliases there.
pub(crate) async fn latest(tx: &mut Transaction, names: &[String]) -> Result<HashMap<String, Vec<Version>>> {
    let select = format!(
        "SELECT {COLUMNS} FROM model_versions
         JOIN (SELECT name AS of_name, current_stage AS of_stage, MAX(version) AS newest FROM model_versions
               WHERE workspace = 'default' GROUP BY name, current_stage) newest
           ON of_name = model_versions.name AND of_stage = model_versions.current_stage
          AND newest = model_versions.version
         WHERE model_versions.workspace = 'default' AND model_versions.current_stage <> '{DELETED}'
           AND model_versions.name"
    );
    let rows = select_in(tx, &select, names, "ORDER BY model_versions.version").await?;
    let mut versions = rows.iter().map(decode).collect::<Result<Vec<_>>>()?;
    add_data(tx, &mut versions).await?;
    let mut found: HashMap<String, Vec<Version>> = HashMap::new();
    for mut version in versions {
        version.aliases.clear();
        found.entry(version.name.clone()).or_default().push(version);
    }
    Ok(found)
}

/// Description, stage and time of change, as they are in `version`.
pub(crate) async fn update(tx: &mut Transaction, version: &Version) -> Result<()> {
    let update = "UPDATE model_versions SET description = $3, current_stage = $4, last_updated_time = $5
        WHERE workspace = 'default' AND name = $1 AND version = $2";
    let Version { name, version: number, description, stage, updated, .. } = version;
    tx.execute(update, params![name, number, description.as_ref(), stage, *updated]).await?;
    Ok(())
}

/// Moves all other versions of a stage to `Archived`.
pub(crate) async fn archive_others(
    tx: &mut Transaction,
    name: &str,
    version: u32,
    stage: &str,
    now: i64,
) -> Result<()> {
    let update = "UPDATE model_versions SET current_stage = 'Archived', last_updated_time = $4
        WHERE workspace = 'default' AND name = $1 AND version <> $2 AND current_stage = $3";
    tx.execute(update, params![name, version, stage, now]).await?;
    Ok(())
}

/// Deletes a version: its number stays taken, and what it was is overwritten, as MLflow does.
pub(crate) async fn mark_deleted(tx: &mut Transaction, name: &str, version: u32, now: i64) -> Result<()> {
    let delete = "DELETE FROM registered_model_aliases WHERE workspace = 'default' AND name = $1 AND version = $2";
    tx.execute(delete, params![name, version]).await?;
    let update = "UPDATE model_versions
        SET current_stage = $3, last_updated_time = $4, description = NULL, user_id = NULL,
            source = 'REDACTED-SOURCE-PATH', run_id = 'REDACTED-RUN-ID', run_link = 'REDACTED-RUN-LINK',
            status_message = NULL
        WHERE workspace = 'default' AND name = $1 AND version = $2";
    tx.execute(update, params![name, version, DELETED, now]).await?;
    Ok(())
}

pub(crate) async fn set_tags(tx: &mut Transaction, name: &str, version: u32, tags: &[KeyValue]) -> Result<()> {
    let rows = distinct(tags).into_iter().map(|tag| params![&tag.key, &tag.value, name, version, "default"]);
    let head = "INSERT INTO model_version_tags (key, value, name, version, workspace) VALUES";
    Ok(tx
        .insert(head, "ON CONFLICT (workspace, key, name, version) DO UPDATE SET value = excluded.value", rows)
        .await?)
}

pub(crate) async fn delete_tag(tx: &mut Transaction, name: &str, version: u32, key: &str) -> Result<()> {
    let delete = "DELETE FROM model_version_tags
        WHERE workspace = 'default' AND name = $1 AND version = $2 AND key = $3";
    tx.execute(delete, params![name, version, key]).await?;
    Ok(())
}
