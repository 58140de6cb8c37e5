//! The web console: what serves, how it got there, and what it is made of.
//!
//! Pages are rendered on the server from the same services that the API calls, complete without JavaScript; a small script
//! keeps them current, and without it the browser loads them again. The console only reads: it has no form and
//! no route that changes anything, so a viewer's token sees everything and can change nothing. Who may look is decided in
//! front of [`router`], by the process that mounts it.

mod address;
mod alerts;
mod audit;
mod bars;
mod chart;
mod drift;
mod evidence;
mod failure;
mod features;
mod fleet;
mod graph;
mod kpi;
mod lineage;
mod mlflow;
mod model;
mod page;
mod prediction;
mod release;
mod release_list;
mod rollout;
mod serving;
mod shadow;
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

/// Where the console begins, whatever else has `/`.
const HOME: &str = "/console";
/// Leads to MLflow's own web client.
const MLFLOW: &str = "/mlflow";
/// Where the style sheet lies, and the script that keeps pages current.
const STYLE: &str = "/console/style.css";
const SCRIPT: &str = "/console/live.js";

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
    /// What is found in traffic, and KPIs.
    pub drift: ::drift::Service,
    /// What fires, and who was told.
    pub alerts: ::alerts::Service,
    /// The audit trail.
    pub identity: identity::Service,
    /// Tells how long ago something was.
    pub clock: SharedClock,
    /// Whether MLflow's own web client has `/`; the console has it otherwise.
    pub has_mlflow_ui: bool,
}

/// The pages. All of them answer `GET` alone and change nothing.
pub fn router(state: ConsoleState) -> Router {
    let home = if state.has_mlflow_ui { Router::new() } else { Router::new().route("/", get(fleet::fleet)) };
    home.route(HOME, get(fleet::fleet))
        .route(MLFLOW, get(mlflow::client))
        .route("/models/{model}", get(model::model))
        .route("/models/{model}/versions/{version}", get(model::version))
        .route("/releases", get(release_list::releases))
        .route("/releases/{id}", get(release::release))
        .route("/alerts", get(alerts::alerts))
        .route("/features", get(features::features))
        .route("/lineage", get(lineage::datasets))
        .route("/lineage/datasets/{key}", get(lineage::dataset))
        .route("/lineage/features/{view}", get(lineage::feature))
        .route("/predictions", get(prediction::predictions))
        .route("/predictions/{id}", get(prediction::prediction))
        .route("/audit", get(audit::audit))
        .route(STYLE, get(async || file("text/css; charset=utf-8", include_str!("style.css"))))
        .route(SCRIPT, get(async || file("text/javascript; charset=utf-8", include_str!("live.js"))))
        .with_state(state)
}

/// A file of the binary; it changes only with the binary, so a short while of an old one does no harm.
fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "max-age=300")], text)
}

/// What a page's handler answers.
type Answer = Result<page::Page, Failure>;
