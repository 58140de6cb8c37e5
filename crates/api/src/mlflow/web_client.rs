//! Calls that only MLflow's web client makes.
//!
//! It asks on its pages of runs and experiments, too, for parts of MLflow that this server does not have. Where that is a
//! list, it is empty, and says so only as long as MLflow's tables hold nothing for it; what there is and cannot be shown
//! answers 501. What the client asks about the server itself (who is logged in, which assistants there are, whether to
//! report what its user does) is answered with nothing and no.

use axum::{
    Json,
    body::{Body, Bytes, to_bytes},
    extract::State,
};
use futures::{StreamExt as _, stream};
use http::{HeaderMap, Method, Uri, header};
use registry::Unread;
use serde_json::{Value as JsonValue, json};
use types::ErrorKind;

use super::{Answer, Fields, MlflowState, READS, WRITES, done, unbuilt::not_built};
use crate::{
    error::{Error, MlflowError},
    routes::Route,
};

/// Largest file that the web client may upload.
const LARGEST_UPLOAD: usize = 10 * 1024 * 1024;

fn both(path: &str) -> [String; 2] {
    ["/api", "/ajax-api"].map(|prefix| format!("{prefix}/{path}"))
}

pub(super) fn routes(state: &MlflowState) -> Vec<Route> {
    let mut routes = Vec::new();
    for path in both("2.0/mlflow/upload-artifact") {
        routes.push(Route::new(Method::POST, path, WRITES, upload, state.clone()));
    }
    for path in both("3.0/mlflow/traces/search") {
        routes.push(Route::new(Method::POST, path, READS, search_traces, state.clone()));
    }
    for path in both("3.0/mlflow/traces/metrics") {
        routes.push(Route::new(Method::POST, path, READS, trace_metrics, state.clone()));
    }
    for path in both("3.0/mlflow/datasets/search") {
        routes.push(Route::new(Method::POST, path, READS, search_evaluation_datasets, state.clone()));
    }
    for path in both("3.0/mlflow/scorers/list") {
        routes.push(Route::new(Method::GET, path, READS, list_scorers, state.clone()));
    }
    routes
}

/// What the client asks about the server itself.
pub(super) fn about_this_server() -> Vec<Route> {
    let mut routes = Vec::new();
    for path in both("3.0/mlflow/ui-telemetry") {
        routes.push(Route::new(Method::GET, path.as_str(), READS, telemetry, ()));
        routes.push(Route::new(Method::POST, path, READS, no_telemetry, ()));
    }
    for path in both("2.0/mlflow/gateway-proxy") {
        routes.push(Route::new(Method::GET, path.as_str(), READS, no_gateway, ()));
        routes.push(Route::new(Method::POST, path, READS, no_gateway, ()));
    }
    // Nobody logs in to this server with MLflow's accounts: no user.
    routes.push(Route::new(Method::GET, "/ajax-api/2.0/mlflow/users/current", READS, done_at_once, ()));
    let assistant = "/ajax-api/3.0/mlflow/assistant";
    routes.push(Route::new(Method::GET, format!("{assistant}/config"), READS, assistant_config, ()));
    routes.push(Route::new(Method::GET, format!("{assistant}/providers"), READS, assistant_providers, ()));
    routes
}

/// MLflow's answer where no gateway is set up, whatever is asked of it.
async fn no_gateway() -> Json<JsonValue> {
    Json(json!({ "endpoints": [] }))
}

async fn done_at_once() -> Answer {
    done()
}

async fn assistant_config() -> Json<JsonValue> {
    Json(json!({ "providers": {}, "projects": {}, "remote_access_allowed": false }))
}

async fn assistant_providers() -> Json<JsonValue> {
    Json(json!({ "providers": [], "resolved": null, "gateway_vendor_options": {} }))
}

async fn telemetry() -> Json<JsonValue> {
    Json(json!({ "disable_ui_telemetry": true, "disable_ui_events": [], "ui_rollout_percentage": 0 }))
}

async fn no_telemetry() -> Json<JsonValue> {
    Json(json!({ "status": "disabled" }))
}

/// Refuses to call empty what is not.
async fn nothing_there(state: &MlflowState, part: Unread, experiments: &[String]) -> Result<bool, MlflowError> {
    Ok(!state.registry.holds_unread(part, experiments).await?)
}

async fn search_traces(State(state): State<MlflowState>, method: Method, uri: Uri, fields: Fields) -> Answer {
    let mut experiments = Vec::new();
    for location in fields.objects("locations")? {
        let experiment = location.object("mlflow_experiment")?.unwrap_or_default();
        experiments.extend(experiment.text("experiment_id")?.map(str::to_owned));
    }
    if nothing_there(&state, Unread::Traces, &experiments).await? { done() } else { not_built(method, uri).await }
}

/// No traces have no metrics, and their number is 0.
async fn trace_metrics(State(state): State<MlflowState>, method: Method, uri: Uri, fields: Fields) -> Answer {
    if !nothing_there(&state, Unread::Traces, &fields.texts("experiment_ids")?).await? {
        return not_built(method, uri).await;
    }
    let in_groups = fields.has("time_interval_seconds") || !fields.texts("dimensions")?.is_empty();
    let aggregations = fields.objects("aggregations")?;
    let counts = |by: &Fields| by.text("aggregation_type").is_ok_and(|kind| kind == Some("COUNT"));
    if in_groups || aggregations.is_empty() || !aggregations.iter().all(counts) {
        return done();
    }
    let point = json!({ "metric_name": fields.text_or_empty("metric_name")?, "values": { "COUNT": 0.0 } });
    Ok(Json(json!({ "data_points": [point] })))
}

async fn search_evaluation_datasets(
    State(state): State<MlflowState>,
    method: Method,
    uri: Uri,
    fields: Fields,
) -> Answer {
    let experiments = fields.texts("experiment_ids")?;
    let nothing = nothing_there(&state, Unread::EvaluationDatasets, &experiments).await?;
    if nothing { done() } else { not_built(method, uri).await }
}

async fn list_scorers(State(state): State<MlflowState>, method: Method, uri: Uri, fields: Fields) -> Answer {
    let experiments = fields.texts("experiment_id")?;
    if nothing_there(&state, Unread::Scorers, &experiments).await? { done() } else { not_built(method, uri).await }
}

async fn upload(State(state): State<MlflowState>, uri: Uri, headers: HeaderMap, body: Body) -> Answer {
    check_same_origin(&headers)?;
    // The body is the file, so the query says where it belongs.
    let asked = Fields::of_query(uri.query().unwrap_or_default());
    let given = |name: &str| match asked.text(name)? {
        Some(value) if !value.is_empty() => Ok(value.to_owned()),
        Some(_) | None => Err(Error::invalid(format!("Request must specify {name}."))),
    };
    let (run_id, path) = (given("run_uuid")?, given("path")?);
    let path = artifacts::ArtifactPath::decoded(&path).map_err(|_| Error::invalid("Invalid path"))?;
    let content: Bytes = to_bytes(body, LARGEST_UPLOAD)
        .await
        .map_err(|_| Error::invalid("Artifact size is too large. Max size is 10MB."))?;
    if content.is_empty() {
        return Err(Error::invalid("Request must specify data.").into());
    }
    let place = state.registry.run_artifact(&run_id, path.as_str()).await?;
    state.registry.store_artifact(&place, stream::once(async { Ok(content) }).boxed()).await?;
    state.registry.artifact_changed(&place).await;
    done()
}

/// Refuses what another site's page sends. Uploads have any type of content, so browsers would not ask us first.
fn check_same_origin(headers: &HeaderMap) -> Result<(), Error> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let host = origin.split_once("://").map(|(_, host)| host);
    if host.is_some() && host == text(header::HOST) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::PermissionDenied, format!("{origin} is another site than this server")))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_this_servers_own_pages_upload() {
        let from = |origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("localhost:5000"));
            headers.extend(origin.map(|origin| (header::ORIGIN, HeaderValue::from_static(origin))));
            check_same_origin(&headers).is_ok()
        };
        assert!(from(None), "a client that is no browser");
        assert!(from(Some("http://localhost:5000")));
        for other in ["http://evil.example", "http://localhost:5001", "null", "http://localhost:5000.evil.example"] {
            assert!(!from(Some(other)), "{other}");
        }
    }
}
