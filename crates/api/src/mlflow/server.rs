//! What clients ask about the server itself.

use axum::Json;
use http::Method;
use serde_json::{Value as JsonValue, json};

use crate::routes::{Access, Route};

pub(super) fn routes() -> Vec<Route> {
    let info = Route::new(Method::GET, "/api/3.0/mlflow/server-info", Access::Open, server_info, ());
    vec![
        Route::new(Method::GET, "/health", Access::Open, async || "OK", ()),
        Route::new(Method::GET, "/version", Access::Open, async || registry::MLFLOW_RELEASE, ()),
        info.also_at("/ajax-api/3.0/mlflow/server-info"),
        info,
    ]
}

/// What the server can do. It is answered without a token, so it says nothing about anyone's data.
async fn server_info() -> Json<JsonValue> {
    Json(json!({
        "store_type": "SqlStore",
        "workspaces_enabled": false,
        "trace_archival_enabled": false,
        "multipart_uploads_enabled": false,
        "multipart_downloads_enabled": false,
        "presigned_upload_run_id_supported": true,
        "presigned_upload_model_id_supported": true,
        "features_enabled": { "gateway": false },
    }))
}
