//! `logged_models` and what hangs on them.

use database::{Row, Transaction, params};

use crate::{
    KeyValue, LifecycleStage, LoggedModel, LoggedModelStatus,
    error::{Error, Result},
    repo::{distinct, key_values, metrics},
};

/// The columns that [`decode`] reads.
pub(crate) const COLUMNS: &str = "logged_models.model_id, logged_models.experiment_id, logged_models.name, \
     logged_models.artifact_location, logged_models.creation_timestamp_ms, logged_models.last_updated_timestamp_ms, \
     logged_models.status, logged_models.status_message, logged_models.model_type, logged_models.source_run_id";

/// A logged model from its row, without what hangs on it.
pub(crate) fn decode(row: &Row) -> Result<LoggedModel> {
    let status: i64 = row.get("status")?;
    let unknown = || Error::Corrupt { what: "a logged model's status", value: status.to_string() };
    Ok(LoggedModel {
        id: row.get("model_id")?,
        experiment_id: row.get("experiment_id")?,
        name: row.get("name")?,
        artifact_uri: row.get("artifact_location")?,
        created: row.get("creation_timestamp_ms")?,
        updated: row.get("last_updated_timestamp_ms")?,
        status: LoggedModelStatus::of_number(status).ok_or_else(unknown)?,
        status_message: row.get("status_message")?,
        model_type: row.get("model_type")?,
        source_run_id: row.get("source_run_id")?,
        tags: Vec::new(),
        params: Vec::new(),
        metrics: Vec::new(),
    })
}

/// Inserts a model with its tags and params.
pub(crate) async fn insert(tx: &mut Transaction, model: &LoggedModel) -> Result<()> {
    let insert = "INSERT INTO logged_models
            (model_id, experiment_id, name, artifact_location, creation_timestamp_ms, last_updated_timestamp_ms, status,
             lifecycle_stage, model_type, source_run_id)
        VALUES ($1, $2, $3, $4, $5, $5, $6, 'active', $7, $8)";
    let LoggedModel { id, experiment_id, name, artifact_uri, created, status, model_type, source_run_id, .. } = model;
    let values = params![
        id,
        experiment_id,
        name,
        artifact_uri,
        created,
        status.number(),
        model_type.as_ref(),
        source_run_id.as_ref()
    ];
    tx.execute(insert, values).await?;
    insert_params(tx, id, *experiment_id, &model.params).await?;
    set_tags(tx, id, *experiment_id, &model.tags).await
}

/// The model of that id, without what hangs on it, and whether it is deleted.
pub(crate) async fn by_id(tx: &mut Transaction, id: &str) -> Result<Option<(LoggedModel, LifecycleStage)>> {
    let select = format!("SELECT {COLUMNS}, lifecycle_stage FROM logged_models WHERE model_id = $1");
    let Some(row) = tx.row(&select, params![id]).await? else { return Ok(None) };
    let stage: Option<String> = row.get("lifecycle_stage")?;
    let stage = LifecycleStage::parse(stage.as_deref().unwrap_or("active"))?;
    Ok(Some((decode(&row)?, stage)))
}

/// Fills in tags, params and metrics.
pub(crate) async fn add_data(tx: &mut Transaction, models: &mut [LoggedModel]) -> Result<()> {
    let ids: Vec<String> = models.iter().map(|model| model.id.clone()).collect();
    let select = "SELECT model_id AS owner, tag_key AS key, tag_value AS value FROM logged_model_tags WHERE model_id";
    let mut tags = key_values(tx, select, &ids).await?;
    let select =
        "SELECT model_id AS owner, param_key AS key, param_value AS value FROM logged_model_params WHERE model_id";
    let mut params = key_values(tx, select, &ids).await?;
    let mut metrics = metrics::of_models(tx, &ids).await?;
    for model in models {
        model.tags = tags.remove(&model.id).unwrap_or_default();
        model.params = params.remove(&model.id).unwrap_or_default();
        model.metrics = metrics.remove(&model.id).unwrap_or_default();
    }
    Ok(())
}

pub(crate) async fn insert_params(tx: &mut Transaction, id: &str, experiment_id: i64, new: &[KeyValue]) -> Result<()> {
    let rows = new.iter().map(|param| params![id, experiment_id, &param.key, &param.value]);
    let head = "INSERT INTO logged_model_params (model_id, experiment_id, param_key, param_value) VALUES";
    Ok(tx.insert(head, "", rows).await?)
}

pub(crate) async fn set_tags(tx: &mut Transaction, id: &str, experiment_id: i64, tags: &[KeyValue]) -> Result<()> {
    let rows = distinct(tags).into_iter().map(|tag| params![id, experiment_id, &tag.key, &tag.value]);
    let head = "INSERT INTO logged_model_tags (model_id, experiment_id, tag_key, tag_value) VALUES";
    Ok(tx.insert(head, "ON CONFLICT (model_id, tag_key) DO UPDATE SET tag_value = excluded.tag_value", rows).await?)
}

/// Whether there was such a tag.
pub(crate) async fn delete_tag(tx: &mut Transaction, id: &str, key: &str) -> Result<bool> {
    let delete = "DELETE FROM logged_model_tags WHERE model_id = $1 AND tag_key = $2";
    Ok(tx.execute(delete, params![id, key]).await? > 0)
}

pub(crate) async fn set_status(tx: &mut Transaction, id: &str, status: LoggedModelStatus, now: i64) -> Result<()> {
    let update = "UPDATE logged_models SET status = $2, last_updated_timestamp_ms = $3 WHERE model_id = $1";
    tx.execute(update, params![id, status.number(), now]).await?;
    Ok(())
}

pub(crate) async fn mark_deleted(tx: &mut Transaction, id: &str, now: i64) -> Result<()> {
    let update =
        "UPDATE logged_models SET lifecycle_stage = 'deleted', last_updated_timestamp_ms = $2 WHERE model_id = $1";
    tx.execute(update, params![id, now]).await?;
    Ok(())
}
