//! What is loaded, and Triton's settings, over HTTP. Settings can be read, since clients do; none can be changed here.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use serving::{Arm, VersionState};
use types::ErrorKind;

use super::{InferenceState, NO_LOGGING, NO_SHARED_MEMORY, NO_TRACING};
use crate::error::{Error, InferenceError};

type Answer = Result<Json<Value>, InferenceError>;

/// A row of the repository index.
#[derive(Debug)]
pub(super) struct Indexed {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) state: &'static str,
    pub(super) reason: String,
}

/// The versions that serve or should; with `only_ready`, those that do.
pub(super) fn indexed(state: &InferenceState, only_ready: bool) -> Vec<Indexed> {
    let versions = state.serving.status().models.into_iter().flat_map(|model| model.versions);
    let rows = versions.filter(|status| matches!(status.arm, Arm::Stable | Arm::Canary)).map(|status| {
        let (word, reason) = match status.state {
            VersionState::Ready => ("READY", String::new()),
            VersionState::Loading => ("LOADING", String::new()),
            VersionState::Failed { reason, .. } => ("UNAVAILABLE", reason),
            VersionState::Unloaded => ("UNAVAILABLE", "unloaded".to_owned()),
        };
        Indexed {
            name: status.version.model.to_string(),
            version: status.version.version.to_string(),
            state: word,
            reason,
        }
    });
    rows.filter(|row| !only_ready || row.state == "READY").collect()
}

#[derive(Debug, Default, Deserialize)]
struct IndexQuery {
    #[serde(default)]
    ready: bool,
}

/// What is loaded.
pub(super) async fn index(State(state): State<InferenceState>, body: Bytes) -> Answer {
    let query: IndexQuery = parsed(&body)?;
    let row =
        |row: Indexed| json!({ "name": row.name, "version": row.version, "state": row.state, "reason": row.reason });
    Ok(Json(indexed(&state, query.ready).into_iter().map(row).collect()))
}

#[derive(Debug, Default, Deserialize)]
struct RepositoryRequest {
    #[serde(default)]
    parameters: Map<String, Value>,
}

/// Loads a model's released versions again.
pub(super) async fn load(State(state): State<InferenceState>, Path(model): Path<String>, body: Bytes) -> Answer {
    let request: RepositoryRequest = parsed(&body)?;
    refuse_overrides(request.parameters.keys())?;
    state.serving.load(&model).await.map_err(Error::from)?;
    Ok(Json(json!({})))
}

/// Takes a model's versions out of memory.
pub(super) async fn unload(State(state): State<InferenceState>, Path(model): Path<String>) -> Answer {
    state.serving.unload(&model).map_err(Error::from)?;
    Ok(Json(json!({})))
}

/// A model is what was released: its configuration and files are not taken from a request.
pub(super) fn refuse_overrides<'a>(parameters: impl Iterator<Item = &'a String>) -> Result<(), Error> {
    match parameters.into_iter().next() {
        Some(parameter) => Err(Error::invalid(format!(
            "the parameter `{parameter}` is not supported: only released versions are loaded, as they were released"
        ))),
        None => Ok(()),
    }
}

fn parsed<T: Default + for<'de> Deserialize<'de>>(body: &Bytes) -> Result<T, Error> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| Error::invalid(format!("the request is not valid JSON: {error}")))
}

/// Triton's trace settings, as they are where tracing is off.
pub(super) const TRACE_SETTINGS: [(&str, &str); 6] = [
    ("trace_level", "OFF"),
    ("trace_rate", "1000"),
    ("trace_count", "-1"),
    ("log_frequency", "0"),
    ("trace_file", ""),
    ("trace_mode", "triton"),
];

/// The trace settings.
pub(super) async fn trace_settings() -> Json<Value> {
    let level = |(name, value): (&str, &str)| {
        let value = if name == "trace_level" { json!([value]) } else { json!(value) };
        (name.to_owned(), value)
    };
    Json(Value::Object(TRACE_SETTINGS.into_iter().map(level).collect()))
}

/// Refuses to change the trace settings.
pub(super) async fn set_trace_settings() -> Answer {
    Err(Error::new(ErrorKind::Unimplemented, NO_TRACING).into())
}

/// The log settings.
pub(super) async fn log_settings() -> Json<Value> {
    Json(json!({
        "log_file": "",
        "log_info": true,
        "log_warning": true,
        "log_error": true,
        "log_verbose_level": 0,
        "log_format": "default",
    }))
}

/// Refuses to change the log settings.
pub(super) async fn set_log_settings() -> Answer {
    Err(Error::new(ErrorKind::Unimplemented, NO_LOGGING).into())
}

/// The regions of shared memory: none.
pub(super) async fn no_regions() -> Json<Value> {
    Json(json!([]))
}

/// A region that is not there.
pub(super) async fn no_region(Path(region): Path<String>) -> Answer {
    Err(Error::invalid(format!("unable to find shared memory region `{region}`")).into())
}

/// Refuses to register a region.
pub(super) async fn no_shared_memory() -> Answer {
    Err(Error::new(ErrorKind::Unimplemented, NO_SHARED_MEMORY).into())
}

/// Nothing is registered, so nothing is left to do.
pub(super) async fn nothing_to_unregister() -> Json<Value> {
    Json(json!({}))
}
