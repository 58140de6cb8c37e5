//! Calls that MLflow's server has and this one does not have yet. They answer 501, where an unknown path answers 404.

use http::Method;
use types::ErrorKind;

use super::{Answer, READS, WRITES};
use crate::{error::Error, routes::Route};

/// Paths below `/api/` and `/ajax-api/`, with their methods.
const CALLS: &[(&str, &str)] = &[
    ("2.0/mlflow/get-online-trace-details", "GET"),
    ("2.0/mlflow/get-trace-artifact", "GET"),
    ("2.0/mlflow/runs/create-promptlab-run", "POST"),
    ("2.0/mlflow/traces", "GET POST"),
    ("2.0/mlflow/traces/delete-traces", "POST"),
    ("2.0/mlflow/traces/link-prompts", "POST"),
    ("2.0/mlflow/traces/link-to-run", "POST"),
    ("2.0/mlflow/traces/{request_id}", "PATCH"),
    ("2.0/mlflow/traces/{request_id}/info", "GET"),
    ("2.0/mlflow/traces/{request_id}/tags", "DELETE PATCH"),
    ("2.0/mlflow/unified-traces", "GET"),
    ("3.0/mlflow/datasets/create", "POST"),
    ("3.0/mlflow/datasets/search", "GET"),
    ("3.0/mlflow/datasets/{dataset_id}", "DELETE GET"),
    ("3.0/mlflow/datasets/{dataset_id}/add-experiments", "POST"),
    ("3.0/mlflow/datasets/{dataset_id}/experiment-ids", "GET"),
    ("3.0/mlflow/datasets/{dataset_id}/records", "DELETE GET POST"),
    ("3.0/mlflow/datasets/{dataset_id}/remove-experiments", "POST"),
    ("3.0/mlflow/datasets/{dataset_id}/tags", "PATCH"),
    ("3.0/mlflow/datasets/{dataset_id}/tags/{key}", "DELETE"),
    ("3.0/mlflow/demo/delete", "POST"),
    ("3.0/mlflow/demo/generate", "POST"),
    ("3.0/mlflow/gateway/budgets/create", "POST"),
    ("3.0/mlflow/gateway/budgets/delete", "DELETE"),
    ("3.0/mlflow/gateway/budgets/get", "GET"),
    ("3.0/mlflow/gateway/budgets/list", "GET"),
    ("3.0/mlflow/gateway/budgets/update", "POST"),
    ("3.0/mlflow/gateway/budgets/windows", "GET"),
    ("3.0/mlflow/gateway/endpoints/bindings/create", "POST"),
    ("3.0/mlflow/gateway/endpoints/bindings/delete", "DELETE"),
    ("3.0/mlflow/gateway/endpoints/bindings/list", "GET"),
    ("3.0/mlflow/gateway/endpoints/create", "POST"),
    ("3.0/mlflow/gateway/endpoints/delete", "DELETE"),
    ("3.0/mlflow/gateway/endpoints/delete-tag", "DELETE"),
    ("3.0/mlflow/gateway/endpoints/get", "GET"),
    ("3.0/mlflow/gateway/endpoints/list", "GET"),
    ("3.0/mlflow/gateway/endpoints/models/attach", "POST"),
    ("3.0/mlflow/gateway/endpoints/models/detach", "POST"),
    ("3.0/mlflow/gateway/endpoints/set-tag", "POST"),
    ("3.0/mlflow/gateway/endpoints/update", "POST"),
    ("3.0/mlflow/gateway/guardrails/add-to-endpoint", "POST"),
    ("3.0/mlflow/gateway/guardrails/create", "POST"),
    ("3.0/mlflow/gateway/guardrails/delete", "DELETE"),
    ("3.0/mlflow/gateway/guardrails/get", "GET"),
    ("3.0/mlflow/gateway/guardrails/list", "GET"),
    ("3.0/mlflow/gateway/guardrails/list-for-endpoint", "GET"),
    ("3.0/mlflow/gateway/guardrails/remove-from-endpoint", "DELETE"),
    ("3.0/mlflow/gateway/guardrails/update-config", "PATCH"),
    ("3.0/mlflow/gateway/model-definitions/create", "POST"),
    ("3.0/mlflow/gateway/model-definitions/delete", "DELETE"),
    ("3.0/mlflow/gateway/model-definitions/get", "GET"),
    ("3.0/mlflow/gateway/model-definitions/list", "GET"),
    ("3.0/mlflow/gateway/model-definitions/update", "POST"),
    ("3.0/mlflow/gateway/provider-config", "GET"),
    ("3.0/mlflow/gateway/secrets/config", "GET"),
    ("3.0/mlflow/gateway/secrets/create", "POST"),
    ("3.0/mlflow/gateway/secrets/delete", "DELETE"),
    ("3.0/mlflow/gateway/secrets/get", "GET"),
    ("3.0/mlflow/gateway/secrets/list", "GET"),
    ("3.0/mlflow/gateway/secrets/update", "POST"),
    ("3.0/mlflow/gateway/supported-models", "GET"),
    ("3.0/mlflow/gateway/supported-providers", "GET"),
    ("3.0/mlflow/genai/evaluate/invoke", "POST"),
    ("3.0/mlflow/get-trace-artifact", "GET"),
    ("3.0/mlflow/issues", "POST"),
    ("3.0/mlflow/issues/invoke", "POST"),
    ("3.0/mlflow/issues/search", "POST"),
    ("3.0/mlflow/issues/{issue_id}", "GET PATCH"),
    ("3.0/mlflow/jobs/cancel/{job_id}", "PATCH"),
    ("3.0/mlflow/jobs/{job_id}", "GET"),
    ("3.0/mlflow/label-schemas/create", "POST"),
    ("3.0/mlflow/label-schemas/delete", "DELETE"),
    ("3.0/mlflow/label-schemas/get", "GET"),
    ("3.0/mlflow/label-schemas/get-by-name", "GET"),
    ("3.0/mlflow/label-schemas/list", "GET"),
    ("3.0/mlflow/label-schemas/update", "PATCH"),
    ("3.0/mlflow/mcp-servers", "GET POST"),
    ("3.0/mlflow/mcp-servers/{*path}", "DELETE GET PATCH POST"),
    ("3.0/mlflow/prompt-optimization/jobs", "POST"),
    ("3.0/mlflow/prompt-optimization/jobs/search", "GET POST"),
    ("3.0/mlflow/prompt-optimization/jobs/{job_id}", "DELETE GET"),
    ("3.0/mlflow/prompt-optimization/jobs/{job_id}/cancel", "POST"),
    ("3.0/mlflow/review-queues/create", "POST"),
    ("3.0/mlflow/review-queues/delete", "POST"),
    ("3.0/mlflow/review-queues/get", "GET"),
    ("3.0/mlflow/review-queues/get-by-name", "GET"),
    ("3.0/mlflow/review-queues/get-or-create-user", "POST"),
    ("3.0/mlflow/review-queues/items/add", "POST"),
    ("3.0/mlflow/review-queues/items/list", "GET"),
    ("3.0/mlflow/review-queues/items/remove", "POST"),
    ("3.0/mlflow/review-queues/items/set-status", "POST"),
    ("3.0/mlflow/review-queues/list", "GET"),
    ("3.0/mlflow/review-queues/update", "POST"),
    ("3.0/mlflow/scorer/invoke", "POST"),
    ("3.0/mlflow/scorers/delete", "DELETE"),
    ("3.0/mlflow/scorers/get", "GET"),
    ("3.0/mlflow/scorers/online-config", "PUT"),
    ("3.0/mlflow/scorers/online-configs", "GET"),
    ("3.0/mlflow/scorers/register", "POST"),
    ("3.0/mlflow/scorers/versions", "GET"),
    ("3.0/mlflow/traces", "POST"),
    ("3.0/mlflow/traces/batchGet", "GET"),
    ("3.0/mlflow/traces/batchGetInfos", "POST"),
    ("3.0/mlflow/traces/calculate-filter-correlation", "POST"),
    ("3.0/mlflow/traces/delete-traces", "POST"),
    ("3.0/mlflow/traces/get", "GET"),
    ("3.0/mlflow/traces/{trace_id}", "GET"),
    ("3.0/mlflow/traces/{trace_id}/assessments", "POST"),
    ("3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}", "DELETE GET PATCH"),
    ("3.0/mlflow/traces/{trace_id}/tags", "DELETE PATCH"),
    ("3.0/mlflow/workspaces", "GET POST"),
    ("3.0/mlflow/workspaces/{workspace_name}", "DELETE GET PATCH"),
];

/// Paths that have one such prefix only, or none.
const BARE: &[(&str, &str)] = &[
    ("/ajax-api/3.0/jobs/", "POST"),
    ("/ajax-api/3.0/jobs/cancel/{job_id}", "PATCH"),
    ("/ajax-api/3.0/jobs/search", "POST"),
    ("/ajax-api/3.0/jobs/{job_id}", "GET"),
    ("/ajax-api/3.0/mlflow/assistant/config", "PUT"),
    ("/ajax-api/3.0/mlflow/assistant/message", "POST"),
    ("/ajax-api/3.0/mlflow/assistant/providers/{provider}/health", "GET"),
    ("/ajax-api/3.0/mlflow/assistant/providers/{provider}/models", "GET"),
    ("/ajax-api/3.0/mlflow/assistant/sessions/{session_id}", "PATCH"),
    ("/ajax-api/3.0/mlflow/assistant/sessions/{session_id}/permission", "POST"),
    ("/ajax-api/3.0/mlflow/assistant/sessions/{session_id}/stream", "GET"),
    ("/ajax-api/3.0/mlflow/assistant/sessions/{session_id}/tool-result", "POST"),
    ("/ajax-api/3.0/mlflow/assistant/skills/install", "POST"),
    ("/gateway/{*path}", "GET POST"),
    ("/v1/traces", "POST"),
];

pub(super) fn routes() -> Vec<Route> {
    let prefixed = CALLS
        .iter()
        .flat_map(|(path, methods)| ["/api", "/ajax-api"].map(|prefix| (format!("{prefix}/{path}"), *methods)));
    let bare = BARE.iter().map(|(path, methods)| ((*path).to_owned(), *methods));
    let mut routes = Vec::new();
    for (path, methods) in prefixed.chain(bare) {
        for method in methods.split(' ') {
            let method = Method::from_bytes(method.as_bytes()).expect("the table names HTTP methods");
            // A viewer may ask for nothing that changes something, also where it does not happen yet.
            let access = if method == Method::GET { READS } else { WRITES };
            routes.push(Route::new(method, path.as_str(), access, not_built, ()));
        }
    }
    routes
}

/// Says what is missing.
pub(super) async fn not_built(method: Method, uri: http::Uri) -> Answer {
    let message =
        format!("{method} {} is part of MLflow's API that this version of Crosstie does not have", uri.path());
    Err(Error::new(ErrorKind::Unimplemented, message).into())
}
