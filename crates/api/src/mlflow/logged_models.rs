//! `logged-models/…`

use axum::{
    Json,
    extract::{Path, State},
};
use registry::{DatasetFilter, LoggedModelOrder, LoggedModelSearch, LoggedModelStatus, NewLoggedModel};
use serde_json::json;

use super::{
    Answer, Fields, MlflowState, done,
    fields::{missing, wrong_type},
    route, wire,
};
use crate::{error::Error, routes::Route};

/// Rows of one page of a search that asks for no number. One that asks for 0 has the registry's own.
const DEFAULT_ROWS: i64 = 50;

pub(super) fn routes(state: &MlflowState) -> Vec<Route> {
    vec![
        route!(state, POST "logged-models" WRITES create),
        route!(state, POST "logged-models/search" READS search),
        route!(state, GET "logged-models/{model_id}" READS get),
        route!(state, PATCH "logged-models/{model_id}" WRITES finalize),
        route!(state, DELETE "logged-models/{model_id}" WRITES delete),
        route!(state, POST "logged-models/{model_id}/params" WRITES log_params),
        route!(state, PATCH "logged-models/{model_id}/tags" WRITES set_tags),
        route!(state, DELETE "logged-models/{model_id}/tags/{tag_key}" WRITES delete_tag),
        route!(state, GET "logged-models/{model_id}/artifacts/directories" READS list_artifacts),
    ]
}

async fn create(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let text = |name: &str| Ok::<_, Error>(Some(fields.text_or_empty(name)?.to_owned()));
    let new = NewLoggedModel {
        experiment_id: fields.required("experiment_id")?.to_owned(),
        name: text("name")?,
        model_type: text("model_type")?,
        source_run_id: text("source_run_id")?,
        params: fields.key_values("params")?,
        tags: fields.key_values("tags")?,
    };
    let model = state.registry.create_logged_model(new).await?;
    Ok(Json(json!({ "model": wire::logged_model(&model) })))
}

async fn get(State(state): State<MlflowState>, Path(id): Path<String>, fields: Fields) -> Answer {
    let allow_deleted = fields.truth("allow_deleted")?.unwrap_or_default();
    let model = state.registry.logged_model(&id, allow_deleted).await?;
    Ok(Json(json!({ "model": wire::logged_model(&model) })))
}

/// A status by name or number.
fn status(fields: &Fields) -> Result<LoggedModelStatus, Error> {
    if let Ok(Some(number)) = fields.integer("status") {
        return LoggedModelStatus::of_number(number).ok_or_else(|| wrong_type("status", &number.into()));
    }
    let name = fields.required("status")?;
    LoggedModelStatus::parse(name).ok_or_else(|| wrong_type("status", &name.into()))
}

/// The body names the model once more, and that counts.
async fn finalize(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let model = state.registry.finalize_logged_model(fields.required("model_id")?, status(&fields)?).await?;
    Ok(Json(json!({ "model": wire::logged_model(&model) })))
}

async fn delete(State(state): State<MlflowState>, Path(id): Path<String>) -> Answer {
    state.registry.delete_logged_model(&id).await?;
    done()
}

async fn log_params(State(state): State<MlflowState>, Path(id): Path<String>, fields: Fields) -> Answer {
    fields.required("model_id")?;
    state.registry.log_model_params(&id, fields.key_values("params")?).await?;
    done()
}

async fn set_tags(State(state): State<MlflowState>, Path(id): Path<String>, fields: Fields) -> Answer {
    state.registry.set_logged_model_tags(&id, fields.key_values("tags")?).await?;
    done()
}

async fn delete_tag(State(state): State<MlflowState>, Path((id, key)): Path<(String, String)>) -> Answer {
    state.registry.delete_logged_model_tag(&id, &key).await?;
    done()
}

async fn search(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let optional = |fields: &Fields, name: &str| {
        Ok::<_, Error>(fields.text(name)?.filter(|text| !text.is_empty()).map(str::to_owned))
    };
    if !fields.has("experiment_ids") {
        return Err(missing("experiment_ids").into());
    }
    let experiment_ids = fields.texts("experiment_ids")?;
    let mut datasets = Vec::new();
    for dataset in fields.objects("datasets")? {
        let name = dataset.text_or_empty("dataset_name")?.to_owned();
        datasets.push(DatasetFilter { name, digest: optional(&dataset, "dataset_digest")? });
    }
    let mut order_by = Vec::new();
    for by in fields.objects("order_by")? {
        order_by.push(LoggedModelOrder {
            field_name: by.text_or_empty("field_name")?.to_owned(),
            ascending: by.truth("ascending")?.unwrap_or(true),
            dataset_name: optional(&by, "dataset_name")?,
            dataset_digest: optional(&by, "dataset_digest")?,
        });
    }
    let search = LoggedModelSearch {
        experiment_ids,
        filter: fields.text_or_empty("filter")?.to_owned(),
        datasets,
        max_results: fields.integer("max_results")?.or(Some(DEFAULT_ROWS)),
        order_by,
        page_token: optional(&fields, "page_token")?,
    };
    let page = state.registry.search_logged_models(search).await?;
    Ok(Json(wire::page("models", &page, wire::logged_model)))
}

async fn list_artifacts(State(state): State<MlflowState>, Path(id): Path<String>, fields: Fields) -> Answer {
    let path = fields.text("artifact_directory_path")?;
    let listing = state.registry.logged_model_artifacts(&id, path).await?;
    Ok(Json(wire::listing(&listing)))
}
