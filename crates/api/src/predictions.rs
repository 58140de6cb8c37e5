//! Served predictions over HTTP, and the outcomes that callers report about them.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::JsonRejection},
    response::IntoResponse,
};
use http::{Method, header::CONTENT_TYPE};
use prediction_log::{Log, Outcome, Scan};
use runtime::SharedClock;
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};
use types::{ErrorKind, ModelName, PredictionId, Role, Timestamp};

use crate::{
    error::{CrosstieError, Error},
    releases::required,
    routes::{Access, Route},
};

/// The most outcomes of one call: they are written as one.
const MOST_OUTCOMES: usize = 10_000;
/// How many predictions are listed when the caller does not say.
const LISTED: usize = 100;
/// The most that are listed at once.
const MOST_LISTED: usize = 10_000;

/// What these routes need.
#[derive(Debug, Clone)]
pub struct PredictionsState {
    /// Where predictions and outcomes are kept.
    pub log: Log,
    /// Dates outcomes that say no time.
    pub clock: SharedClock,
}

/// The routes beside Crosstie's other calls.
pub fn routes(state: &PredictionsState) -> Vec<Route> {
    let reads = Access::Role(Role::Viewer);
    vec![
        Route::new(Method::GET, "/crosstie/v1/predictions", reads, list, state.clone()),
        Route::new(Method::GET, "/crosstie/v1/predictions/{id}", reads, get, state.clone()),
    ]
}

/// The routes beside inference, for those who ask for predictions and learn what became of them.
pub fn outcome_routes(state: &PredictionsState) -> Vec<Route> {
    let writes = Access::Role(Role::Editor);
    vec![Route::new(Method::POST, "/crosstie/v1/outcomes", writes, report, state.clone())]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    outcomes: Vec<OutcomeBody>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutcomeBody {
    prediction_id: String,
    event: String,
    value: Option<f64>,
    at: Option<Timestamp>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct ListQuery {
    model: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    limit: Option<usize>,
}

async fn report(
    State(state): State<PredictionsState>,
    body: Result<Json<JsonValue>, JsonRejection>,
) -> Result<Json<JsonValue>, CrosstieError> {
    let outcomes = parsed(required(body)?)?;
    if outcomes.len() > MOST_OUTCOMES {
        let message =
            format!("{} outcomes at once are more than the {MOST_OUTCOMES} that one call takes", outcomes.len());
        return Err(Error::new(ErrorKind::ResourceExhausted, message).into());
    }
    let now = state.clock.now();
    let outcomes = outcomes.into_iter().enumerate().map(|(index, body)| body.dated(index, now));
    let report = state.log.append_outcomes(outcomes.collect::<Result<_, _>>()?).await?;
    Ok(Json(json!(report)))
}

/// One outcome, or many under `outcomes`. Chosen by key, so that a malformed outcome is told what is wrong with it, and not that it is neither form.
fn parsed(body: JsonValue) -> Result<Vec<OutcomeBody>, Error> {
    let outcomes = if body.get("outcomes").is_some() {
        serde_json::from_value(body).map(|Batch { outcomes }| outcomes)
    } else {
        serde_json::from_value(body).map(|outcome| vec![outcome])
    };
    outcomes.map_err(|error| Error::invalid(format!("the body is no outcome: {error}")))
}

impl OutcomeBody {
    fn dated(self, index: usize, now: Timestamp) -> Result<Outcome, Error> {
        let prediction = PredictionId::parse(&self.prediction_id)
            .map_err(|error| Error::invalid(format!("outcome {index}: {error}")))?;
        Ok(Outcome { prediction, event: self.event, value: self.value, at: self.at.unwrap_or(now) })
    }
}

/// The newest predictions. Ten thousand are twenty megabytes, so each is written where it was read, off the runtime.
async fn list(
    State(state): State<PredictionsState>,
    Query(query): Query<ListQuery>,
) -> Result<impl IntoResponse + use<>, CrosstieError> {
    let scan = Scan {
        model: query.model.as_deref().map(ModelName::parse).transpose()?,
        since: query.since.unwrap_or(Timestamp::MIN),
        until: query.until.unwrap_or(Timestamp::MAX),
        limit: query.limit.unwrap_or(LISTED).min(MOST_LISTED),
        newest_first: true,
    };
    let written = state.log.scan_as(scan, |record| serde_json::to_string(&record)).await?;
    let written: Result<Vec<String>, _> = written.into_iter().collect();
    let written = written.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    Ok(([(CONTENT_TYPE, "application/json")], format!("{{\"predictions\":[{}]}}", written.join(","))))
}

async fn get(State(state): State<PredictionsState>, Path(id): Path<String>) -> Result<Json<JsonValue>, CrosstieError> {
    let id = PredictionId::parse(&id)?;
    let unknown = || Error::new(ErrorKind::NotFound, format!("there is no prediction `{id}` in the log"));
    let (prediction, outcomes) = state.log.find(id).await?.ok_or_else(unknown)?;
    Ok(Json(json!({ "prediction": prediction, "outcomes": outcomes })))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prediction_log::{Arm, Config, LoggedFeature, PredictionRecord};
    use runtime::{Tasks, testing::ManualClock};
    use telemetry::Metrics;
    use types::{ModelVersion, Value};
    use uuid::Uuid;

    use super::*;

    fn record(number: i64) -> PredictionRecord {
        PredictionRecord {
            id: PredictionId::new(Uuid::now_v7(), 0),
            at: Timestamp::from_millis(number),
            version: ModelVersion::new(ModelName::parse("a \"quoted\" é").unwrap(), 1),
            arm: Arm::Stable,
            release: None,
            principal: "tester".to_owned(),
            entities: vec![("user_id".to_owned(), Value::Int64(number))],
            features: vec![LoggedFeature {
                name: "ratio".to_owned(),
                value: Value::Float64(number as f64 / 3.0),
                event_time: None,
                origin: "request".to_owned(),
                digest: None,
            }],
            outputs: Vec::new(),
            degraded: false,
            project: None,
            sample_rate: 1.0,
        }
    }

    #[tokio::test]
    async fn predictions_are_listed_newest_first_as_they_are_logged() {
        let folder = tempfile::TempDir::new().unwrap();
        let (tasks, metrics) = (Tasks::new(), Metrics::new(&[prediction_log::METRICS]).unwrap());
        let clock: SharedClock = Arc::new(ManualClock::new(Timestamp::from_millis(9)));
        let log = Log::open(Config::new(folder.path()), Arc::clone(&clock), &tasks, metrics).unwrap();
        let state = PredictionsState { log: log.clone(), clock };
        let list = async |limit| {
            let query = ListQuery { limit: Some(limit), ..ListQuery::default() };
            let response = super::list(State(state.clone()), Query(query)).await.ok().unwrap().into_response();
            assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            serde_json::from_slice::<JsonValue>(&body).unwrap()
        };
        assert_eq!(list(5).await, json!({ "predictions": [] }));
        let records: Vec<_> = (0..4).map(record).collect();
        log.append(&records).unwrap();
        assert_eq!(list(2).await, json!({ "predictions": [records[3], records[2]] }));
        assert_eq!(list(usize::MAX).await["predictions"].as_array().unwrap().len(), 4);
        assert!(tasks.shutdown(std::time::Duration::from_secs(60)).await.is_empty());
    }

    #[test]
    fn one_outcome_and_many_are_read_and_a_malformed_one_is_told_what_is_wrong() {
        let one = json!({ "prediction_id": "01997a3c-7e00-7abc-8def-0123456789ab:0", "event": "click" });
        assert_eq!(parsed(one.clone()).unwrap().len(), 1);
        assert_eq!(parsed(json!({ "outcomes": [one, one] })).unwrap().len(), 2);
        let wrong = json!({ "outcomes": [{ "prediction_id": "x", "event": "click", "values": 3 }] });
        let error = parsed(wrong).err().unwrap();
        assert!(error.message.contains("unknown field `values`"), "{}", error.message);
    }

    #[test]
    fn an_outcome_without_a_time_happened_now_and_one_without_an_id_is_named() {
        let now = Timestamp::from_millis(5);
        let body =
            |id: &str| OutcomeBody { prediction_id: id.to_owned(), event: "click".to_owned(), value: None, at: None };
        assert_eq!(body("01997a3c-7e00-7abc-8def-0123456789ab").dated(0, now).unwrap().at, now);
        assert!(body("nonsense").dated(3, now).unwrap_err().message.starts_with("outcome 3: "));
    }
}
