//! `datasets`, `inputs` and `input_tags`: what runs read and made.

use std::collections::HashMap;

use database::{Row, Transaction, params};
use uuid::Uuid;

use crate::{
    Dataset, DatasetInput, DatasetSummary, KeyValue, ModelOutput,
    error::Result,
    repo::{distinct, select_in, sql::Sql},
};

fn new_uuid() -> String {
    Uuid::new_v4().simple().to_string()
}

/// The dataset's uuid; it is inserted if the experiment does not have it.
async fn dataset_uuid(tx: &mut Transaction, experiment_id: i64, dataset: &Dataset) -> Result<String> {
    let select = "SELECT dataset_uuid FROM datasets WHERE experiment_id = $1 AND name = $2 AND digest = $3";
    let key = params![experiment_id, &dataset.name, &dataset.digest];
    if let Some(row) = tx.row(select, key).await? {
        return Ok(row.get("dataset_uuid")?);
    }
    let uuid = new_uuid();
    let insert = "INSERT INTO datasets
            (dataset_uuid, experiment_id, name, digest, dataset_source_type, dataset_source, dataset_schema,
             dataset_profile)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let Dataset { name, digest, source_type, source, schema, profile } = dataset;
    let values = params![&uuid, experiment_id, name, digest, source_type, source, schema.as_ref(), profile.as_ref()];
    tx.execute(insert, values).await?;
    Ok(uuid)
}

/// Records that a run read a dataset. Read before, it keeps the tags that it had.
pub(crate) async fn insert_dataset(
    tx: &mut Transaction,
    experiment_id: i64,
    run_id: &str,
    input: &DatasetInput,
) -> Result<()> {
    let dataset = dataset_uuid(tx, experiment_id, &input.dataset).await?;
    let uuid = new_uuid();
    if insert_edge(tx, &uuid, ("DATASET", &dataset), ("RUN", run_id), 0).await? {
        let rows = distinct(&input.tags).into_iter().map(|tag| params![&uuid, &tag.key, &tag.value]);
        let head = "INSERT INTO input_tags (input_uuid, name, value) VALUES";
        tx.insert(head, "ON CONFLICT (input_uuid, name) DO UPDATE SET value = excluded.value", rows).await?;
    }
    Ok(())
}

/// Records that a run read a logged model.
pub(crate) async fn insert_model_input(tx: &mut Transaction, run_id: &str, model_id: &str) -> Result<()> {
    insert_edge(tx, &new_uuid(), ("RUN_INPUT", run_id), ("MODEL_INPUT", model_id), 0).await?;
    Ok(())
}

/// Records that a run made a logged model.
pub(crate) async fn insert_model_output(tx: &mut Transaction, run_id: &str, output: &ModelOutput) -> Result<()> {
    let destination = ("MODEL_OUTPUT", output.model_id.as_str());
    insert_edge(tx, &new_uuid(), ("RUN_OUTPUT", run_id), destination, output.step).await?;
    Ok(())
}

/// Whether the edge is new.
async fn insert_edge(
    tx: &mut Transaction,
    uuid: &str,
    source: (&str, &str),
    destination: (&str, &str),
    step: i64,
) -> Result<bool> {
    let insert = "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id, step)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let values = params![uuid, source.0, source.1, destination.0, destination.1, step];
    Ok(tx.execute(insert, values).await? > 0)
}

/// The datasets that runs read, by run.
pub(crate) async fn datasets(tx: &mut Transaction, run_ids: &[String]) -> Result<HashMap<String, Vec<DatasetInput>>> {
    let select = "SELECT inputs.destination_id, inputs.input_uuid, datasets.name, datasets.digest,
            datasets.dataset_source_type, datasets.dataset_source, datasets.dataset_schema, datasets.dataset_profile
        FROM inputs JOIN datasets ON datasets.dataset_uuid = inputs.source_id
        WHERE inputs.source_type = 'DATASET' AND inputs.destination_type = 'RUN' AND inputs.destination_id";
    let mut found: HashMap<String, Vec<DatasetInput>> = HashMap::new();
    // Not sorted: clients expect them as they were logged, which is how the index on destinations holds them.
    let rows = select_in(tx, select, run_ids, "").await?;
    if rows.is_empty() {
        return Ok(found);
    }
    let mut tags = tags_of(tx, &rows).await?;
    for row in rows {
        let dataset = Dataset {
            name: row.get("name")?,
            digest: row.get("digest")?,
            source_type: row.get("dataset_source_type")?,
            source: row.get("dataset_source")?,
            schema: row.get("dataset_schema")?,
            profile: row.get("dataset_profile")?,
        };
        let tags = tags.remove(&row.get::<String>("input_uuid")?).unwrap_or_default();
        found.entry(row.get("destination_id")?).or_default().push(DatasetInput { dataset, tags });
    }
    Ok(found)
}

async fn tags_of(tx: &mut Transaction, inputs: &[Row]) -> Result<HashMap<String, Vec<KeyValue>>> {
    let uuids = inputs.iter().map(|row| row.get("input_uuid")).collect::<Result<Vec<String>, _>>()?;
    let select = "SELECT input_uuid AS owner, name AS key, value FROM input_tags WHERE input_uuid";
    super::key_values(tx, select, &uuids).await
}

/// The logged models that runs read, and those that they made, by run.
pub(crate) async fn models(
    tx: &mut Transaction,
    run_ids: &[String],
) -> Result<(HashMap<String, Vec<String>>, HashMap<String, Vec<ModelOutput>>)> {
    let select = "SELECT source_type, source_id, destination_id, step FROM inputs
        WHERE source_type IN ('RUN_INPUT', 'RUN_OUTPUT') AND destination_type IN ('MODEL_INPUT', 'MODEL_OUTPUT')
          AND source_id";
    let mut read: HashMap<String, Vec<String>> = HashMap::new();
    let mut made: HashMap<String, Vec<ModelOutput>> = HashMap::new();
    for row in select_in(tx, select, run_ids, "ORDER BY step, destination_id").await? {
        let (run, model_id): (String, String) = (row.get("source_id")?, row.get("destination_id")?);
        if row.get::<String>("source_type")? == "RUN_INPUT" {
            read.entry(run).or_default().push(model_id);
        } else {
            made.entry(run).or_default().push(ModelOutput { model_id, step: row.get("step")? });
        }
    }
    Ok((read, made))
}

/// Datasets that one summary lists; MLflow's number.
const MOST_SUMMARIES: i64 = 1_000;

/// The datasets of experiments, each once for each context in which a run read it.
pub(crate) async fn dataset_summaries(tx: &mut Transaction, experiments: &[i64]) -> Result<Vec<DatasetSummary>> {
    let mut sql = Sql::new(
        "SELECT DISTINCT datasets.experiment_id, datasets.name, datasets.digest, input_tags.value AS context
         FROM datasets JOIN inputs ON inputs.source_id = datasets.dataset_uuid
         LEFT JOIN input_tags ON input_tags.input_uuid = inputs.input_uuid AND input_tags.name = 'mlflow.data.context'
         WHERE datasets.experiment_id IN ",
    );
    sql.bind_list(experiments.iter().copied());
    sql.push(" ORDER BY datasets.experiment_id, datasets.name, datasets.digest, context LIMIT ").bind(MOST_SUMMARIES);
    let (text, values) = sql.into_parts();
    let rows = tx.rows(&text, values).await?;
    let summary = |row: &Row| {
        Ok(DatasetSummary {
            experiment_id: row.get("experiment_id")?,
            name: row.get("name")?,
            digest: row.get("digest")?,
            context: row.get("context")?,
        })
    };
    rows.iter().map(summary).collect()
}
