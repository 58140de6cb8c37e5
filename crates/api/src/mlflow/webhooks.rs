//! `webhooks/…`
//!
//! All of it is for editors: whoever knows a webhook's URL can often speak to its receiver in our name, and whoever makes
//! one has this server send requests.

use axum::{
    Json,
    extract::{Path, State},
};
use registry::webhooks::{Action, Entity, Event, NewWebhook, Status, WebhookUpdate};
use serde_json::{Value, json};

use super::{
    Answer, Fields, MlflowState, done,
    fields::{missing, wrong_type},
    route, wire,
};
use crate::{error::Error, routes::Route};

/// Rows of one page, unless another number is asked for.
const DEFAULT_ROWS: i64 = 100;

pub(super) fn routes(state: &MlflowState) -> Vec<Route> {
    vec![
        route!(state, POST "webhooks" WRITES create),
        route!(state, GET "webhooks" WRITES list),
        route!(state, GET "webhooks/{webhook_id}" WRITES get),
        route!(state, PATCH "webhooks/{webhook_id}" WRITES update),
        route!(state, DELETE "webhooks/{webhook_id}" WRITES delete),
        route!(state, POST "webhooks/{webhook_id}/test" WRITES test),
    ]
}

async fn create(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let (name, url) = (fields.required("name")?.to_owned(), fields.required("url")?.to_owned());
    if !fields.has("events") {
        return Err(missing("events").into());
    }
    let new = NewWebhook {
        name,
        url,
        events: events(&fields)?,
        description: not_empty(&fields, "description")?,
        secret: not_empty(&fields, "secret")?,
        status: status(&fields)?.unwrap_or_default(),
    };
    let webhook = state.registry.create_webhook(new).await?;
    Ok(Json(json!({ "webhook": wire::webhook(&webhook) })))
}

async fn list(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let max_results = fields.integer("max_results")?.unwrap_or(DEFAULT_ROWS);
    let page = state.registry.webhooks(max_results, fields.text("page_token")?).await?;
    Ok(Json(wire::page("webhooks", &page, wire::webhook)))
}

async fn get(State(state): State<MlflowState>, Path(id): Path<String>) -> Answer {
    Ok(Json(json!({ "webhook": wire::webhook(&state.registry.webhook(&id).await?) })))
}

async fn update(State(state): State<MlflowState>, Path(id): Path<String>, fields: Fields) -> Answer {
    let update = WebhookUpdate {
        name: not_empty(&fields, "name")?,
        url: not_empty(&fields, "url")?,
        events: Some(events(&fields)?).filter(|events| !events.is_empty()),
        // These two can be taken back.
        description: fields.text("description")?.map(str::to_owned),
        secret: fields.text("secret")?.map(str::to_owned),
        status: status(&fields)?,
    };
    let webhook = state.registry.update_webhook(&id, update).await?;
    Ok(Json(json!({ "webhook": wire::webhook(&webhook) })))
}

async fn delete(State(state): State<MlflowState>, Path(id): Path<String>) -> Answer {
    state.registry.delete_webhook(&id).await?;
    done()
}

async fn test(State(state): State<MlflowState>, Path(id): Path<String>, fields: Fields) -> Answer {
    let event = fields.object("event")?.map(|fields| event(&fields, "event")).transpose()?;
    let result = match state.registry.test_webhook(&id, event).await? {
        Ok(response) => json!({
            "success": response.status < 400, "response_status": response.status, "response_body": response.body,
        }),
        Err(failure) => json!({ "success": false, "error_message": format!("Failed to test webhook: {failure}") }),
    };
    Ok(Json(json!({ "result": result })))
}

fn not_empty(fields: &Fields, name: &str) -> Result<Option<String>, Error> {
    Ok(fields.text(name)?.filter(|text| !text.is_empty()).map(str::to_owned))
}

fn events(fields: &Fields) -> Result<Vec<Event>, Error> {
    let events = fields.objects("events")?;
    events.iter().enumerate().map(|(index, fields)| event(fields, &format!("events[{index}]"))).collect()
}

fn event(fields: &Fields, path: &str) -> Result<Event, Error> {
    let entity = word(fields, path, "entity", Entity::of_number, |word| word.parse().ok())?;
    let action = word(fields, path, "action", Action::of_number, |word| word.parse().ok())?;
    Ok(Event::new(entity, action)?)
}

/// An enum's word, in capitals as the protocol has it, or its number.
fn word<T>(
    fields: &Fields,
    path: &str,
    name: &str,
    of_number: impl Fn(i64) -> Option<T>,
    of_word: impl Fn(&str) -> Option<T>,
) -> Result<T, Error> {
    let path = format!("{path}.{name}");
    if !fields.has(name) {
        return Err(missing(&path));
    }
    let (found, value) = match fields.integer(name) {
        Ok(Some(number)) => (of_number(number), Value::from(number)),
        Ok(None) | Err(_) => {
            let text = fields.text_or_empty(name)?;
            let is_capital = !text.contains(|c: char| c.is_ascii_lowercase());
            (of_word(&text.to_ascii_lowercase()).filter(|_| is_capital), Value::from(text))
        }
    };
    found.ok_or_else(|| wrong_type(&path, &value))
}

/// A status by word or number. MLflow takes a word that it does not know for none; here it is an error.
fn status(fields: &Fields) -> Result<Option<Status>, Error> {
    match fields.integer("status") {
        Ok(None | Some(0)) => return Ok(None),
        Ok(Some(1)) => return Ok(Some(Status::Active)),
        Ok(Some(2)) => return Ok(Some(Status::Disabled)),
        Ok(Some(number)) => return Err(wrong_type("status", &number.into())),
        Err(_) => {}
    }
    let word = fields.text_or_empty("status")?;
    Status::parse(word).map(Some).ok_or_else(|| wrong_type("status", &word.into()))
}
