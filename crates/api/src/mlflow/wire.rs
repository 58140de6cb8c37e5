//! Entities as MLflow's JSON.

use registry::{
    Alias, DatasetInput, Experiment, FileInfo, KeyValue, LoggedModel, Metric, RegisteredModel, Run, RunInfo, Version,
    webhooks::{Event, Webhook},
};
use serde_json::{Map, Value as Json, json};

/// An object of which absent fields and empty lists are left out, as proto2's JSON does.
#[derive(Default)]
struct Object(Map<String, Json>);

impl Object {
    fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    fn maybe(self, name: &str, value: Option<impl Into<Json>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn list<T>(self, name: &str, items: &[T], render: impl Fn(&T) -> Json) -> Self {
        if items.is_empty() { self } else { self.with(name, items.iter().map(render).collect::<Vec<_>>()) }
    }

    fn json(self) -> Json {
        Json::Object(self.0)
    }
}

/// A page of things under `name`.
pub(super) fn page<T>(name: &str, page: &registry::Page<T>, render: impl Fn(&T) -> Json) -> Json {
    Object::default().list(name, &page.items, render).maybe("next_page_token", page.next.clone()).json()
}

/// All things under `name`; nothing for none.
pub(super) fn list<T>(name: &str, items: &[T], render: impl Fn(&T) -> Json) -> Json {
    Object::default().list(name, items, render).json()
}

fn key_value(entry: &KeyValue) -> Json {
    json!({ "key": entry.key, "value": entry.value })
}

pub(super) fn experiment(experiment: &Experiment) -> Json {
    Object::default()
        .with("experiment_id", experiment.id.to_string())
        .with("name", experiment.name.clone())
        .with("artifact_location", experiment.artifact_location.clone())
        .with("lifecycle_stage", experiment.stage.as_str())
        .maybe("last_update_time", experiment.updated)
        .maybe("creation_time", experiment.created)
        .list("tags", &experiment.tags, key_value)
        .with("workspace", "default")
        .json()
}

pub(super) fn run_info(info: &RunInfo) -> Json {
    Object::default()
        .with("run_uuid", info.id.clone())
        .with("run_id", info.id.clone())
        .maybe("run_name", info.name.clone())
        .with("experiment_id", info.experiment_id.to_string())
        .with("user_id", info.user_id.clone())
        .with("status", info.status.as_str())
        .maybe("start_time", info.started)
        .maybe("end_time", info.ended.filter(|time| *time != 0))
        .with("artifact_uri", info.artifact_uri.clone())
        .with("lifecycle_stage", info.stage.as_str())
        .json()
}

pub(super) fn run(run: &Run) -> Json {
    let data = Object::default()
        .list("metrics", &run.metrics, metric)
        .list("params", &run.params, key_value)
        .list("tags", &run.tags, key_value);
    let inputs = Object::default().list("dataset_inputs", &run.datasets, dataset_input).list(
        "model_inputs",
        &run.model_inputs,
        |id| json!({ "model_id": id }),
    );
    let outputs = Object::default().list(
        "model_outputs",
        &run.model_outputs,
        |output| json!({ "model_id": output.model_id, "step": output.step }),
    );
    json!({
        "info": run_info(&run.info), "data": data.json(), "inputs": inputs.json(), "outputs": outputs.json(),
    })
}

/// A float; JSON has no word for some, MLflow has.
fn float(value: f64) -> Json {
    if value.is_nan() {
        "NaN".into()
    } else if value == f64::INFINITY {
        "Infinity".into()
    } else if value == f64::NEG_INFINITY {
        "-Infinity".into()
    } else {
        value.into()
    }
}

pub(super) fn metric(metric: &Metric) -> Json {
    Object::default()
        .with("key", metric.key.clone())
        .with("value", float(metric.value))
        .with("timestamp", metric.timestamp)
        .with("step", metric.step)
        .maybe("dataset_name", metric.dataset_name.clone())
        .maybe("dataset_digest", metric.dataset_digest.clone())
        .maybe("model_id", metric.model_id.clone())
        .maybe("run_id", metric.run_id.clone())
        .json()
}

fn dataset_input(input: &DatasetInput) -> Json {
    let dataset = Object::default()
        .with("name", input.dataset.name.clone())
        .with("digest", input.dataset.digest.clone())
        .with("source_type", input.dataset.source_type.clone())
        .with("source", input.dataset.source.clone())
        .maybe("schema", input.dataset.schema.clone())
        .maybe("profile", input.dataset.profile.clone());
    Object::default().list("tags", &input.tags, key_value).with("dataset", dataset.json()).json()
}

pub(super) fn logged_model(model: &LoggedModel) -> Json {
    let info = Object::default()
        .with("model_id", model.id.clone())
        .with("experiment_id", model.experiment_id.to_string())
        .with("name", model.name.clone())
        .with("creation_timestamp_ms", model.created)
        .with("last_updated_timestamp_ms", model.updated)
        .with("artifact_uri", model.artifact_uri.clone())
        .with("status", model.status.as_str())
        .maybe("status_message", model.status_message.clone())
        .maybe("model_type", model.model_type.clone())
        .maybe("source_run_id", model.source_run_id.clone())
        .list("tags", &model.tags, key_value);
    let data = Object::default().list("params", &model.params, key_value).list("metrics", &model.metrics, metric);
    json!({ "info": info.json(), "data": data.json() })
}

pub(super) fn registered_model(model: &RegisteredModel) -> Json {
    Object::default()
        .with("name", model.name.clone())
        .maybe("creation_timestamp", model.created)
        .maybe("last_updated_timestamp", model.updated)
        .maybe("description", model.description.clone().filter(|text| !text.is_empty()))
        .list("latest_versions", &model.latest_versions, version)
        .list("tags", &model.tags, key_value)
        .list("aliases", &model.aliases, alias)
        .json()
}

fn alias(alias: &Alias) -> Json {
    json!({ "alias": alias.alias, "version": alias.version.to_string() })
}

pub(super) fn version(version: &Version) -> Json {
    Object::default()
        .with("name", version.name.clone())
        .with("version", version.version.to_string())
        .with("creation_timestamp", version.created)
        .maybe("last_updated_timestamp", version.updated)
        .maybe("user_id", version.user_id.clone())
        .with("current_stage", version.stage.clone())
        .maybe("description", version.description.clone())
        .maybe("source", version.source.clone())
        .maybe("run_id", version.run_id.clone())
        .with("status", version.status.clone())
        .maybe("status_message", version.status_message.clone().filter(|text| !text.is_empty()))
        .list("tags", &version.tags, key_value)
        .maybe("run_link", version.run_link.clone())
        .list("aliases", &version.aliases, |alias| Json::from(alias.clone()))
        .json()
}

pub(super) fn webhook(webhook: &Webhook) -> Json {
    let event = |event: &Event| {
        let (entity, action) = (event.entity().as_str(), event.action().as_str());
        json!({ "entity": entity.to_ascii_uppercase(), "action": action.to_ascii_uppercase() })
    };
    Object::default()
        .with("webhook_id", webhook.id.clone())
        .with("name", webhook.name.clone())
        .maybe("description", webhook.description.clone().filter(|text| !text.is_empty()))
        .with("url", webhook.url.clone())
        .list("events", &webhook.events, event)
        .with("status", webhook.status.as_str())
        .maybe("creation_timestamp", webhook.created)
        .maybe("last_updated_timestamp", webhook.updated)
        .json()
}

pub(super) fn listing(listing: &registry::Listing) -> Json {
    Object::default().with("root_uri", listing.root_uri.clone()).list("files", &listing.files, file).json()
}

pub(super) fn file(file: &FileInfo) -> Json {
    Object::default()
        .with("path", file.path.clone())
        .with("is_dir", file.is_dir)
        .maybe("file_size", file.size.filter(|size| *size > 0))
        .json()
}
