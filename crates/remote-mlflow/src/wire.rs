//! MLflow's JSON as entities. Servers differ in whether 64-bit integers are numbers or text; both are read.

use registry::{Dataset, DatasetInput, KeyValue, LifecycleStage, Metric, Run, RunInfo, RunStatus, Version};
use serde_json::Value as Json;

/// Why an answer is not understood.
pub(crate) type Strange = String;

fn text(value: &Json, name: &str) -> Option<String> {
    match &value[name] {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

fn required(value: &Json, name: &str) -> Result<String, Strange> {
    text(value, name).ok_or_else(|| format!("it has no `{name}`"))
}

pub(crate) fn integer(value: &Json, name: &str) -> Option<i64> {
    match &value[name] {
        Json::Number(number) => number.as_i64(),
        Json::String(text) => text.parse().ok(),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

/// A float, or MLflow's words for what JSON has none for.
fn float(value: &Json) -> Option<f64> {
    match value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            other => other.parse().ok(),
        },
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

pub(crate) fn list(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn key_values(value: &Json) -> Vec<KeyValue> {
    let entry = |entry: &Json| Some(KeyValue::new(text(entry, "key")?, text(entry, "value").unwrap_or_default()));
    list(value).iter().filter_map(entry).collect()
}

pub(crate) fn version(value: &Json) -> Result<Version, Strange> {
    let number = integer(value, "version").and_then(|number| u32::try_from(number).ok());
    Ok(Version {
        name: required(value, "name")?,
        version: number.ok_or("it has no `version` that is a number")?,
        created: integer(value, "creation_timestamp").unwrap_or_default(),
        updated: integer(value, "last_updated_timestamp"),
        description: text(value, "description"),
        user_id: text(value, "user_id"),
        stage: text(value, "current_stage").unwrap_or_else(|| "None".to_owned()),
        source: text(value, "source"),
        storage_location: None,
        run_id: text(value, "run_id"),
        status: text(value, "status").unwrap_or_else(|| "READY".to_owned()),
        status_message: text(value, "status_message"),
        run_link: text(value, "run_link"),
        tags: key_values(&value["tags"]),
        aliases: Vec::new(),
    })
}

pub(crate) fn run(value: &Json) -> Result<Run, Strange> {
    let (info, data, inputs) = (&value["info"], &value["data"], &value["inputs"]);
    let status = text(info, "status").unwrap_or_default();
    let deleted = text(info, "lifecycle_stage").as_deref() == Some("deleted");
    Ok(Run {
        info: RunInfo {
            id: text(info, "run_id").or_else(|| text(info, "run_uuid")).ok_or("it has no `run_id`")?,
            name: text(info, "run_name"),
            experiment_id: 0,
            user_id: text(info, "user_id").unwrap_or_default(),
            status: RunStatus::parse(&status).ok_or_else(|| format!("`{status}` is no status of a run"))?,
            started: integer(info, "start_time"),
            ended: integer(info, "end_time"),
            artifact_uri: text(info, "artifact_uri").unwrap_or_default(),
            stage: if deleted { LifecycleStage::Deleted } else { LifecycleStage::Active },
        },
        metrics: list(&data["metrics"]).iter().filter_map(metric).collect(),
        params: key_values(&data["params"]),
        tags: key_values(&data["tags"]),
        datasets: list(&inputs["dataset_inputs"]).iter().filter_map(dataset).collect(),
        model_inputs: Vec::new(),
        model_outputs: Vec::new(),
    })
}

fn metric(value: &Json) -> Option<Metric> {
    Some(Metric {
        key: text(value, "key")?,
        value: float(&value["value"])?,
        timestamp: integer(value, "timestamp").unwrap_or_default(),
        step: integer(value, "step").unwrap_or_default(),
        model_id: None,
        dataset_name: None,
        dataset_digest: None,
        run_id: None,
    })
}

fn dataset(value: &Json) -> Option<DatasetInput> {
    let dataset = &value["dataset"];
    Some(DatasetInput {
        dataset: Dataset {
            name: text(dataset, "name")?,
            digest: text(dataset, "digest")?,
            source_type: text(dataset, "source_type").unwrap_or_default(),
            source: text(dataset, "source").unwrap_or_default(),
            schema: text(dataset, "schema"),
            profile: text(dataset, "profile"),
        },
        tags: key_values(&value["tags"]),
    })
}

/// A file or folder of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) path: String,
    pub(crate) is_dir: bool,
    pub(crate) size: Option<u64>,
}

pub(crate) fn listed(value: &Json) -> Result<Listed, Strange> {
    Ok(Listed {
        path: required(value, "path")?,
        is_dir: value["is_dir"].as_bool().unwrap_or_default(),
        size: integer(value, "file_size").and_then(|size| u64::try_from(size).ok()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_may_be_text_and_what_json_has_no_word_for_has_mlflows() {
        let found = version(&json!({ "name": "m", "version": 3, "creation_timestamp": "17" })).unwrap();
        assert_eq!((found.version, found.created, found.status.as_str()), (3, 17, "READY"));
        let metric = metric(&json!({ "key": "a", "value": "-Infinity", "step": "2" })).unwrap();
        assert_eq!((metric.value, metric.step), (f64::NEG_INFINITY, 2));
        assert!(version(&json!({ "version": "x", "name": "m" })).is_err());
        assert!(run(&json!({ "info": { "run_id": "r", "status": "LOST" } })).is_err());
    }
}
