//! What lineage asks of MLflow's tables in both directions: what a run made, and who read what.

use database::{Row, Transaction, params};

use crate::{
    Version,
    error::Result,
    repo::{select_in, versions},
};

/// Whether a model was logged in the run, by today's clients or older ones, or a version was made of it before.
pub(crate) async fn made_a_model(tx: &mut Transaction, run_id: &str) -> Result<bool> {
    let outputs = "SELECT 1 AS found FROM inputs WHERE source_type = 'RUN_OUTPUT' AND source_id = $1 LIMIT 1";
    if tx.row(outputs, params![run_id]).await?.is_some() {
        return Ok(true);
    }
    let tags = "SELECT 1 AS found FROM tags
        WHERE run_uuid = $1 AND key IN ('mlflow.log-model.history', 'crosstie.releasable') LIMIT 1";
    if tx.row(tags, params![run_id]).await?.is_some() {
        return Ok(true);
    }
    let versions = "SELECT 1 AS found FROM model_versions
        WHERE workspace = 'default' AND run_id = $1 AND current_stage <> $2 LIMIT 1";
    Ok(tx.row(versions, params![run_id, versions::DELETED]).await?.is_some())
}

/// A dataset and a run that read it; each pair once.
#[derive(Debug)]
pub(crate) struct ReadBy {
    pub(crate) name: String,
    pub(crate) digest: String,
    pub(crate) run_id: String,
    pub(crate) run_name: String,
}

/// The first `limit` of who read datasets of this name or digest (or a digest that begins so, from 8 digits on): runs that
/// versions were made of first, deleted or not; of the others those that are not deleted.
pub(crate) async fn readers_of_dataset(tx: &mut Transaction, key: &str, limit: i64) -> Result<Vec<ReadBy>> {
    let begins_so = if key.len() >= 8 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        "OR substr(datasets.digest, 1, length($1)) = $1"
    } else {
        ""
    };
    let select = format!(
        "SELECT DISTINCT datasets.name, datasets.digest, runs.run_uuid, runs.name AS run_name,
            CASE WHEN made.run_id IS NULL THEN 1 ELSE 0 END AS place
        FROM datasets
        JOIN inputs ON inputs.source_id = datasets.dataset_uuid
            AND inputs.source_type = 'DATASET' AND inputs.destination_type = 'RUN'
        JOIN runs ON runs.run_uuid = inputs.destination_id
        LEFT JOIN (SELECT DISTINCT run_id FROM model_versions WHERE workspace = 'default' AND current_stage <> '{}') made
            ON made.run_id = runs.run_uuid
        WHERE (runs.lifecycle_stage = 'active' OR made.run_id IS NOT NULL)
            AND (datasets.name = $1 OR datasets.digest = $1 {begins_so})
        ORDER BY place, datasets.name, datasets.digest, runs.run_uuid LIMIT $2",
        versions::DELETED
    );
    let rows = tx.rows(&select, params![key, limit]).await?;
    let read = |row: &Row| {
        let run_name: Option<String> = row.get("run_name")?;
        let (name, digest, run_id) = (row.get("name")?, row.get("digest")?, row.get("run_uuid")?);
        Ok(ReadBy { name, digest, run_id, run_name: run_name.unwrap_or_default() })
    };
    rows.iter().map(read).collect()
}

/// Every dataset by name and digest with the number of runs that read it, by name, and the most read first.
pub(crate) async fn datasets(tx: &mut Transaction, limit: i64) -> Result<Vec<(String, String, i64)>> {
    let select = "SELECT datasets.name, datasets.digest, COUNT(DISTINCT inputs.destination_id) AS runs
        FROM datasets
        JOIN inputs ON inputs.source_id = datasets.dataset_uuid
            AND inputs.source_type = 'DATASET' AND inputs.destination_type = 'RUN'
        GROUP BY datasets.name, datasets.digest
        ORDER BY datasets.name, runs DESC, datasets.digest LIMIT $1";
    let rows = tx.rows(select, params![limit]).await?;
    rows.iter().map(|row| Ok((row.get("name")?, row.get("digest")?, row.get("runs")?))).collect()
}

/// The versions made of these runs, by name and number, without tags and aliases.
pub(crate) async fn versions_of_runs(tx: &mut Transaction, run_ids: &[String]) -> Result<Vec<Version>> {
    let select = format!(
        "SELECT {} FROM model_versions WHERE workspace = 'default' AND current_stage <> '{}' AND run_id",
        versions::COLUMNS,
        versions::DELETED
    );
    let rows = select_in(tx, &select, run_ids, "ORDER BY name, version").await?;
    rows.iter().map(versions::decode).collect()
}

/// Runs that versions were made of, with what they say of the features that they used.
pub(crate) async fn feature_tags(tx: &mut Transaction) -> Result<Vec<(String, String)>> {
    let select = "SELECT DISTINCT tags.run_uuid, tags.value
        FROM tags JOIN model_versions ON model_versions.run_id = tags.run_uuid
        WHERE tags.key = 'crosstie.features' AND model_versions.current_stage <> $1
        ORDER BY tags.run_uuid";
    let mut found = Vec::new();
    for row in tx.rows(select, params![versions::DELETED]).await? {
        let value: Option<String> = row.get("value")?;
        found.push((row.get("run_uuid")?, value.unwrap_or_default()));
    }
    Ok(found)
}

/// The runs that carry the id of one run of a workflow, oldest first.
pub(crate) async fn runs_of_workflow(tx: &mut Transaction, uid: &str) -> Result<Vec<String>> {
    let select = "SELECT runs.run_uuid FROM tags JOIN runs ON runs.run_uuid = tags.run_uuid
        WHERE tags.key = 'crosstie.run' AND tags.value = $1 AND runs.lifecycle_stage = 'active'
        ORDER BY runs.start_time, runs.run_uuid";
    tx.rows(select, params![uid]).await?.iter().map(|row| Ok(row.get("run_uuid")?)).collect()
}
