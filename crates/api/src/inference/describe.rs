//! Health, metadata, configuration and statistics over HTTP.

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Value, json};
use serving::InputSpec;

use super::{EXTENSIONS, InferenceState, SERVER_NAME, config as words, infer::Named};
use crate::error::{Error, InferenceError, http_status};

type Answer = Result<Json<Value>, InferenceError>;

/// Whether the process answers at all.
pub(super) async fn live() -> Json<Value> {
    Json(json!({ "live": true }))
}

/// Whether requests are taken.
pub(super) async fn ready(State(state): State<InferenceState>) -> Response {
    let ready = state.serving.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready }))).into_response()
}

/// Whether a version answers requests, and why not.
pub(super) async fn model_ready(State(state): State<InferenceState>, Path(named): Path<Named>) -> Response {
    let outcome = named.version().and_then(|version| Ok(state.serving.ready(&named.model, version)?));
    match outcome {
        Ok(()) => Json(json!({ "name": named.model, "ready": true })).into_response(),
        Err(Error { kind, message, .. }) => {
            let body = json!({ "name": named.model, "ready": false, "error": message });
            (http_status(kind), Json(body)).into_response()
        }
    }
}

/// What this server is.
pub(super) async fn server(State(state): State<InferenceState>) -> Json<Value> {
    Json(json!({ "name": SERVER_NAME, "version": state.version, "extensions": EXTENSIONS }))
}

/// What a version takes and gives. For each input beside the model's own, a parameter tells what it is to the gateway.
pub(super) async fn model(State(state): State<InferenceState>, Path(named): Path<Named>) -> Answer {
    let metadata = state.serving.metadata(&named.model, named.version()?).map_err(Error::from)?;
    let input = |input: &InputSpec| {
        json!({
            "name": input.name,
            "datatype": input.datatype,
            "shape": input.shape,
            "parameters": { "role": input.role.as_str(), "optional": input.optional },
        })
    };
    let output =
        |spec: &types::TensorSpec| json!({ "name": spec.name, "datatype": spec.datatype, "shape": spec.shape });
    let (platform, _) = words::platform(&metadata.backend);
    Ok(Json(json!({
        "name": metadata.model,
        "versions": metadata.versions.iter().map(u32::to_string).collect::<Vec<_>>(),
        "platform": platform,
        "inputs": metadata.inputs.iter().map(input).collect::<Vec<_>>(),
        "outputs": metadata.schema.outputs.iter().map(output).collect::<Vec<_>>(),
    })))
}

/// A version's configuration in Triton's words.
pub(super) async fn config(State(state): State<InferenceState>, Path(named): Path<Named>) -> Answer {
    let metadata = state.serving.metadata(&named.model, named.version()?).map_err(Error::from)?;
    Ok(Json(words::model_config_json(&metadata)))
}

/// The statistics of one model.
pub(super) async fn statistics(State(state): State<InferenceState>, Path(named): Path<Named>) -> Answer {
    statistics_of(&state, Some(&named.model), named.version()?)
}

/// The statistics of all models.
pub(super) async fn all_statistics(State(state): State<InferenceState>) -> Answer {
    statistics_of(&state, None, None)
}

fn statistics_of(state: &InferenceState, model: Option<&str>, version: Option<u32>) -> Answer {
    let statistics = state.serving.statistics(model, version).map_err(Error::from)?;
    Ok(Json(json!({ "model_stats": statistics.iter().map(words::statistics_json).collect::<Vec<_>>() })))
}
