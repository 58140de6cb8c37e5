//! `model-versions/…`

use axum::{Extension, Json, extract::State};
use registry::{KeyValue, NewVersion, Transition, VersionSearch};
use serde_json::json;
use types::Principal;

use super::{Answer, Fields, MlflowState, done, most_results, route, wire};
use crate::{error::Error, routes::Route};

/// Rows of one page, and of one that asks for no number: MLflow's clients ask for 10,000 themselves.
const MOST_ROWS: i64 = 200_000;

pub(super) fn routes(state: &MlflowState) -> Vec<Route> {
    vec![
        route!(state, POST "model-versions/create" WRITES create),
        route!(state, GET "model-versions/get" READS get),
        route!(state, GET "model-versions/search" READS search),
        route!(state, PATCH "model-versions/update" WRITES update),
        route!(state, DELETE "model-versions/delete" WRITES delete),
        route!(state, POST "model-versions/set-tag" WRITES set_tag),
        route!(state, DELETE "model-versions/delete-tag" WRITES delete_tag),
        route!(state, POST "model-versions/transition-stage" WRITES transition_stage),
        route!(state, GET "model-versions/get-download-uri" READS download_uri),
    ]
}

async fn create(State(state): State<MlflowState>, Extension(caller): Extension<Principal>, fields: Fields) -> Answer {
    let new = NewVersion {
        name: fields.required("name")?.to_owned(),
        source: fields.required("source")?.to_owned(),
        run_id: fields.text("run_id")?.map(str::to_owned),
        model_id: fields.text("model_id")?.map(str::to_owned),
        run_link: fields.text_or_empty("run_link")?.to_owned(),
        description: fields.text_or_empty("description")?.to_owned(),
        tags: fields.pairs("tags")?,
    };
    let version = state.registry.create_version(&caller, new).await?;
    Ok(Json(json!({ "model_version": wire::version(&version) })))
}

async fn get(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let version = state.registry.version(fields.required("name")?, fields.required("version")?).await?;
    Ok(Json(json!({ "model_version": wire::version(&version) })))
}

pub(super) async fn search(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let search = VersionSearch {
        filter: fields.text_or_empty("filter")?.to_owned(),
        max_results: most_results(&fields, MOST_ROWS, MOST_ROWS)?,
        order_by: fields.texts("order_by")?,
        page_token: fields.text("page_token")?.map(str::to_owned),
    };
    let mut page = state.registry.search_versions(search).await?;
    // MLflow's search does not show them.
    page.items.iter_mut().for_each(|version| version.aliases.clear());
    Ok(Json(wire::page("model_versions", &page, wire::version)))
}

async fn update(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let description = fields.text("description")?.map(str::to_owned);
    let (name, version) = (fields.required("name")?, fields.required("version")?);
    let version = state.registry.update_version(name, version, description).await?;
    Ok(Json(json!({ "model_version": wire::version(&version) })))
}

async fn delete(State(state): State<MlflowState>, Extension(caller): Extension<Principal>, fields: Fields) -> Answer {
    state.registry.delete_version(&caller, fields.required("name")?, fields.required("version")?).await?;
    done()
}

async fn set_tag(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let tag = KeyValue::new(fields.required("key")?, fields.text_or_empty("value")?);
    state.registry.set_version_tag(fields.required("name")?, fields.required("version")?, tag).await?;
    done()
}

async fn delete_tag(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let (name, version) = (fields.required("name")?, fields.required("version")?);
    state.registry.delete_version_tag(name, version, fields.required("key")?).await?;
    done()
}

async fn transition_stage(
    State(state): State<MlflowState>,
    Extension(caller): Extension<Principal>,
    fields: Fields,
) -> Answer {
    let transition = Transition {
        name: fields.required("name")?.to_owned(),
        version: fields.required("version")?.to_owned(),
        stage: fields.required("stage")?.to_owned(),
        archive_existing: fields.truth("archive_existing_versions")?.unwrap_or_default(),
    };
    let version = state.registry.transition_stage(&caller, transition).await?;
    Ok(Json(json!({ "model_version": wire::version(&version) })))
}

async fn download_uri(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let name = fields.text_or_empty("name")?;
    if name.is_empty() {
        return Err(Error::invalid("Missing value for required parameter 'name'.").into());
    }
    let uri = state.registry.download_uri(name, fields.text_or_empty("version")?).await?;
    Ok(Json(json!({ "artifact_uri": uri })))
}
