//! `registered-models/…`

use axum::{Extension, Json, extract::State};
use registry::{KeyValue, ModelSearch};
use serde_json::json;
use types::Principal;

use super::{Answer, Fields, MlflowState, done, max_results, route, wire};
use crate::routes::Route;

/// Rows of one page, unless another number is asked for.
const DEFAULT_ROWS: i64 = 100;
/// Rows of one page.
const MOST_ROWS: i64 = 1_000;

pub(super) fn routes(state: &MlflowState) -> Vec<Route> {
    vec![
        route!(state, POST "registered-models/create" WRITES create),
        route!(state, GET "registered-models/get" READS get),
        route!(state, GET "registered-models/search" READS search),
        route!(state, PATCH "registered-models/update" WRITES update),
        route!(state, POST "registered-models/rename" WRITES rename),
        route!(state, DELETE "registered-models/delete" WRITES delete),
        route!(state, POST "registered-models/set-tag" WRITES set_tag),
        route!(state, DELETE "registered-models/delete-tag" WRITES delete_tag),
        route!(state, GET "registered-models/alias" READS get_by_alias),
        route!(state, POST "registered-models/alias" WRITES set_alias),
        route!(state, DELETE "registered-models/alias" WRITES delete_alias),
        route!(state, GET "registered-models/get-latest-versions" READS latest_versions),
        route!(state, POST "registered-models/get-latest-versions" READS latest_versions),
    ]
}

async fn create(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let description = Some(fields.text_or_empty("description")?.to_owned());
    let tags = fields.key_values("tags")?;
    let model = state.registry.create_model(fields.required("name")?, description, tags).await?;
    Ok(Json(json!({ "registered_model": wire::registered_model(&model) })))
}

async fn get(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let model = state.registry.model(fields.required("name")?).await?;
    Ok(Json(json!({ "registered_model": wire::registered_model(&model) })))
}

async fn search(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let search = ModelSearch {
        filter: fields.text_or_empty("filter")?.to_owned(),
        max_results: max_results(&fields, DEFAULT_ROWS, MOST_ROWS)?,
        order_by: fields.texts("order_by")?,
        page_token: fields.text("page_token")?.map(str::to_owned),
    };
    let page = state.registry.search_models(search).await?;
    Ok(Json(wire::page("registered_models", &page, wire::registered_model)))
}

async fn update(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let model = state.registry.update_model(fields.required("name")?, fields.text_or_empty("description")?).await?;
    Ok(Json(json!({ "registered_model": wire::registered_model(&model) })))
}

async fn rename(State(state): State<MlflowState>, Extension(caller): Extension<Principal>, fields: Fields) -> Answer {
    let (name, new_name) = (fields.required("name")?, fields.required("new_name")?);
    let model = state.registry.rename_model(&caller, name, new_name).await?;
    Ok(Json(json!({ "registered_model": wire::registered_model(&model) })))
}

async fn delete(State(state): State<MlflowState>, Extension(caller): Extension<Principal>, fields: Fields) -> Answer {
    state.registry.delete_model(&caller, fields.required("name")?).await?;
    done()
}

async fn set_tag(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let tag = KeyValue::new(fields.required("key")?, fields.text_or_empty("value")?);
    state.registry.set_model_tag(fields.required("name")?, tag).await?;
    done()
}

async fn delete_tag(State(state): State<MlflowState>, fields: Fields) -> Answer {
    state.registry.delete_model_tag(fields.required("name")?, fields.required("key")?).await?;
    done()
}

async fn get_by_alias(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let version = state.registry.version_by_alias(fields.required("name")?, fields.required("alias")?).await?;
    Ok(Json(json!({ "model_version": wire::version(&version) })))
}

async fn set_alias(
    State(state): State<MlflowState>,
    Extension(caller): Extension<Principal>,
    fields: Fields,
) -> Answer {
    let (name, alias) = (fields.required("name")?, fields.required("alias")?);
    state.registry.set_alias(&caller, name, alias, fields.required("version")?).await?;
    done()
}

async fn delete_alias(
    State(state): State<MlflowState>,
    Extension(caller): Extension<Principal>,
    fields: Fields,
) -> Answer {
    state.registry.delete_alias(&caller, fields.required("name")?, fields.required("alias")?).await?;
    done()
}

async fn latest_versions(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let stages = fields.texts("stages")?;
    let items = state.registry.latest_versions(fields.required("name")?, &stages).await?;
    let page = registry::Page { items, next: None };
    Ok(Json(wire::page("model_versions", &page, wire::version)))
}
