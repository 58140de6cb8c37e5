//! MLflow's REST API: `/api/2.0/mlflow`, its mirror for browsers at `/ajax-api`, and the artifact proxy.
//!
//! JSON is MLflow's: proto2 names, unset fields absent, 64-bit integers as numbers, NaN and infinities as words. What
//! MLflow's server has and this one does not answers 501 in MLflow's shape, from a table ([`unbuilt`]), so that clients
//! see the difference between a wrong address and a missing part.

mod artifacts;
mod batch;
mod charts;
mod direct;
pub mod elsewhere;
mod experiments;
mod fields;
mod graphql;
mod logged_models;
mod logging;
mod models;
mod points;
mod runs;
mod server;
mod unbuilt;
mod versions;
mod web_client;
mod webhooks;
mod wire;

use http::Method;
use types::Role;

use crate::{
    error::{Error, MlflowError},
    routes::{Access, Route},
};

use fields::Fields;

/// What these routes need.
#[derive(Debug, Clone)]
pub struct MlflowState {
    /// Experiments, runs, models.
    pub registry: registry::Service,
    /// The files behind the artifact proxy.
    pub artifacts: ::artifacts::Store,
}

/// What a handler answers: JSON, or an error in MLflow's shape.
type Answer = Result<axum::Json<serde_json::Value>, MlflowError>;

/// Prefixes under which each call answers.
const PREFIXES: [&str; 2] = ["/api/2.0/mlflow", "/ajax-api/2.0/mlflow"];

/// The routes of this module.
#[must_use]
pub fn routes(state: &MlflowState) -> Vec<Route> {
    let mut routes = of_registry(state);
    routes.extend(of_this_server(state));
    routes
}

/// Those that a registry answers.
fn of_registry(state: &MlflowState) -> Vec<Route> {
    let mut routes = Vec::new();
    for module in [
        experiments::routes,
        runs::routes,
        logging::routes,
        charts::routes,
        logged_models::routes,
        models::routes,
        versions::routes,
        webhooks::routes,
    ] {
        for route in module(state) {
            routes.extend(PREFIXES.map(|prefix| route.also_at(format!("{prefix}/{}", route.path))));
        }
    }
    routes.extend(artifacts::routes(state));
    routes.extend(graphql::routes(state));
    routes.extend(web_client::routes(state));
    routes.extend(direct::routes(state));
    routes
}

/// Those that are about this server, wherever the registry is: what it is, and what it does not have.
fn of_this_server(state: &MlflowState) -> Vec<Route> {
    let mut routes = server::routes(state);
    routes.extend(web_client::about_this_server());
    routes.extend(unbuilt::routes());
    routes
}

/// Only looks.
const READS: Access = Access::Role(Role::Viewer);
/// Changes something.
const WRITES: Access = Access::Role(Role::Editor);

/// `route!(state, GET "runs/get" READS get)`: one call below [`PREFIXES`].
macro_rules! route {
    ($state:expr, $method:ident $path:literal $access:ident $handler:expr) => {
        $crate::routes::Route::new(http::Method::$method, $path, $crate::mlflow::$access, $handler, $state.clone())
    };
}
use route;

/// An empty answer.
fn done() -> Answer {
    Ok(axum::Json(serde_json::json!({})))
}

/// Whether `method` carries its fields in the query.
fn reads_query(method: &Method) -> bool {
    *method == Method::GET
}

/// `max_results` of a search, not above MLflow's bound.
fn most_results(fields: &Fields, default: i64, most: i64) -> Result<i64, Error> {
    let limit = fields.integer("max_results")?.unwrap_or(default);
    if limit > most {
        return Err(fields.wrong_type("max_results"));
    }
    Ok(limit)
}

/// `max_results` of a search, within MLflow's bounds.
fn max_results(fields: &Fields, default: i64, most: i64) -> Result<i64, Error> {
    let limit = most_results(fields, default, most)?;
    if limit < 1 {
        return Err(Error::invalid(format!(
            "Invalid value {limit} for parameter 'max_results' supplied. It must be a positive integer"
        )));
    }
    Ok(limit)
}
