//! What clients ask about the server itself.

use axum::{Json, extract::State};
use http::Method;
use serde_json::{Value as JsonValue, json};

use super::MlflowState;
use crate::routes::{Access, Route};

pub(super) fn routes(state: &MlflowState) -> Vec<Route> {
    let info = Route::new(Method::GET, "/api/3.0/mlflow/server-info", Access::Open, server_info, state.clone());
    vec![
        Route::new(Method::GET, "/health", Access::Open, async || "OK", ()),
        Route::new(Method::GET, "/version", Access::Open, async || registry::MLFLOW_RELEASE, ()),
        info.also_at("/ajax-api/3.0/mlflow/server-info"),
        info,
    ]
}

/// What the server can do. It is answered without a token, so it says nothing about anyone's data.
async fn server_info(State(state): State<MlflowState>) -> Json<JsonValue> {
    // On these, clients go around this server: large uploads in parts, and all downloads.
    let direct = state.artifacts.direct().is_some();
    Json(json!({
        "store_type": "SqlStore",
        "workspaces_enabled": false,
        "trace_archival_enabled": false,
        "multipart_uploads_enabled": direct,
        "multipart_downloads_enabled": direct,
        "presigned_upload_run_id_supported": true,
        "presigned_upload_model_id_supported": true,
        "features_enabled": { "gateway": false },
    }))
}
