//! Crosstie's own calls that belong to no one model's life: status, project, tokens, explanation, audit trail.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value as JsonValue, json};
use types::{AuditEntry, Digest, ModelName, PredictionId, Principal, Role};

use crate::{
    error::{CrosstieError, Error},
    routes::{Access, Route},
};

/// A project's files as a user wrote them: path relative to the project folder → text.
pub type ProjectFiles = BTreeMap<String, String>;

/// Something wrong in a project file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectProblem {
    /// The file, relative to the project folder.
    pub file: String,
    /// The line, from 1; 0 where no line can be named.
    pub line: usize,
    /// The column, from 1; 0 where none can be named.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it, where that is known.
    pub help: Option<String>,
}

/// What applying a project did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AppliedProject {
    /// The project's content address.
    pub digest: Digest,
    /// Whether it differs from what was in force before.
    pub changed: bool,
    /// The models that it declares.
    pub models: Vec<ModelName>,
}

/// Where projects are validated and kept. Implemented by the wiring, since a project is composed of every crate's part.
#[async_trait]
pub trait Projects: Send + Sync + std::fmt::Debug {
    /// The project in force, as canonical JSON with its digest; `None` before the first.
    async fn current(&self) -> Result<Option<JsonValue>, Error>;
    /// Validates `files` and puts them in force. The inner error lists everything that is wrong with them; nothing is
    /// changed then.
    async fn apply(
        &self,
        by: &Principal,
        files: ProjectFiles,
    ) -> Result<Result<AppliedProject, Vec<ProjectProblem>>, Error>;
}

/// Puts together what is known of one served prediction. Implemented by the wiring.
#[async_trait]
pub trait Explanations: Send + Sync + std::fmt::Debug {
    /// Features with their ages, the same features recomputed offline, version, data, run and approver.
    async fn explain(&self, id: PredictionId) -> Result<JsonValue, Error>;
}

/// What this process is and serves; put together by the wiring.
pub trait Status: Send + Sync + std::fmt::Debug {
    /// Version, roles, addresses, stores, project digest.
    fn status(&self) -> JsonValue;
}

/// What these routes need.
#[derive(Debug, Clone)]
pub struct SystemState {
    /// Tokens and the audit trail.
    pub identity: identity::Service,
    /// Project definitions.
    pub projects: Arc<dyn Projects>,
    /// Explanations.
    pub explanations: Arc<dyn Explanations>,
    /// Status.
    pub status: Arc<dyn Status>,
}

/// The routes of this module.
pub fn routes(state: &SystemState) -> Vec<Route> {
    let reads = Access::Role(Role::Viewer);
    let new = |method, path: &str, access| (method, format!("/crosstie/v1/{path}"), access);
    macro_rules! route {
        ($method:ident, $path:literal, $access:expr, $handler:expr) => {{
            let (method, path, access) = new(Method::$method, $path, $access);
            Route::new(method, path, access, $handler, state.clone())
        }};
    }
    vec![
        route!(GET, "status", reads, status),
        route!(GET, "project", reads, current_project),
        route!(PUT, "project", Access::Role(Role::Editor), apply_project),
        route!(GET, "tokens", Access::Role(Role::Admin), tokens),
        route!(POST, "tokens", Access::Role(Role::Admin), create_token),
        route!(DELETE, "tokens/{name}", Access::Role(Role::Admin), revoke_token),
        route!(GET, "whoami", reads, whoami),
        route!(GET, "audit", reads, audit),
        route!(GET, "predictions/{id}/explain", reads, explain),
    ]
}

async fn status(State(state): State<SystemState>) -> Json<JsonValue> {
    Json(state.status.status())
}

async fn current_project(State(state): State<SystemState>) -> Result<Json<JsonValue>, CrosstieError> {
    Ok(Json(state.projects.current().await?.unwrap_or(JsonValue::Null)))
}

async fn apply_project(
    State(state): State<SystemState>,
    Extension(caller): Extension<Principal>,
    Json(files): Json<ProjectFiles>,
) -> Result<Json<JsonValue>, CrosstieError> {
    Ok(Json(match state.projects.apply(&caller, files).await? {
        Ok(applied) => json!({ "applied": applied }),
        Err(problems) => json!({ "problems": problems }),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    name: String,
    role: Role,
}

async fn create_token(
    State(state): State<SystemState>,
    Extension(caller): Extension<Principal>,
    Json(request): Json<NewToken>,
) -> Result<Json<JsonValue>, CrosstieError> {
    let token = state.identity.create_token(&caller, &request.name, request.role).await?;
    Ok(Json(json!({ "name": request.name, "role": request.role, "token": token.expose() })))
}

async fn tokens(State(state): State<SystemState>) -> Result<Json<JsonValue>, CrosstieError> {
    Ok(Json(json!({ "tokens": state.identity.tokens().await? })))
}

async fn revoke_token(
    State(state): State<SystemState>,
    Extension(caller): Extension<Principal>,
    Path(name): Path<String>,
) -> Result<Json<JsonValue>, CrosstieError> {
    state.identity.revoke(&caller, &name).await?;
    Ok(Json(json!({})))
}

async fn whoami(Extension(caller): Extension<Principal>) -> Json<Principal> {
    Json(caller)
}

#[derive(Deserialize)]
struct AuditQuery {
    subject: Option<String>,
    limit: Option<u32>,
}

async fn audit(
    State(state): State<SystemState>,
    Query(query): Query<AuditQuery>,
) -> Result<Json<JsonValue>, CrosstieError> {
    let defaults = identity::AuditFilter::default();
    let limit = query.limit.unwrap_or(defaults.limit);
    let filter = identity::AuditFilter { subject: query.subject, limit, ..defaults };
    let trail: Vec<AuditEntry> = state.identity.trail(filter).await?;
    Ok(Json(json!({ "entries": trail })))
}

async fn explain(State(state): State<SystemState>, Path(id): Path<String>) -> Result<Json<JsonValue>, CrosstieError> {
    Ok(Json(state.explanations.explain(PredictionId::parse(&id)?).await?))
}
