//! `/graphql`: what MLflow's web client reads experiments, runs and artifacts through.
//!
//! MLflow's schema is small: some calls, whose answers are the REST calls' in other names. So it is a table ([`types`]),
//! what a query asks for is looked up there before anything is read ([`plan`]), and what is read comes from the same
//! handlers that answer over REST, so that both always say the same. As with MLflow, every answer is 200 with `data` and
//! `errors`, and an error is its text alone. Of introspection there is `__typename` only.

mod document;
mod execute;
mod input;
mod lexer;
mod limits;
mod parser;
mod plan;
mod roots;
mod types;

use axum::{Json, extract::State};
use http::Method;
use serde_json::{Value as JsonValue, json};

use self::document::{Document, Operation};
use super::{Answer, Fields, MlflowState, READS};
use crate::{error::Error, routes::Route};

/// Longest query; MLflow's web client sends some three thousand bytes, and the limits allow not much more.
const LONGEST: usize = 256 * 1024;

pub(super) fn routes(state: &MlflowState) -> Vec<Route> {
    [Method::GET, Method::POST].map(|method| Route::new(method, "/graphql", READS, answer, state.clone())).into()
}

async fn answer(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let query = fields.required("query")?;
    if query.len() > LONGEST {
        return Err(Error::invalid(format!("the query is longer than {LONGEST} bytes")).into());
    }
    let name = fields.text("operationName")?.filter(|name| !name.is_empty());
    let (data, errors) = match planned(query, name, &variables(&fields)?) {
        Ok(steps) => execute::execute(&state, &steps).await,
        Err(errors) => (JsonValue::Null, errors),
    };
    Ok(Json(json!({ "data": data, "errors": if errors.is_empty() { JsonValue::Null } else { json!(errors) } })))
}

/// What a query asks for, or what is wrong with it.
fn planned(query: &str, name: Option<&str>, variables: &JsonValue) -> Result<Vec<plan::Step>, Vec<String>> {
    let document = parser::parse(query).map_err(|error| vec![format!("Syntax Error: {error}")])?;
    if let Some(excess) = limits::excess(&document) {
        return Err(vec![excess]);
    }
    let operation = operation(&document, name).map_err(|error| vec![error])?;
    plan::plan(&document, operation, variables)
}

/// The operation of that name; the only one, where none is named.
fn operation<'a>(document: &'a Document, name: Option<&str>) -> Result<&'a Operation, String> {
    match (name, document.operations.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => Err("Must provide operation name if query contains multiple operations.".to_owned()),
        (Some(name), operations) => operations
            .iter()
            .find(|operation| operation.name.as_deref() == Some(name))
            .ok_or_else(|| format!("Unknown operation named '{name}'.")),
    }
}

/// The variables: an object, or its text where they stand in a URL.
fn variables(fields: &Fields) -> Result<JsonValue, Error> {
    match fields.text("variables") {
        Ok(None) => Ok(JsonValue::Null),
        Ok(Some(text)) => serde_json::from_str(text)
            .map_err(|error| Error::invalid(format!("the query's variables are not JSON: {error}"))),
        Err(_) => Ok(fields.map("variables")?.map_or(JsonValue::Null, |names| names.clone().into())),
    }
}
