//! Lineage over HTTP: of a version with its graph, of a run, and downstream of datasets and feature views; and the files
//! that a run keeps for it.

use std::io;

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use futures::{StreamExt as _, TryStreamExt as _};
use http::{
    HeaderValue, Method,
    header::{CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};
use serde_json::{Value as JsonValue, json};
use types::{ModelVersion, Role};

use crate::{
    error::{CrosstieError, Error},
    routes::{Access, Route},
};

/// What these routes need.
#[derive(Debug, Clone)]
pub struct LineageState {
    /// Lineage itself.
    pub registry: registry::Service,
    /// Where a run's files lie.
    pub artifacts: artifacts::Store,
}

/// The routes of this module.
pub fn routes(state: &LineageState) -> Vec<Route> {
    let (reads, writes) = (Access::Role(Role::Viewer), Access::Role(Role::Editor));
    let at = |path: &str| format!("/crosstie/v1/{path}");
    let file = at("lineage/runs/{run_id}/files/{name}");
    vec![
        Route::new(Method::GET, at("models/{model}/versions/{version}/lineage"), reads, version, state.clone()),
        Route::new(Method::GET, at("lineage/models/{model}/versions/{version}"), reads, graph, state.clone()),
        Route::new(Method::GET, at("lineage/datasets"), reads, datasets, state.clone()),
        Route::new(Method::GET, at("lineage/datasets/{key}"), reads, readers_of_dataset, state.clone()),
        Route::new(Method::GET, at("lineage/features/{view}"), reads, readers_of_feature, state.clone()),
        Route::new(Method::GET, at("lineage/runs/{run_id}"), reads, run, state.clone()),
        Route::new(Method::GET, at("lineage/workflows/{uid}"), reads, runs_of_workflow, state.clone()),
        Route::new(Method::GET, file.clone(), reads, read_file, state.clone()),
        Route::new(Method::PUT, file, writes, write_file, state.clone()),
    ]
}

async fn version(
    State(state): State<LineageState>,
    Path((model, version)): Path<(String, String)>,
) -> Result<Json<registry::Lineage>, CrosstieError> {
    let version: ModelVersion = format!("{model}/{version}").parse()?;
    Ok(Json(state.registry.lineage(&version).await?))
}

/// What [`version`] answers, and the graph.
async fn graph(
    State(state): State<LineageState>,
    Path((model, version)): Path<(String, String)>,
) -> Result<Json<JsonValue>, CrosstieError> {
    let version: ModelVersion = format!("{model}/{version}").parse()?;
    let (lineage, graph) = state.registry.lineage_graph(&version).await?;
    let mut answer = json!(lineage);
    answer["graph"] = json!(graph);
    Ok(Json(answer))
}

async fn datasets(State(state): State<LineageState>) -> Result<Json<JsonValue>, CrosstieError> {
    Ok(Json(json!({ "datasets": state.registry.read_datasets().await? })))
}

async fn readers_of_dataset(
    State(state): State<LineageState>,
    Path(key): Path<String>,
) -> Result<Json<registry::Readers>, CrosstieError> {
    Ok(Json(state.registry.readers_of_dataset(&key).await?))
}

async fn readers_of_feature(
    State(state): State<LineageState>,
    Path(view): Path<String>,
) -> Result<Json<registry::Readers>, CrosstieError> {
    Ok(Json(state.registry.readers_of_feature(&view).await?))
}

async fn run(
    State(state): State<LineageState>,
    Path(run_id): Path<String>,
) -> Result<Json<registry::RunLineage>, CrosstieError> {
    Ok(Json(state.registry.run_lineage(&run_id).await?))
}

/// The runs that one `crosstie run` made.
async fn runs_of_workflow(
    State(state): State<LineageState>,
    Path(uid): Path<String>,
) -> Result<Json<JsonValue>, CrosstieError> {
    Ok(Json(json!({ "runs": state.registry.runs_of_workflow(&uid).await? })))
}

async fn read_file(
    State(state): State<LineageState>,
    Path((run_id, name)): Path<(String, String)>,
) -> Result<Response, CrosstieError> {
    let path = state.registry.evidence_file(&run_id, &name).await?;
    let object = state.artifacts.get(&path).await.map_err(Error::from)?;
    let mut response = Body::from_stream(object.content).into_response();
    let headers = response.headers_mut();
    // What somebody uploaded is never to be run by a browser.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(object.size));
    Ok(response)
}

async fn write_file(
    State(state): State<LineageState>,
    Path((run_id, name)): Path<(String, String)>,
    body: Body,
) -> Result<Json<JsonValue>, CrosstieError> {
    let content = body.into_data_stream().map_err(io::Error::other).boxed();
    state.registry.keep_evidence(&run_id, &name, content).await?;
    Ok(Json(json!({})))
}
