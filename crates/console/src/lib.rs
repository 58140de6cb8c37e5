//! The web console: what serves, how it got there, and what it is made of.
//!
//! Pages are rendered on the server from the same services that the API calls, complete without JavaScript; a page about
//! something that is still moving asks to be loaded again after a few seconds. The console only reads: it has no form and
//! no route that changes anything, so a viewer's token sees everything and can change nothing. Who may look is decided in
//! front of [`router`], by the process that mounts it.

mod address;
mod audit;
mod evidence;
mod failure;
mod features;
mod fleet;
mod model;
mod page;
mod prediction;
mod release;
mod release_list;
mod show;

use axum::{
    Router,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use prediction_log::Log;
use runtime::SharedClock;

use failure::Failure;

/// Where the style sheet lies.
const STYLE: &str = "/console/style.css";

/// What the pages show.
#[derive(Debug, Clone)]
pub struct ConsoleState {
    /// Models, versions, lineage.
    pub registry: registry::Service,
    /// Feature views and how far they are materialized.
    pub features: ::features::Service,
    /// Releases and what serves.
    pub releases: ::release::Service,
    /// Served predictions.
    pub predictions: Log,
    /// The audit trail.
    pub identity: identity::Service,
    /// Tells how long ago something was.
    pub clock: SharedClock,
}

/// The pages. All of them answer `GET` alone and change nothing.
pub fn router(state: ConsoleState) -> Router {
    Router::new()
        .route("/", get(fleet::fleet))
        .route("/models/{model}", get(model::model))
        .route("/models/{model}/versions/{version}", get(model::version))
        .route("/releases", get(release_list::releases))
        .route("/releases/{id}", get(release::release))
        .route("/features", get(features::features))
        .route("/predictions", get(prediction::predictions))
        .route("/predictions/{id}", get(prediction::prediction))
        .route("/audit", get(audit::audit))
        .route(STYLE, get(style))
        .with_state(state)
}

async fn style() -> impl IntoResponse {
    let headers = [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "max-age=300")];
    (headers, include_str!("style.css"))
}

/// What a page's handler answers.
type Answer = Result<page::Page, Failure>;
