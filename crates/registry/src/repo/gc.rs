//! What collecting reads and deletes, and `crosstie_gc_work`: artifacts that are to go.

use std::collections::HashSet;

use database::{Row, Transaction, params};
use types::Timestamp;

use crate::{
    LifecycleStage,
    error::Result,
    repo::{select_in, sql::Sql, versions::DELETED},
};

/// Keys that one DELETE names.
const KEYS_PER_DELETE: usize = 500;

/// Tables of what this version does not speak, whose rows would lose their experiment.
const OF_EXPERIMENTS: [(&str, &str); 7] = [
    ("trace_info", "it has traces, which `mlflow gc` deletes with it"),
    ("spans", "it has traces, which `mlflow gc` deletes with it"),
    ("scorers", "it has scorers, which `mlflow gc` deletes with it"),
    ("online_scoring_configs", "it has scorers, which `mlflow gc` deletes with it"),
    ("issues", "it has issues, which `mlflow gc` deletes with it"),
    ("label_schemas", "it has label schemas, which `mlflow gc` deletes with it"),
    ("review_queues", "it has review queues, which `mlflow gc` deletes with it"),
];

/// A deleted run or logged model.
#[derive(Debug, Clone)]
pub(crate) struct Deleted {
    pub(crate) id: String,
    /// Where its artifacts are.
    pub(crate) uri: String,
    /// When it was deleted.
    pub(crate) since: i64,
}

/// What a version was made from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// `name/number`.
    pub(crate) version: String,
    pub(crate) run_id: Option<String>,
    /// Its source and storage location.
    pub(crate) uris: Vec<String>,
}

impl Source {
    /// Whether it is a prompt's, which has a text and no files.
    pub(crate) fn is_prompt(&self) -> bool {
        self.uris.iter().any(|uri| PROMPTS.contains(&uri.as_str()))
    }
}

/// What MLflow's clients send as the source of a prompt.
const PROMPTS: [&str; 2] = ["dummy-source", "prompt-template"];

const RUNS: &str = "SELECT run_uuid AS id, artifact_uri AS uri, COALESCE(deleted_time, 0) AS since,
    lifecycle_stage FROM runs WHERE ";
const LOGGED_MODELS: &str = "SELECT model_id AS id, artifact_location AS uri, last_updated_timestamp_ms AS since,
    lifecycle_stage FROM logged_models WHERE ";

fn decode(row: &Row) -> Result<Deleted> {
    let uri: Option<String> = row.get("uri")?;
    Ok(Deleted { id: row.get("id")?, uri: uri.unwrap_or_default(), since: row.get("since")? })
}

async fn deleted(tx: &mut Transaction, sql: &str, parameters: Vec<database::Parameter>) -> Result<Vec<Deleted>> {
    tx.rows(sql, parameters).await?.iter().map(decode).collect()
}

async fn one(tx: &mut Transaction, sql: &str, id: &str) -> Result<Option<(LifecycleStage, Deleted)>> {
    let row = tx.row(sql, params![id]).await?;
    row.map(|row| Ok((LifecycleStage::parse(&row.get::<String>("lifecycle_stage")?)?, decode(&row)?))).transpose()
}

/// Runs deleted before then.
pub(crate) async fn runs(tx: &mut Transaction, before: i64) -> Result<Vec<Deleted>> {
    let sql = format!("{RUNS} lifecycle_stage = 'deleted' AND COALESCE(deleted_time, 0) <= $1");
    deleted(tx, &sql, params![before]).await
}

/// Deleted runs of experiments.
pub(crate) async fn runs_of(tx: &mut Transaction, experiments: &[i64]) -> Result<Vec<Deleted>> {
    let sql = format!("{RUNS} lifecycle_stage = 'deleted' AND experiment_id");
    select_in(tx, &sql, experiments, "").await?.iter().map(decode).collect()
}

/// Those of `runs` that are deleted.
pub(crate) async fn deleted_among(tx: &mut Transaction, runs: &[String]) -> Result<Vec<Deleted>> {
    let sql = format!("{RUNS} lifecycle_stage = 'deleted' AND run_uuid");
    select_in(tx, &sql, runs, "").await?.iter().map(decode).collect()
}

/// A run and its stage.
pub(crate) async fn run(tx: &mut Transaction, id: &str) -> Result<Option<(LifecycleStage, Deleted)>> {
    one(tx, &format!("{RUNS} run_uuid = $1"), id).await
}

/// Logged models deleted before then.
pub(crate) async fn logged_models(tx: &mut Transaction, before: i64) -> Result<Vec<Deleted>> {
    let sql = format!("{LOGGED_MODELS} lifecycle_stage = 'deleted' AND last_updated_timestamp_ms <= $1");
    deleted(tx, &sql, params![before]).await
}

/// Logged models of experiments, deleted or not: an experiment's deletion is theirs.
pub(crate) async fn logged_models_of(tx: &mut Transaction, experiments: &[i64]) -> Result<Vec<Deleted>> {
    select_in(tx, &format!("{LOGGED_MODELS} experiment_id"), experiments, "").await?.iter().map(decode).collect()
}

/// Those of `logged_models` that are deleted, by themselves or with their experiment.
pub(crate) async fn logged_models_among(tx: &mut Transaction, logged_models: &[String]) -> Result<Vec<Deleted>> {
    let sql = format!(
        "{LOGGED_MODELS} (lifecycle_stage = 'deleted' OR experiment_id IN
            (SELECT experiment_id FROM experiments WHERE lifecycle_stage = 'deleted')) AND model_id"
    );
    select_in(tx, &sql, logged_models, "").await?.iter().map(decode).collect()
}

/// A logged model and its stage.
pub(crate) async fn logged_model(tx: &mut Transaction, id: &str) -> Result<Option<(LifecycleStage, Deleted)>> {
    one(tx, &format!("{LOGGED_MODELS} model_id = $1"), id).await
}

/// Experiments deleted before then.
pub(crate) async fn experiments(tx: &mut Transaction, before: i64) -> Result<Vec<i64>> {
    let sql = "SELECT experiment_id FROM experiments
        WHERE lifecycle_stage = 'deleted' AND COALESCE(last_update_time, 0) <= $1 ORDER BY experiment_id";
    let rows = tx.rows(sql, params![before]).await?;
    Ok(rows.iter().map(|row| row.get("experiment_id")).collect::<Result<_, _>>()?)
}

/// Those of `experiments` that are deleted.
pub(crate) async fn experiments_among(tx: &mut Transaction, experiments: &[i64]) -> Result<Vec<i64>> {
    let sql = "SELECT experiment_id FROM experiments WHERE lifecycle_stage = 'deleted' AND experiment_id";
    let rows = select_in(tx, sql, experiments, "").await?;
    Ok(rows.iter().map(|row| row.get("experiment_id")).collect::<Result<_, _>>()?)
}

/// What every version that is not deleted was made from.
pub(crate) async fn sources(tx: &mut Transaction) -> Result<Vec<Source>> {
    let sql = "SELECT name, version, run_id, source, storage_location FROM model_versions WHERE current_stage <> $1";
    let rows = tx.rows(sql, params![DELETED]).await?;
    let source = |row: &Row| -> Result<Source> {
        let (name, version): (String, u32) = (row.get("name")?, row.get("version")?);
        let uris: [Option<String>; 2] = [row.get("source")?, row.get("storage_location")?];
        let uris = uris.into_iter().flatten().filter(|uri| !uri.is_empty()).collect();
        Ok(Source { version: format!("{name}/{version}"), run_id: row.get("run_id")?, uris })
    };
    rows.iter().map(source).collect()
}

/// Those of `experiments` that hold more than the runs and logged models that go, and what.
pub(crate) async fn experiments_in_use(
    tx: &mut Transaction,
    experiments: &[i64],
    runs: &[String],
    logged_models: &[String],
) -> Result<Vec<(i64, &'static str)>> {
    let mut used = Vec::new();
    let [runs, logged_models] = [runs, logged_models].map(|ids| ids.iter().map(String::as_str).collect::<HashSet<_>>());
    for (sql, going, because) in [
        ("SELECT experiment_id, run_uuid AS id FROM runs WHERE experiment_id", runs, "a run in it stays"),
        (
            "SELECT experiment_id, model_id AS id FROM logged_models WHERE experiment_id",
            logged_models,
            "a logged model in it stays",
        ),
    ] {
        for row in select_in(tx, sql, experiments, "").await? {
            let id: String = row.get("id")?;
            if !going.contains(id.as_str()) {
                used.push((row.get("experiment_id")?, because));
            }
        }
    }
    for (table, because) in OF_EXPERIMENTS {
        let sql = format!("SELECT DISTINCT experiment_id FROM {table} WHERE experiment_id");
        for row in select_in(tx, &sql, experiments, "").await? {
            used.push((row.get("experiment_id")?, because));
        }
    }
    Ok(used)
}

/// Deletes the rows of runs, logged models and experiments, and of all that hangs on them.
pub(crate) async fn delete(
    tx: &mut Transaction,
    runs: &[String],
    logged_models: &[String],
    experiments: &[i64],
) -> Result<()> {
    let edges = "DELETE FROM input_tags WHERE input_uuid IN (SELECT input_uuid FROM inputs WHERE";
    for (ids, columns) in [(runs, ["source_id", "destination_id"]), (logged_models, ["source_id", "destination_id"])] {
        for column in columns {
            delete_in(tx, &format!("{edges} {column}"), ids, ")").await?;
            delete_in(tx, &format!("DELETE FROM inputs WHERE {column}"), ids, "").await?;
        }
    }
    for table in ["metrics", "latest_metrics", "params", "tags"] {
        delete_in(tx, &format!("DELETE FROM {table} WHERE run_uuid"), runs, "").await?;
    }
    delete_in(tx, "DELETE FROM logged_model_metrics WHERE run_id", runs, "").await?;
    delete_in(tx, "UPDATE issues SET source_run_id = NULL WHERE source_run_id", runs, "").await?;
    delete_in(tx, "DELETE FROM runs WHERE run_uuid", runs, "").await?;
    for table in ["logged_model_params", "logged_model_tags", "logged_model_metrics", "logged_models"] {
        delete_in(tx, &format!("DELETE FROM {table} WHERE model_id"), logged_models, "").await?;
    }
    delete_in(tx, "UPDATE endpoints SET experiment_id = NULL WHERE experiment_id", experiments, "").await?;
    let rollups = ["sql_trace_metric_daily_rollups", "sql_span_cost_daily_rollups", "sql_assessment_daily_rollups"];
    let queue = ["sql_trace_rollup_rebuild_queue"];
    for table in rollups.into_iter().chain(queue).chain(["experiment_tags", "datasets", "experiments"]) {
        delete_in(tx, &format!("DELETE FROM {table} WHERE experiment_id"), experiments, "").await?;
    }
    Ok(())
}

/// `head IN (keys) tail` for all `keys`, as many per statement as fit.
async fn delete_in<P>(tx: &mut Transaction, head: &str, keys: &[P], tail: &str) -> Result<()>
where
    for<'a> &'a P: Into<database::Parameter>,
{
    for keys in keys.chunks(KEYS_PER_DELETE) {
        let mut sql = Sql::new(head);
        sql.push(" IN ").bind_list(keys).push(tail);
        let (text, parameters) = sql.into_parts();
        tx.execute(&text, parameters).await?;
    }
    Ok(())
}

/// Writes down which folders of the store are to go.
pub(crate) async fn add_work(tx: &mut Transaction, places: &[String], now: Timestamp) -> Result<()> {
    let rows = places.iter().map(|place| params![place, now]);
    Ok(tx.insert("INSERT INTO crosstie_gc_work (path, added_at) VALUES", "ON CONFLICT DO NOTHING", rows).await?)
}

/// The folders that are to go.
pub(crate) async fn work(tx: &mut Transaction) -> Result<Vec<String>> {
    let rows = tx.rows("SELECT path FROM crosstie_gc_work ORDER BY path", params![]).await?;
    Ok(rows.iter().map(|row| row.get("path")).collect::<Result<_, _>>()?)
}

/// A folder is gone.
pub(crate) async fn done(tx: &mut Transaction, path: &str) -> Result<()> {
    tx.execute("DELETE FROM crosstie_gc_work WHERE path = $1", params![path]).await?;
    Ok(())
}
