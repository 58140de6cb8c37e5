//! `runs/…` but for what is logged on them, and `artifacts/list`.

use axum::{Json, extract::State};
use registry::{NewRun, RunSearch, RunStatus, RunUpdate};
use serde_json::json;

use super::{Answer, Fields, MlflowState, done, experiments::view, fields::wrong_type, max_results, route, wire};
use crate::{error::Error, routes::Route};

/// Rows of one page, unless another number is asked for.
const DEFAULT_ROWS: i64 = 1_000;
/// Rows of one page.
const MOST_ROWS: i64 = 50_000;

pub(super) fn routes(state: &MlflowState) -> Vec<Route> {
    vec![
        route!(state, POST "runs/create" WRITES create),
        route!(state, GET "runs/get" READS get),
        route!(state, POST "runs/update" WRITES update),
        route!(state, POST "runs/delete" WRITES delete),
        route!(state, POST "runs/restore" WRITES restore),
        route!(state, POST "runs/search" READS search),
        route!(state, GET "artifacts/list" READS list_artifacts),
    ]
}

async fn create(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let new = NewRun {
        experiment_id: fields.text_or_empty("experiment_id")?.to_owned(),
        user_id: fields.text_or_empty("user_id")?.to_owned(),
        started: fields.integer("start_time")?,
        name: fields.text("run_name")?.map(str::to_owned),
        tags: fields.key_values("tags")?,
    };
    let run = state.registry.create_run(new).await?;
    let mut run = wire::run(&run);
    // MLflow shows the outputs of runs that it looked up, not of those that it made.
    if let Some(run) = run.as_object_mut() {
        run.remove("outputs");
    }
    Ok(Json(json!({ "run": run })))
}

pub(super) async fn get(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let run = state.registry.run(fields.run_id()?).await?;
    Ok(Json(json!({ "run": wire::run(&run) })))
}

/// A status by name or number.
fn status(fields: &Fields) -> Result<Option<RunStatus>, Error> {
    if let Ok(Some(number)) = fields.integer("status") {
        return RunStatus::of_number(number).map(Some).ok_or_else(|| wrong_type("status", &number.into()));
    }
    Ok(fields.text("status")?.and_then(RunStatus::parse))
}

async fn update(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let update = RunUpdate {
        // As MLflow does, the name of a status that there is not changes nothing.
        status: status(&fields)?,
        ended: fields.integer("end_time")?,
        name: fields.text("run_name")?.map(str::to_owned),
    };
    let info = state.registry.update_run(fields.run_id()?, update).await?;
    Ok(Json(json!({ "run_info": wire::run_info(&info) })))
}

async fn delete(State(state): State<MlflowState>, fields: Fields) -> Answer {
    state.registry.delete_run(fields.run_id()?).await?;
    done()
}

async fn restore(State(state): State<MlflowState>, fields: Fields) -> Answer {
    state.registry.restore_run(fields.run_id()?).await?;
    done()
}

pub(super) async fn search(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let search = RunSearch {
        experiment_ids: fields.texts("experiment_ids")?,
        filter: fields.text_or_empty("filter")?.to_owned(),
        view: view(&fields, "run_view_type")?,
        max_results: max_results(&fields, DEFAULT_ROWS, MOST_ROWS)?,
        order_by: fields.texts("order_by")?,
        page_token: fields.text("page_token")?.map(str::to_owned),
    };
    let mut page = state.registry.search_runs(search).await?;
    // MLflow shows the models that a run read only to those who ask for that run.
    for run in &mut page.items {
        run.model_inputs.clear();
    }
    Ok(Json(wire::page("runs", &page, wire::run)))
}

pub(super) async fn list_artifacts(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let listing = state.registry.run_artifacts(fields.run_id()?, fields.text("path")?).await?;
    Ok(Json(wire::listing(&listing)))
}
