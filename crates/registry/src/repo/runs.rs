//! `runs`, `params` and `tags`.

use database::{Dialect, Row, Transaction, params};

use crate::{
    KeyValue, LifecycleStage, Run, RunInfo, RunStatus,
    error::{Error, Result},
    repo::{distinct, inputs, key_values, metrics, sql::Sql},
};

/// The columns that [`decode`] reads.
pub(crate) const COLUMNS: &str = "runs.run_uuid, runs.name, runs.experiment_id, runs.user_id, runs.status, \
                                  runs.start_time, runs.end_time, runs.artifact_uri, runs.lifecycle_stage";

/// A run from its row.
pub(crate) fn decode(row: &Row) -> Result<RunInfo> {
    let status: String = row.get("status")?;
    let uri: Option<String> = row.get("artifact_uri")?;
    let user: Option<String> = row.get("user_id")?;
    Ok(RunInfo {
        id: row.get("run_uuid")?,
        name: row.get("name")?,
        experiment_id: row.get("experiment_id")?,
        user_id: user.unwrap_or_default(),
        status: RunStatus::parse(&status).ok_or(Error::Corrupt { what: "a run's status", value: status })?,
        started: row.get("start_time")?,
        ended: row.get("end_time")?,
        artifact_uri: uri.unwrap_or_default(),
        stage: LifecycleStage::parse(&row.get::<String>("lifecycle_stage")?)?,
    })
}

pub(crate) async fn insert(tx: &mut Transaction, run: &RunInfo) -> Result<()> {
    let insert = "INSERT INTO runs
            (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, source_version,
             lifecycle_stage, artifact_uri, experiment_id)
        VALUES ($1, $2, 'UNKNOWN', '', '', $3, $4, $5, '', 'active', $6, $7)";
    let values = params![
        &run.id,
        run.name.as_ref(),
        &run.user_id,
        run.status.as_str(),
        run.started,
        &run.artifact_uri,
        run.experiment_id
    ];
    tx.execute(insert, values).await?;
    Ok(())
}

pub(crate) async fn by_id(tx: &mut Transaction, id: &str) -> Result<Option<RunInfo>> {
    let select = format!("SELECT {COLUMNS} FROM runs WHERE run_uuid = $1");
    let row = tx.row(&select, params![id]).await?;
    row.map(|row| decode(&row)).transpose()
}

/// Whether `experiments` have at least one in `share` of the store's runs, as near as SQLite knows without counting all. Postgres
/// knows how its rows are spread, and plans by that itself.
pub(crate) async fn are_many(tx: &mut Transaction, experiments: &[i64], share: i64) -> Result<bool> {
    if tx.dialect() == Dialect::Postgres {
        return Ok(true);
    }
    let most = tx.row("SELECT MAX(rowid) AS most FROM runs", params![]).await?;
    let most: Option<i64> = most.map_or(Ok(None), |row| row.get("most"))?;
    let enough = most.unwrap_or_default() / share;
    let mut sql = Sql::new("SELECT COUNT(*) AS found FROM (SELECT 1 FROM runs WHERE experiment_id IN ");
    sql.bind_list(experiments).push(" LIMIT ").bind(enough).push(") theirs");
    let (text, values) = sql.into_parts();
    let found = tx.row(&text, values).await?;
    Ok(found.map_or(Ok(0), |row| row.get::<i64>("found"))? >= enough)
}

/// Status, end and name, as they are in `run`.
pub(crate) async fn update(tx: &mut Transaction, run: &RunInfo) -> Result<()> {
    let update = "UPDATE runs SET status = $2, end_time = $3, name = $4 WHERE run_uuid = $1";
    tx.execute(update, params![&run.id, run.status.as_str(), run.ended, run.name.as_ref()]).await?;
    Ok(())
}

pub(crate) async fn set_stage(tx: &mut Transaction, id: &str, stage: LifecycleStage, now: i64) -> Result<()> {
    let deleted = (stage == LifecycleStage::Deleted).then_some(now);
    let update = "UPDATE runs SET lifecycle_stage = $2, deleted_time = $3 WHERE run_uuid = $1";
    tx.execute(update, params![id, stage.as_str(), deleted]).await?;
    Ok(())
}

/// `infos` with all that was logged on them.
pub(crate) async fn with_data(tx: &mut Transaction, infos: Vec<RunInfo>) -> Result<Vec<Run>> {
    let ids: Vec<String> = infos.iter().map(|info| info.id.clone()).collect();
    let mut latest = metrics::latest(tx, &ids).await?;
    let select = "SELECT run_uuid AS owner, key, value FROM params WHERE run_uuid";
    let mut params = key_values(tx, select, &ids).await?;
    let select = "SELECT run_uuid AS owner, key, value FROM tags WHERE run_uuid";
    let mut tags = key_values(tx, select, &ids).await?;
    let mut datasets = inputs::datasets(tx, &ids).await?;
    let (mut model_inputs, mut model_outputs) = inputs::models(tx, &ids).await?;
    let runs = infos.into_iter().map(|info| Run {
        metrics: latest.remove(&info.id).unwrap_or_default(),
        params: params.remove(&info.id).unwrap_or_default(),
        tags: tags.remove(&info.id).unwrap_or_default(),
        datasets: datasets.remove(&info.id).unwrap_or_default(),
        model_inputs: model_inputs.remove(&info.id).unwrap_or_default(),
        model_outputs: model_outputs.remove(&info.id).unwrap_or_default(),
        info,
    });
    Ok(runs.collect())
}

pub(crate) async fn set_tags(tx: &mut Transaction, run_id: &str, tags: &[KeyValue]) -> Result<()> {
    let rows = distinct(tags).into_iter().map(|tag| params![&tag.key, &tag.value, run_id]);
    let head = "INSERT INTO tags (key, value, run_uuid) VALUES";
    Ok(tx.insert(head, "ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value", rows).await?)
}

pub(crate) async fn tag(tx: &mut Transaction, run_id: &str, key: &str) -> Result<Option<String>> {
    let row = tx.row("SELECT value FROM tags WHERE run_uuid = $1 AND key = $2", params![run_id, key]).await?;
    Ok(row.map(|row| row.get("value")).transpose()?.flatten())
}

/// Whether there was such a tag.
pub(crate) async fn delete_tag(tx: &mut Transaction, run_id: &str, key: &str) -> Result<bool> {
    Ok(tx.execute("DELETE FROM tags WHERE run_uuid = $1 AND key = $2", params![run_id, key]).await? > 0)
}

/// Those params of a run that have one of `keys`.
pub(crate) async fn params_of(tx: &mut Transaction, run_id: &str, keys: &[String]) -> Result<Vec<KeyValue>> {
    let mut found = Vec::new();
    let mut sql = Sql::new("SELECT key, value FROM params WHERE key IN ");
    sql.bind_list(keys).push(" AND run_uuid = ").bind(run_id);
    let (text, values) = sql.into_parts();
    for row in tx.rows(&text, values).await? {
        found.push(KeyValue { key: row.get("key")?, value: row.get("value")? });
    }
    Ok(found)
}

pub(crate) async fn insert_params(tx: &mut Transaction, run_id: &str, new: &[KeyValue]) -> Result<()> {
    let rows = new.iter().map(|param| params![&param.key, &param.value, run_id]);
    Ok(tx.insert("INSERT INTO params (key, value, run_uuid) VALUES", "", rows).await?)
}
