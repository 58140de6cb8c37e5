//! What is logged on runs: metrics, params, tags, inputs and outputs.

use axum::{extract::State, response::IntoResponse};
use http::{HeaderValue, header::CONTENT_TYPE};
use registry::{Dataset, DatasetInput, HistoryRequest, KeyValue, Metric, ModelOutput, RunBatch};
use serde_json::Value as JsonValue;
use types::ErrorKind;

use super::{
    Answer, Fields, MlflowState, batch, done,
    fields::{Body, body_fields, missing, wrong_type},
    points, route,
};
use crate::{
    error::{Error, MlflowError},
    routes::Route,
};

pub(super) fn routes(state: &MlflowState) -> Vec<Route> {
    vec![
        route!(state, POST "runs/log-metric" WRITES log_metric),
        route!(state, POST "runs/log-parameter" WRITES log_param),
        route!(state, POST "runs/set-tag" WRITES set_tag),
        route!(state, POST "runs/delete-tag" WRITES delete_tag),
        route!(state, POST "runs/log-batch" WRITES log_batch),
        route!(state, POST "runs/log-inputs" WRITES log_inputs),
        route!(state, POST "runs/outputs" WRITES log_outputs),
        route!(state, POST "runs/log-model" WRITES log_model),
        route!(state, GET "metrics/get-history" READS history),
    ]
}

/// A metric; `path` names it in errors.
fn metric(fields: &Fields, path: &str) -> Result<Metric, Error> {
    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let optional = |name: &str| Ok::<_, Error>(fields.text(name)?.filter(|text| !text.is_empty()).map(str::to_owned));
    let key = fields.text("key")?.filter(|key| !key.is_empty()).ok_or_else(|| missing(&at("key")))?;
    Ok(Metric {
        key: key.to_owned(),
        value: fields.float("value")?.ok_or_else(|| missing(&at("value")))?,
        timestamp: fields.integer("timestamp")?.ok_or_else(|| missing(&at("timestamp")))?,
        step: fields.integer("step")?.unwrap_or_default(),
        model_id: optional("model_id")?,
        dataset_name: optional("dataset_name")?,
        dataset_digest: optional("dataset_digest")?,
        run_id: None,
    })
}

async fn log_metric(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let run_id = fields.run_id()?;
    state.registry.log_metric(run_id, metric(&fields, "")?).await?;
    done()
}

/// `key` and `value` of a param or tag.
fn key_value(fields: &Fields) -> Result<KeyValue, Error> {
    Ok(KeyValue::new(fields.required("key")?, fields.text_or_empty("value")?))
}

async fn log_param(State(state): State<MlflowState>, fields: Fields) -> Answer {
    state.registry.log_param(fields.run_id()?, key_value(&fields)?).await?;
    done()
}

async fn set_tag(State(state): State<MlflowState>, fields: Fields) -> Answer {
    state.registry.set_tag(fields.run_id()?, key_value(&fields)?).await?;
    done()
}

async fn delete_tag(State(state): State<MlflowState>, fields: Fields) -> Answer {
    state.registry.delete_tag(fields.run_id()?, fields.required("key")?).await?;
    done()
}

async fn log_batch(State(state): State<MlflowState>, body: Body) -> Answer {
    let (run_id, batch) = match batch::read(&body.0) {
        Some(read) => read,
        None => run_batch(&body_fields(&body.0)?)?,
    };
    state.registry.log_batch(&run_id, batch).await?;
    done()
}

/// A run and a batch, by every convention.
fn run_batch(fields: &Fields) -> Result<(String, RunBatch), Error> {
    let run_id = fields.run_id()?;
    let metrics = fields.objects("metrics")?;
    let metrics = metrics.iter().enumerate().map(|(index, fields)| metric(fields, &format!("metrics[{index}]")));
    let batch = RunBatch {
        metrics: metrics.collect::<Result<_, _>>()?,
        params: fields.key_values("params")?,
        tags: fields.key_values("tags")?,
    };
    Ok((run_id.to_owned(), batch))
}

fn dataset_input(fields: &Fields) -> Result<DatasetInput, Error> {
    let dataset = fields.object("dataset")?.ok_or_else(|| Error::invalid("Dataset cannot be None"))?;
    let text = |name: &str| Ok::<_, Error>(dataset.text_or_empty(name)?.to_owned());
    let optional = |name: &str| Ok::<_, Error>(dataset.text(name)?.map(str::to_owned));
    Ok(DatasetInput {
        dataset: Dataset {
            name: text("name")?,
            digest: text("digest")?,
            source_type: text("source_type")?,
            source: text("source")?,
            schema: optional("schema")?,
            profile: optional("profile")?,
        },
        tags: fields.key_values("tags")?,
    })
}

async fn log_inputs(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let datasets = fields.objects("datasets")?.iter().map(dataset_input).collect::<Result<Vec<_>, _>>()?;
    let models = fields.objects("models")?;
    let models = models.iter().map(|model| Ok::<_, Error>(model.required("model_id")?.to_owned()));
    let models = models.collect::<Result<Vec<_>, _>>()?;
    state.registry.log_inputs(fields.run_id()?, datasets, models).await?;
    done()
}

async fn log_outputs(State(state): State<MlflowState>, fields: Fields) -> Answer {
    if !fields.has("models") {
        return Err(missing("models").into());
    }
    let models = fields.objects("models")?;
    let models = models.iter().map(|model| {
        let model_id = model.required("model_id")?.to_owned();
        Ok::<_, Error>(ModelOutput { model_id, step: model.integer("step")?.unwrap_or_default() })
    });
    let models = models.collect::<Result<Vec<_>, _>>()?;
    state.registry.log_outputs(fields.run_id()?, models).await?;
    done()
}

async fn log_model(State(state): State<MlflowState>, fields: Fields) -> Answer {
    /// What a model's description must have.
    const NEEDED: [&str; 4] = ["artifact_path", "flavors", "utc_time_created", "run_id"];
    let run_id = fields.run_id()?;
    let text = fields.required("model_json")?;
    let model: JsonValue = serde_json::from_str(text)
        .map_err(|_| Error::invalid(format!("Malformed model info. \n {text} \n is not a valid JSON.")))?;
    let Some(description) = model.as_object() else { return Err(wrong_type("model_json", &model).into()) };
    let absent: Vec<_> = NEEDED.into_iter().filter(|name| !description.contains_key(*name)).collect();
    if !absent.is_empty() {
        let absent = absent.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        return Err(Error::invalid(format!("Model json is missing mandatory fields: {{{absent}}}")).into());
    }
    state.registry.record_logged_model(run_id, model).await?;
    done()
}

async fn history(State(state): State<MlflowState>, fields: Fields) -> Result<impl IntoResponse, MlflowError> {
    let key = fields.required("metric_key")?.to_owned();
    let request = HistoryRequest {
        run_id: fields.run_id()?.to_owned(),
        key: key.clone(),
        max_results: fields.integer("max_results")?,
        page_token: fields.text("page_token")?.map(str::to_owned),
    };
    let page = state.registry.metric_points(request).await?;
    // Long histories take milliseconds to be written, in which this thread would serve nobody else.
    let written = tokio::task::spawn_blocking(move || points::history(&key, &page)).await;
    let bytes = written.map_err(|error| Error::of(ErrorKind::Internal, &error))?;
    let bytes = bytes.map_err(|error| Error::of(ErrorKind::Internal, &error))?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes))
}
