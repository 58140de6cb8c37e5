//! Releases over HTTP: asking for one, looking at it, signing, waiving, holding, ending, going back.
//!
//! The access in the table is the least that a call takes; who may decide what about a release is decided by `release`,
//! which knows its author.

use axum::{
    Extension, Json,
    extract::{Path, Query, State, rejection::JsonRejection},
};
use http::Method;
use release::{Filter, GateName, NewWaiver, Release, ReleaseId};
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};
use types::{ModelName, ModelVersion, Principal, Role, Timestamp};

use crate::{
    error::{CrosstieError, Error},
    routes::{Access, Route},
};

/// How many releases are listed when the caller does not say.
const LISTED: u32 = 100;
/// The most that are listed at once; each carries its evidence.
const MOST_LISTED: u32 = 1_000;

/// The routes of this module.
pub fn routes(releases: &release::Service) -> Vec<Route> {
    macro_rules! route {
        ($method:ident, $path:literal, $role:ident, $handler:expr) => {
            Route::new(
                Method::$method,
                concat!("/crosstie/v1/", $path),
                Access::Role(Role::$role),
                $handler,
                releases.clone(),
            )
        };
    }
    vec![
        route!(POST, "releases", Editor, create),
        route!(GET, "releases", Viewer, list),
        route!(GET, "releases/{id}", Viewer, get),
        route!(POST, "releases/{id}/approve", Approver, approve),
        route!(POST, "releases/{id}/waive", Approver, waive),
        route!(POST, "releases/{id}/pause", Operator, pause),
        route!(POST, "releases/{id}/resume", Operator, resume),
        route!(POST, "releases/{id}/abort", Operator, abort),
        route!(POST, "models/{model}/rollback", Operator, rollback),
        route!(GET, "traffic", Viewer, traffic),
    ]
}

type Answer = Result<Json<JsonValue>, CrosstieError>;
/// A body that is a JSON object of `T`, or why it is not.
type Body<T> = Result<Json<T>, JsonRejection>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    version: String,
    #[serde(default)]
    waivers: Vec<WaiverBody>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaiverBody {
    gate: GateName,
    reason: String,
    until: Timestamp,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct ListQuery {
    model: Option<String>,
    open: bool,
    limit: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Approve {
    comment: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Abort {
    reason: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Rollback {
    to: Option<u32>,
    reason: Option<String>,
}

async fn create(
    State(releases): State<release::Service>,
    Extension(caller): Extension<Principal>,
    body: Body<Create>,
) -> Answer {
    let body = required(body)?;
    let version = ModelVersion::parse(&body.version)?;
    let waivers = body.waivers.into_iter().map(NewWaiver::from).collect();
    answer(releases.create(&caller, &version, waivers).await?)
}

async fn list(State(releases): State<release::Service>, Query(query): Query<ListQuery>) -> Answer {
    let filter = Filter {
        model: query.model.as_deref().map(ModelName::parse).transpose()?,
        open_only: query.open,
        limit: query.limit.unwrap_or(LISTED).min(MOST_LISTED),
    };
    Ok(Json(json!({ "releases": releases.list(filter).await? })))
}

async fn get(State(releases): State<release::Service>, Path(id): Path<String>) -> Answer {
    let release = releases.get(id.parse::<ReleaseId>()?).await?;
    let rollout = if release.has_rollout() { Some(releases.rollout(release.id).await?) } else { None };
    Ok(Json(json!({ "release": release, "rollout": rollout })))
}

async fn approve(
    State(releases): State<release::Service>,
    Extension(caller): Extension<Principal>,
    Path(id): Path<String>,
    body: Body<Approve>,
) -> Answer {
    let comment = optional(body)?.comment;
    answer(releases.approve(&caller, id.parse()?, comment).await?)
}

async fn waive(
    State(releases): State<release::Service>,
    Extension(caller): Extension<Principal>,
    Path(id): Path<String>,
    body: Body<WaiverBody>,
) -> Answer {
    let waiver = required(body)?.into();
    answer(releases.waive(&caller, id.parse()?, waiver).await?)
}

async fn pause(
    State(releases): State<release::Service>,
    Extension(caller): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer {
    answer(releases.pause(&caller, id.parse()?).await?)
}

async fn resume(
    State(releases): State<release::Service>,
    Extension(caller): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer {
    answer(releases.resume(&caller, id.parse()?).await?)
}

async fn abort(
    State(releases): State<release::Service>,
    Extension(caller): Extension<Principal>,
    Path(id): Path<String>,
    body: Body<Abort>,
) -> Answer {
    let reason = optional(body)?.reason;
    answer(releases.abort(&caller, id.parse()?, reason).await?)
}

async fn rollback(
    State(releases): State<release::Service>,
    Extension(caller): Extension<Principal>,
    Path(model): Path<String>,
    body: Body<Rollback>,
) -> Answer {
    let Rollback { to, reason } = optional(body)?;
    answer(releases.rollback(&caller, &ModelName::parse(&model)?, to, reason).await?)
}

async fn traffic(State(releases): State<release::Service>) -> Answer {
    Ok(Json(json!({ "assignments": releases.assignments().await? })))
}

fn answer(release: Release) -> Answer {
    Ok(Json(json!({ "release": release })))
}

/// The body of a call that needs one.
pub(crate) fn required<T>(body: Body<T>) -> Result<T, Error> {
    body.map(|Json(body)| body).map_err(|rejection| Error::invalid(rejection.body_text()))
}

/// The body of a call that is complete without one.
fn optional<T: Default>(body: Body<T>) -> Result<T, Error> {
    match body {
        Err(JsonRejection::MissingJsonContentType(_)) => Ok(T::default()),
        body => required(body),
    }
}

impl From<WaiverBody> for NewWaiver {
    fn from(WaiverBody { gate, reason, until }: WaiverBody) -> Self {
        Self { gate, reason, until }
    }
}
