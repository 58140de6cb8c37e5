//! What the run table and charts of MLflow's web client are drawn from: one metric over several runs, and the datasets of
//! experiments.

use axum::{Json, extract::State};
use registry::{BulkHistoryRequest, DatasetSummary, SampledHistoryRequest};
use serde_json::{Value as JsonValue, json};

use super::{Answer, Fields, MlflowState, fields::missing, route, wire};
use crate::{error::Error, routes::Route};

/// Runs of one question.
const MOST_RUNS: usize = 100;
/// Points of one answer that is not thinned.
const MOST_POINTS: i64 = 25_000;
/// Steps that an answer is thinned to, unless fewer are asked for.
const MOST_STEPS: i64 = 2_500;
/// Experiments whose datasets are listed together.
const MOST_EXPERIMENTS: usize = 20;

pub(super) fn routes(state: &MlflowState) -> Vec<Route> {
    vec![
        route!(state, GET "metrics/get-history-bulk" READS bulk_history),
        route!(state, GET "metrics/get-history-bulk-interval" READS sampled_history),
        route!(state, POST "experiments/search-datasets" READS search_datasets),
    ]
}

async fn bulk_history(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let run_ids = fields.texts("run_id")?;
    if run_ids.is_empty() {
        return Err(Error::invalid("GetMetricHistoryBulk request must specify at least one run_id.").into());
    }
    if run_ids.len() > MOST_RUNS {
        let message = format!(
            "GetMetricHistoryBulk request cannot specify more than {MOST_RUNS} run_ids. Received {} run_ids.",
            run_ids.len()
        );
        return Err(Error::invalid(message).into());
    }
    let key = fields.text("metric_key")?;
    let key = key.ok_or_else(|| Error::invalid("GetMetricHistoryBulk request must specify a metric_key."))?;
    let request = BulkHistoryRequest {
        run_ids,
        key: key.to_owned(),
        max_results: fields.integer("max_results")?.unwrap_or(MOST_POINTS),
    };
    let points = state.registry.bulk_metric_history(request).await?;
    Ok(Json(json!({ "metrics": points.iter().map(wire::metric).collect::<Vec<_>>() })))
}

pub(super) async fn sampled_history(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let run_ids = fields.texts("run_ids")?;
    if run_ids.is_empty() {
        return Err(missing("run_ids").into());
    }
    if run_ids.len() > MOST_RUNS {
        let message = format!(
            "GetMetricHistoryBulkInterval request must specify at most {MOST_RUNS} run_ids. Received {} run_ids.",
            run_ids.len()
        );
        return Err(Error::invalid(message).into());
    }
    let request = SampledHistoryRequest {
        run_ids,
        key: fields.required("metric_key")?.to_owned(),
        max_steps: max_steps(&fields)?,
        steps: steps(&fields)?,
    };
    let points = state.registry.sampled_metric_history(request).await?;
    Ok(Json(wire::list("metrics", &points, wire::metric)))
}

fn max_steps(fields: &Fields) -> Result<usize, Error> {
    let asked = fields.integer("max_results")?.unwrap_or(MOST_STEPS);
    let within = usize::try_from(asked).ok().filter(|_| (1..=MOST_STEPS).contains(&asked));
    within.ok_or_else(|| Error::invalid(format!("max_results must be between 1 and {MOST_STEPS}.")))
}

/// Both ends of the range, or neither.
fn steps(fields: &Fields) -> Result<Option<(i64, i64)>, Error> {
    match (fields.integer("start_step")?, fields.integer("end_step")?) {
        (Some(first), Some(last)) => Ok(Some((first, last))),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => {
            Err(Error::invalid("If either start step or end step are specified, both must be specified."))
        }
    }
}

pub(super) async fn search_datasets(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let experiments = fields.texts("experiment_ids")?;
    if experiments.is_empty() {
        return Err(Error::invalid("SearchDatasets request must specify at least one experiment_id.").into());
    }
    if experiments.len() > MOST_EXPERIMENTS {
        let message = format!(
            "SearchDatasets request cannot specify more than {MOST_EXPERIMENTS} experiment_ids. Received {} experiment_ids.",
            experiments.len()
        );
        return Err(Error::invalid(message).into());
    }
    let summaries = state.registry.search_datasets(&experiments).await?;
    Ok(Json(wire::list("dataset_summaries", &summaries, summary)))
}

fn summary(summary: &DatasetSummary) -> JsonValue {
    let mut json = json!({
        "experiment_id": summary.experiment_id.to_string(), "name": summary.name, "digest": summary.digest,
    });
    if let Some(context) = &summary.context {
        json["context"] = context.as_str().into();
    }
    json
}
