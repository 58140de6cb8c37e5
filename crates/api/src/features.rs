//! Features: training sets, materialization, push, and reads for people.
//!
//! Tables travel as Parquet, rows as JSON. What a request means is decided in `features`; here it is only unpacked.

use std::collections::BTreeMap;

use axum::{
    Json,
    body::{Body, Bytes, to_bytes},
    extract::{Query, State, rejection::JsonRejection},
    response::{IntoResponse, Response},
};
use features::{
    Definitions, EntityRow, FeatureRef, FeatureRow, PushRow, ReadPlan, Service, TrainingOptions, Watermark, table,
};
use http::{HeaderValue, Method, header::CONTENT_TYPE};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value as JsonValue, json};
use types::{Role, Timestamp, Value, ValueType};

use crate::{
    error::{CrosstieError, Error},
    routes::{Access, Route},
};

/// Label rows are read whole; more than this belongs into several requests.
const LARGEST_TABLE: usize = 1 << 30;
/// How many rows an answer's table has, for callers that do not open it.
const ROWS: &str = "x-crosstie-rows";
const PARQUET: HeaderValue = HeaderValue::from_static("application/vnd.apache.parquet");

/// The routes of this module.
pub fn routes(service: &Service) -> Vec<Route> {
    let reads = Access::Role(Role::Viewer);
    let at = |path: &str| format!("/crosstie/v1/features{path}");
    vec![
        Route::new(Method::GET, at(""), reads, list, service.clone()),
        Route::new(Method::POST, at("/historical"), reads, historical, service.clone()),
        Route::new(Method::POST, at("/online"), reads, online, service.clone()),
        Route::new(Method::POST, at("/push"), Access::Role(Role::Editor), push, service.clone()),
        Route::new(Method::POST, at("/materialize"), Access::Role(Role::Editor), materialize, service.clone()),
    ]
}

/// A JSON body, with a refusal in this API's own shape.
fn body<T: DeserializeOwned>(json: Result<Json<T>, JsonRejection>) -> Result<T, Error> {
    json.map(|Json(body)| body).map_err(|rejection| Error::invalid(rejection.body_text()))
}

async fn list(State(service): State<Service>) -> Result<Json<JsonValue>, CrosstieError> {
    let watermarks = service.watermarks().await?;
    let definitions = service.definitions();
    let views: Vec<JsonValue> = definitions.views().map(|view| describe(view, &watermarks)).collect();
    let on_demand: Vec<JsonValue> = definitions
        .on_demand()
        .map(|feature| {
            json!({
                "name": feature.name(), "type": feature.value_type(), "expression": feature.expression(),
                "inputs": feature.inputs(), "digest": feature.digest(), "description": feature.description(),
            })
        })
        .collect();
    let request: Vec<JsonValue> =
        definitions.request().iter().map(|(name, kind)| json!({ "name": name, "type": kind })).collect();
    Ok(Json(json!({
        "entities": definitions.entities(), "views": views, "on_demand": on_demand, "request": request,
        "watermarks": watermarks,
    })))
}

fn describe(view: &features::definitions::View, watermarks: &[Watermark]) -> JsonValue {
    let mark = watermarks.iter().find(|mark| mark.view == view.name() && mark.digest == view.digest());
    let features: Vec<JsonValue> = view
        .features()
        .iter()
        .map(|feature| {
            let default = feature
                .default
                .as_ref()
                .map(|default| if default.is_null() { "none".into() } else { default.to_json() });
            json!({
                "name": feature.name, "type": feature.value_type, "expression": feature.sql(), "default": default,
                "description": feature.description,
            })
        })
        .collect();
    json!({
        "name": view.name(), "digest": view.digest(), "entities": view.entities(), "keys": view.keys(),
        "source": view.source(), "ttl": view.ttl(), "owner": view.owner(), "description": view.description(),
        "features": features, "watermark": mark.map(|mark| mark.at),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoricalQuery {
    /// `view:feature,request:name,…`
    features: String,
    event_timestamp: Option<String>,
    /// `false` lets label rows see rows that were created after their time.
    as_known: Option<bool>,
}

async fn historical(
    State(service): State<Service>,
    Query(query): Query<HistoricalQuery>,
    labels: Body,
) -> Result<Response, CrosstieError> {
    let references = references(query.features.split(',').map(str::trim).filter(|name| !name.is_empty()))?;
    let labels = to_bytes(labels, LARGEST_TABLE).await;
    let labels = labels.map_err(|error| Error::invalid(format!("the label rows did not arrive: {error}")))?;
    let defaults = TrainingOptions::default();
    let options = TrainingOptions {
        event_timestamp: query.event_timestamp.unwrap_or(defaults.event_timestamp),
        as_known: query.as_known.unwrap_or(defaults.as_known),
    };
    let labels = runtime::blocking(move || table::from_parquet(labels)).await?;
    let joined = service.training_set(service.definitions(), labels, references, options).await?;
    let rows = joined.num_rows();
    let bytes = runtime::blocking(move || table::to_parquet(&joined)).await?;
    let headers = [(CONTENT_TYPE.as_str(), PARQUET), (ROWS, HeaderValue::from(rows))];
    Ok((headers, Bytes::from(bytes)).into_response())
}

fn references<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<FeatureRef>, Error> {
    Ok(names.map(FeatureRef::parse).collect::<Result<_, _>>()?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PushRequest {
    view: String,
    rows: Vec<Map<String, JsonValue>>,
}

async fn push(
    State(service): State<Service>,
    request: Result<Json<PushRequest>, JsonRejection>,
) -> Result<Json<JsonValue>, CrosstieError> {
    let request = body(request)?;
    let definitions = service.definitions();
    let view = definitions.view(&request.view)?;
    let rows = request.rows.iter().enumerate().map(|(number, row)| PushRow::from_json(view, number, row));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let report = service.push(&definitions, &request.view, &rows).await?;
    Ok(Json(json!({ "rows": report.rows, "superseded": report.superseded })))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MaterializeRequest {
    views: Option<Vec<String>>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

async fn materialize(
    State(service): State<Service>,
    request: Result<Json<MaterializeRequest>, JsonRejection>,
) -> Result<Json<JsonValue>, CrosstieError> {
    let request = body(request)?;
    let end = request.end.unwrap_or_else(|| service.now());
    let reports = service.materialize(&service.definitions(), request.views.as_deref(), request.start, end).await?;
    Ok(Json(json!({ "views": reports })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnlineRequest {
    features: Vec<String>,
    rows: Vec<Map<String, JsonValue>>,
}

async fn online(
    State(service): State<Service>,
    request: Result<Json<OnlineRequest>, JsonRejection>,
) -> Result<Json<JsonValue>, CrosstieError> {
    let request = body(request)?;
    let definitions = service.definitions();
    let plan = ReadPlan::new(&definitions, &references(request.features.iter().map(String::as_str))?)?;
    let rows = request.rows.iter().enumerate().map(|(number, row)| entity_row(&definitions, &plan, number, row));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let now = service.now();
    let answered = service.read_online(&plan, &rows).await?;
    let rows: Vec<JsonValue> = answered.iter().map(|row| render(&plan, row, now)).collect();
    Ok(Json(json!({ "rows": rows })))
}

/// Keys and request values by name; what is neither is a feature's value in place of the stored one.
fn entity_row(
    definitions: &Definitions,
    plan: &ReadPlan,
    number: usize,
    object: &Map<String, JsonValue>,
) -> Result<EntityRow, Error> {
    let mut rest: BTreeMap<&str, &JsonValue> = object.iter().map(|(name, json)| (name.as_str(), json)).collect();
    let typed = |name: &str, json: &JsonValue, kind: ValueType| {
        let wrong = |_| Error::invalid(format!("row {number}: `{name}` is {kind}, and {json} is not"));
        Value::from_json(json, kind).map_err(wrong)
    };
    let mut take = |name: &str, kind| rest.remove(name).map_or(Ok(Value::Null), |json| typed(name, json, kind));
    let keys = plan.entity_keys().iter().map(|key| take(&key.name, key.value_type)).collect::<Result<_, _>>()?;
    let request = plan.request_values().iter().map(|(name, kind)| take(name, *kind)).collect::<Result<_, _>>()?;
    let overrides = rest.into_iter().map(|(name, json)| {
        let known = definitions.references().find(|reference| reference.name() == name);
        let reference = known.ok_or_else(|| Error::invalid(format!("row {number}: there is no `{name}`")))?;
        Ok((name.to_owned(), typed(name, json, definitions.value_type(&reference)?)?))
    });
    Ok(EntityRow { keys, request, overrides: overrides.collect::<Result<_, Error>>()? })
}

fn render(plan: &ReadPlan, row: &FeatureRow, now: Timestamp) -> JsonValue {
    let features = plan.features().iter().zip(&row.cells).map(|(feature, cell)| {
        let age = cell.age(now).map(|age| age.as_micros() as f64 / 1e6);
        let cell = json!({
            "value": cell.value.to_json(), "origin": cell.origin, "event_time": cell.event_time, "age_seconds": age,
            "degraded": cell.degraded,
        });
        (feature.name().to_owned(), cell)
    });
    let features: Map<String, JsonValue> = features.collect();
    json!({ "features": features, "refused": row.refusal.as_ref().map(|refusal| &refusal.message) })
}

#[cfg(test)]
mod tests;
