//! What is watched: alerts, drift, KPIs, and the rollout of a release as it goes. All of it is only read here.

use alerts::Filter;
use axum::{
    Json,
    extract::{Path, Query, State},
};
use drift::{DriftReport, KpiRow};
use http::Method;
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};
use types::{ModelName, Role};

use crate::{
    error::{CrosstieError, Error},
    routes::{Access, Route},
};

/// How many alerts are listed when the caller does not say.
const LISTED: u32 = 100;
/// The most that are listed at once.
const MOST_LISTED: u32 = 1_000;

/// What these routes need.
#[derive(Debug, Clone)]
pub struct MonitoringState {
    /// What holds, and who was told.
    pub alerts: alerts::Service,
    /// Windows of traffic against their references.
    pub drift: drift::Service,
}

/// The routes of this module.
pub fn routes(state: &MonitoringState) -> Vec<Route> {
    let reads = Access::Role(Role::Viewer);
    vec![
        Route::new(Method::GET, "/crosstie/v1/alerts", reads, list_alerts, state.clone()),
        Route::new(Method::GET, "/crosstie/v1/models/{model}/drift", reads, report, state.clone()),
        Route::new(Method::GET, "/crosstie/v1/models/{model}/kpis", reads, kpis, state.clone()),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertQuery {
    /// `true` lists those that have ended, too.
    all: Option<bool>,
    limit: Option<u32>,
}

async fn list_alerts(
    State(state): State<MonitoringState>,
    Query(query): Query<AlertQuery>,
) -> Result<Json<JsonValue>, CrosstieError> {
    let filter = Filter {
        model: None,
        firing_only: !query.all.unwrap_or(false),
        limit: query.limit.unwrap_or(LISTED).min(MOST_LISTED),
    };
    let alerts = state.alerts.list(filter).await?;
    Ok(Json(json!({ "alerts": alerts })))
}

async fn report(
    State(state): State<MonitoringState>,
    Path(model): Path<String>,
) -> Result<Json<DriftReport>, CrosstieError> {
    Ok(Json(state.drift.report(&named(&model)?).await?))
}

async fn kpis(
    State(state): State<MonitoringState>,
    Path(model): Path<String>,
) -> Result<Json<JsonValue>, CrosstieError> {
    let rows: Vec<KpiRow> = state.drift.kpis(&named(&model)?).await?;
    Ok(Json(json!({ "kpis": rows })))
}

fn named(model: &str) -> Result<ModelName, Error> {
    ModelName::parse(model).map_err(|error| Error::invalid(error.to_string()))
}
