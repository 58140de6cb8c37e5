//! `registered_models`, their tags and aliases.

use std::collections::HashMap;

use database::{Row, Transaction, params};

use crate::{
    Alias, KeyValue, RegisteredModel,
    error::Result,
    models::PROMPT_TAG,
    repo::{distinct, key_values, select_in, versions},
};

/// The columns that [`decode`] reads.
pub(crate) const COLUMNS: &str = "registered_models.name, registered_models.creation_time, \
                                  registered_models.last_updated_time, registered_models.description";

/// A registered model from its row, without what hangs on it.
pub(crate) fn decode(row: &Row) -> Result<RegisteredModel> {
    Ok(RegisteredModel {
        name: row.get("name")?,
        created: row.get("creation_time")?,
        updated: row.get("last_updated_time")?,
        description: row.get("description")?,
        latest_versions: Vec::new(),
        tags: Vec::new(),
        aliases: Vec::new(),
    })
}

/// Whether the name was free.
pub(crate) async fn insert(tx: &mut Transaction, model: &RegisteredModel) -> Result<bool> {
    let insert = "INSERT INTO registered_models (name, creation_time, last_updated_time, description, workspace)
        VALUES ($1, $2, $3, $4, 'default') ON CONFLICT DO NOTHING";
    let values = params![&model.name, model.created, model.updated, model.description.as_ref()];
    Ok(tx.execute(insert, values).await? > 0)
}

pub(crate) async fn by_name(tx: &mut Transaction, name: &str) -> Result<Option<RegisteredModel>> {
    let select = format!("SELECT {COLUMNS} FROM registered_models WHERE workspace = 'default' AND name = $1");
    let row = tx.row(&select, params![name]).await?;
    row.map(|row| decode(&row)).transpose()
}

/// Fills in tags, aliases and the newest version of each stage.
pub(crate) async fn add_data(tx: &mut Transaction, models: &mut [RegisteredModel]) -> Result<()> {
    let names: Vec<String> = models.iter().map(|model| model.name.clone()).collect();
    let select = "SELECT name AS owner, key, value FROM registered_model_tags WHERE workspace = 'default' AND name";
    let mut tags = key_values(tx, select, &names).await?;
    let mut aliases = aliases(tx, &names).await?;
    let mut latest = versions::latest(tx, &names).await?;
    for model in models {
        model.tags = tags.remove(&model.name).unwrap_or_default();
        model.aliases = aliases.remove(&model.name).unwrap_or_default();
        model.latest_versions = latest.remove(&model.name).unwrap_or_default();
    }
    Ok(())
}

/// The aliases of models, by model.
pub(crate) async fn aliases(tx: &mut Transaction, names: &[String]) -> Result<HashMap<String, Vec<Alias>>> {
    let select = "SELECT name, alias, version FROM registered_model_aliases WHERE workspace = 'default' AND name";
    let mut found: HashMap<String, Vec<Alias>> = HashMap::new();
    for row in select_in(tx, select, names, "ORDER BY alias").await? {
        let alias = Alias { alias: row.get("alias")?, version: row.get("version")? };
        found.entry(row.get("name")?).or_default().push(alias);
    }
    Ok(found)
}

pub(crate) async fn update(tx: &mut Transaction, name: &str, description: &str, now: i64) -> Result<()> {
    let update = "UPDATE registered_models SET description = $2, last_updated_time = $3
        WHERE workspace = 'default' AND name = $1";
    tx.execute(update, params![name, description, now]).await?;
    Ok(())
}

/// Marks a model as changed.
pub(crate) async fn touch(tx: &mut Transaction, name: &str, now: i64) -> Result<()> {
    let update = "UPDATE registered_models SET last_updated_time = $2 WHERE workspace = 'default' AND name = $1";
    tx.execute(update, params![name, now]).await?;
    Ok(())
}

/// Gives a model and, by cascade, all that hangs on it another name.
pub(crate) async fn rename(tx: &mut Transaction, name: &str, new_name: &str, now: i64) -> Result<()> {
    let update = "UPDATE registered_models SET name = $2, last_updated_time = $3
        WHERE workspace = 'default' AND name = $1";
    tx.execute(update, params![name, new_name, now]).await?;
    let update = "UPDATE model_versions SET last_updated_time = $2 WHERE workspace = 'default' AND name = $1";
    tx.execute(update, params![new_name, now]).await?;
    Ok(())
}

/// Deletes a model and all that hangs on it.
pub(crate) async fn delete(tx: &mut Transaction, name: &str) -> Result<()> {
    for table in [
        "model_version_tags",
        "model_versions",
        "registered_model_aliases",
        "registered_model_tags",
        "registered_models",
    ] {
        let delete = format!("DELETE FROM {table} WHERE workspace = 'default' AND name = $1");
        tx.execute(&delete, params![name]).await?;
    }
    Ok(())
}

pub(crate) async fn set_tags(tx: &mut Transaction, name: &str, tags: &[KeyValue]) -> Result<()> {
    let rows = distinct(tags).into_iter().map(|tag| params![&tag.key, &tag.value, name, "default"]);
    let head = "INSERT INTO registered_model_tags (key, value, name, workspace) VALUES";
    Ok(tx.insert(head, "ON CONFLICT (workspace, key, name) DO UPDATE SET value = excluded.value", rows).await?)
}

pub(crate) async fn delete_tag(tx: &mut Transaction, name: &str, key: &str) -> Result<()> {
    let delete = "DELETE FROM registered_model_tags WHERE workspace = 'default' AND name = $1 AND key = $2";
    tx.execute(delete, params![name, key]).await?;
    Ok(())
}

pub(crate) async fn set_alias(tx: &mut Transaction, name: &str, alias: &str, version: u32) -> Result<()> {
    let insert = "INSERT INTO registered_model_aliases (alias, version, name, workspace)
        VALUES ($1, $2, $3, 'default')
        ON CONFLICT (workspace, name, alias) DO UPDATE SET version = excluded.version";
    tx.execute(insert, params![alias, version, name]).await?;
    Ok(())
}

pub(crate) async fn delete_alias(tx: &mut Transaction, name: &str, alias: &str) -> Result<()> {
    let delete = "DELETE FROM registered_model_aliases WHERE workspace = 'default' AND name = $1 AND alias = $2";
    tx.execute(delete, params![name, alias]).await?;
    Ok(())
}

pub(crate) async fn version_of_alias(tx: &mut Transaction, name: &str, alias: &str) -> Result<Option<u32>> {
    let select = "SELECT version FROM registered_model_aliases
        WHERE workspace = 'default' AND name = $1 AND alias = $2";
    let row = tx.row(select, params![name, alias]).await?;
    Ok(row.map(|row| row.get("version")).transpose()?)
}

/// Whether the registered model of that name is a prompt.
pub(crate) async fn is_prompt(tx: &mut Transaction, name: &str) -> Result<bool> {
    let select = "SELECT value FROM registered_model_tags WHERE workspace = 'default' AND name = $1 AND key = $2";
    let row = tx.row(select, params![name, PROMPT_TAG]).await?;
    let value: Option<String> = row.map(|row| row.get("value")).transpose()?.flatten();
    Ok(value.is_some_and(|value| value.eq_ignore_ascii_case("true")))
}

/// The version that `alias` points to, for each model that has it.
pub(crate) async fn with_alias(tx: &mut Transaction, alias: &str) -> Result<Vec<(String, u32)>> {
    let select = "SELECT name, version FROM registered_model_aliases
        WHERE workspace = 'default' AND alias = $1 ORDER BY name";
    let rows = tx.rows(select, params![alias]).await?;
    rows.iter().map(|row| Ok((row.get("name")?, row.get("version")?))).collect()
}
