//! `experiments/…`

use axum::{Json, extract::State};
use registry::{ExperimentSearch, KeyValue, NewExperiment, ViewType};
use serde_json::json;

use super::{Answer, Fields, MlflowState, done, fields::wrong_type, max_results, route, wire};
use crate::{error::Error, routes::Route};

/// Rows of one page.
const MOST_ROWS: i64 = 50_000;

pub(super) fn routes(state: &MlflowState) -> Vec<Route> {
    vec![
        route!(state, POST "experiments/create" WRITES create),
        route!(state, GET "experiments/get" READS get),
        route!(state, GET "experiments/get-by-name" READS get_by_name),
        route!(state, GET "experiments/search" READS search),
        route!(state, POST "experiments/search" READS search),
        route!(state, POST "experiments/update" WRITES update),
        route!(state, POST "experiments/delete" WRITES delete),
        route!(state, POST "experiments/restore" WRITES restore),
        route!(state, POST "experiments/set-experiment-tag" WRITES set_tag),
        route!(state, POST "experiments/delete-experiment-tag" WRITES delete_tag),
    ]
}

/// Which stages a search looks at; MLflow's clients send the name.
pub(super) fn view(fields: &Fields, name: &str) -> Result<ViewType, Error> {
    if let Ok(Some(number)) = fields.integer(name) {
        let by_number = [ViewType::ActiveOnly, ViewType::DeletedOnly, ViewType::All];
        let found = usize::try_from(number).ok().and_then(|number| by_number.get(number.checked_sub(1)?));
        return found.copied().ok_or_else(|| wrong_type(name, &number.into()));
    }
    match fields.text(name)? {
        None | Some("" | "ACTIVE_ONLY") => Ok(ViewType::ActiveOnly),
        Some("DELETED_ONLY") => Ok(ViewType::DeletedOnly),
        Some("ALL") => Ok(ViewType::All),
        Some(other) => Err(wrong_type(name, &other.into())),
    }
}

async fn create(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let new = NewExperiment {
        name: fields.required("name")?.to_owned(),
        artifact_location: fields.text("artifact_location")?.map(str::to_owned),
        tags: fields.key_values("tags")?,
    };
    let id = state.registry.create_experiment(new).await?;
    Ok(Json(json!({ "experiment_id": id.to_string() })))
}

pub(super) async fn get(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let experiment = state.registry.experiment(fields.required("experiment_id")?).await?;
    Ok(Json(json!({ "experiment": wire::experiment(&experiment) })))
}

async fn get_by_name(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let experiment = state.registry.experiment_by_name(fields.required("experiment_name")?).await?;
    Ok(Json(json!({ "experiment": wire::experiment(&experiment) })))
}

async fn search(State(state): State<MlflowState>, fields: Fields) -> Answer {
    if fields.integer("max_results")?.is_some_and(|asked| asked > MOST_ROWS) {
        let asked = fields.integer("max_results")?.unwrap_or_default();
        return Err(Error::invalid(format!(
            "Invalid value {asked} for parameter 'max_results' supplied. It must be at most {MOST_ROWS}"
        ))
        .into());
    }
    let search = ExperimentSearch {
        filter: fields.text_or_empty("filter")?.to_owned(),
        view: view(&fields, "view_type")?,
        max_results: max_results(&fields, 0, MOST_ROWS)?,
        order_by: fields.texts("order_by")?,
        page_token: fields.text("page_token")?.map(str::to_owned),
    };
    let page = state.registry.search_experiments(search).await?;
    Ok(Json(wire::page("experiments", &page, wire::experiment)))
}

async fn update(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let id = fields.required("experiment_id")?;
    state.registry.rename_experiment(id, fields.required("new_name")?).await?;
    done()
}

async fn delete(State(state): State<MlflowState>, fields: Fields) -> Answer {
    state.registry.delete_experiment(fields.required("experiment_id")?).await?;
    done()
}

async fn restore(State(state): State<MlflowState>, fields: Fields) -> Answer {
    state.registry.restore_experiment(fields.required("experiment_id")?).await?;
    done()
}

async fn set_tag(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let id = fields.required("experiment_id")?;
    let tag = KeyValue::new(fields.required("key")?, fields.text_or_empty("value")?);
    state.registry.set_experiment_tag(id, tag).await?;
    done()
}

async fn delete_tag(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let id = fields.required("experiment_id")?;
    state.registry.delete_experiment_tag(id, fields.required("key")?).await?;
    done()
}
