//! `experiments` and `experiment_tags`.

use std::collections::HashMap;

use database::{Row, Transaction, params};

use crate::{
    KeyValue, LifecycleStage,
    entities::Experiment,
    error::Result,
    repo::{distinct, select_in},
};

/// The columns that [`decode`] reads.
pub(crate) const COLUMNS: &str = "experiment_id, name, artifact_location, lifecycle_stage, creation_time, \
                                  last_update_time";

/// An experiment from its row, without tags.
pub(crate) fn decode(row: &Row) -> Result<Experiment> {
    let location: Option<String> = row.get("artifact_location")?;
    Ok(Experiment {
        id: row.get("experiment_id")?,
        name: row.get("name")?,
        artifact_location: location.unwrap_or_default(),
        stage: LifecycleStage::parse(&row.get::<String>("lifecycle_stage")?)?,
        created: row.get("creation_time")?,
        updated: row.get("last_update_time")?,
        tags: Vec::new(),
    })
}

/// Inserts an experiment and answers its id, or `None` if the name is taken.
pub(crate) async fn insert(
    tx: &mut Transaction,
    name: &str,
    artifact_location: Option<&str>,
    now: i64,
) -> Result<Option<i64>> {
    let insert = "INSERT INTO experiments
            (name, artifact_location, lifecycle_stage, creation_time, last_update_time, workspace)
        VALUES ($1, $2, 'active', $3, $3, 'default') ON CONFLICT DO NOTHING RETURNING experiment_id";
    let row = tx.row(insert, params![name, artifact_location, now]).await?;
    Ok(row.map(|row| row.get("experiment_id")).transpose()?)
}

pub(crate) async fn set_location(tx: &mut Transaction, id: i64, location: &str) -> Result<()> {
    let update = "UPDATE experiments SET artifact_location = $2 WHERE experiment_id = $1";
    tx.execute(update, params![id, location]).await?;
    Ok(())
}

pub(crate) async fn by_id(tx: &mut Transaction, id: i64) -> Result<Option<Experiment>> {
    let select = format!("SELECT {COLUMNS} FROM experiments WHERE experiment_id = $1");
    let row = tx.row(&select, params![id]).await?;
    row.map(|row| decode(&row)).transpose()
}

pub(crate) async fn by_name(tx: &mut Transaction, name: &str) -> Result<Option<Experiment>> {
    let select = format!("SELECT {COLUMNS} FROM experiments WHERE workspace = 'default' AND name = $1");
    let row = tx.row(&select, params![name]).await?;
    row.map(|row| decode(&row)).transpose()
}

/// Fills in the tags of `experiments`.
pub(crate) async fn add_tags(tx: &mut Transaction, experiments: &mut [Experiment]) -> Result<()> {
    let ids: Vec<i64> = experiments.iter().map(|experiment| experiment.id).collect();
    let select = "SELECT experiment_id, key, value FROM experiment_tags WHERE experiment_id";
    let mut tags: HashMap<i64, Vec<KeyValue>> = HashMap::new();
    for row in select_in(tx, select, &ids, "ORDER BY key").await? {
        let value: Option<String> = row.get("value")?;
        let tag = KeyValue { key: row.get("key")?, value: value.unwrap_or_default() };
        tags.entry(row.get("experiment_id")?).or_default().push(tag);
    }
    for experiment in experiments {
        experiment.tags = tags.remove(&experiment.id).unwrap_or_default();
    }
    Ok(())
}

/// Moves an experiment and its runs to `stage`.
pub(crate) async fn set_stage(tx: &mut Transaction, id: i64, stage: LifecycleStage, now: i64) -> Result<()> {
    let update = "UPDATE experiments SET lifecycle_stage = $2, last_update_time = $3 WHERE experiment_id = $1";
    tx.execute(update, params![id, stage.as_str(), now]).await?;
    let deleted = (stage == LifecycleStage::Deleted).then_some(now);
    let update = "UPDATE runs SET lifecycle_stage = $2, deleted_time = $3 WHERE experiment_id = $1";
    tx.execute(update, params![id, stage.as_str(), deleted]).await?;
    Ok(())
}

/// Gives an experiment a name; `false` if it is taken.
pub(crate) async fn rename(tx: &mut Transaction, id: i64, name: &str, now: i64) -> Result<bool> {
    let taken = by_name(tx, name).await?.is_some_and(|other| other.id != id);
    if !taken {
        let update = "UPDATE experiments SET name = $2, last_update_time = $3 WHERE experiment_id = $1";
        tx.execute(update, params![id, name, now]).await?;
    }
    Ok(!taken)
}

pub(crate) async fn set_tags(tx: &mut Transaction, id: i64, tags: &[KeyValue]) -> Result<()> {
    let rows = distinct(tags).into_iter().map(|tag| params![&tag.key, &tag.value, id]);
    let head = "INSERT INTO experiment_tags (key, value, experiment_id) VALUES";
    Ok(tx.insert(head, "ON CONFLICT (key, experiment_id) DO UPDATE SET value = excluded.value", rows).await?)
}

/// Whether there was such a tag.
pub(crate) async fn delete_tag(tx: &mut Transaction, id: i64, key: &str) -> Result<bool> {
    let delete = "DELETE FROM experiment_tags WHERE experiment_id = $1 AND key = $2";
    Ok(tx.execute(delete, params![id, key]).await? > 0)
}
