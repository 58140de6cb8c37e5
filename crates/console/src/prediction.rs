//! Served predictions: the newest, and one with its features and outcomes.

use axum::extract::{Path, Query, State};
use maud::{Markup, html};
use prediction_log::{Outcome, PredictionRecord, Scan};
use serde::Deserialize;
use types::{ModelName, PredictionId, Timestamp, Value};

use crate::{
    Answer, ConsoleState, Failure, address,
    page::{Pace, Page},
    show,
};

/// Rows of the page.
const ROWS: usize = 100;

#[derive(Deserialize)]
pub(crate) struct Asked {
    model: Option<String>,
}

pub(crate) async fn predictions(State(state): State<ConsoleState>, Query(asked): Query<Asked>) -> Answer {
    let model = asked.model.as_deref().map(ModelName::parse).transpose()?;
    let records = state.predictions.scan(Scan { model: model.clone(), ..Scan::newest(ROWS) }).await?;
    let now = state.clock.now();
    let body = html! {
        h1 { "Predictions" @if let Some(model) = &model { " of " a href=(address::model(model)) { (model) } } }
        @if records.is_empty() { p { "None were served yet." } } @else {
            p.lead { "The last " (records.len()) ", newest first." }
            div.scroll {
                table {
                    thead { tr { th { "Prediction" } th { "When" } th { "Version" } th { "Arm" } th { "For" } th { "Answer" } } }
                    tbody {
                        @for record in &records {
                            tr {
                                th scope="row" { a href=(address::prediction(&record.id)) { code { (shortened(&record.id)) } } }
                                td { (show::ago(record.at, now)) }
                                td { a href=(address::version(&record.version)) { (record.version) } }
                                td { (record.arm.as_str()) @if record.degraded { " " span.badge.waiting { "degraded" } } }
                                td { (named(&record.entities)) }
                                td { (answers(record)) }
                            }
                        }
                    }
                }
            }
        }
    };
    Ok(Page::new("Predictions", "Predictions", body).at(Pace::Calm))
}

pub(crate) async fn prediction(State(state): State<ConsoleState>, Path(id): Path<String>) -> Answer {
    let id = PredictionId::parse(&id)?;
    let found = state.predictions.find(id).await?;
    let (record, outcomes) =
        found.ok_or_else(|| Failure::not_found(format!("there is no prediction {id} in the log")))?;
    let now = state.clock.now();
    let body = html! {
        p.crumb { a href="/predictions" { "Predictions" } }
        h1 { "Prediction" }
        p { code { (id) } }
        dl {
            div { dt { "When" } dd { (show::moment(record.at)) ", " (show::ago(record.at, now)) } }
            div { dt { "Version" } dd { a href=(address::version(&record.version)) { (record.version) } ", " (record.arm.as_str()) } }
            @if let Some(release) = record.release.as_deref().and_then(|release| release.parse().ok()) {
                div { dt { "Released by" } dd { a href=(address::release(release)) { "release " (release) } } }
            }
            div { dt { "Asked by" } dd { (record.principal) } }
            div { dt { "For" } dd { (named(&record.entities)) } }
            div { dt { "Answer" } dd { (answers(&record)) } }
            @if record.degraded { div { dt { "Degraded" } dd { "answered from last known features: the store was away" } } }
        }
        h2 { "Features" }
        (features(&record))
        h2 { "Outcomes" }
        (outcomes_of(&outcomes, now))
    };
    Ok(Page::new("Predictions", format!("Prediction {}", shortened(&id)), body))
}

fn features(record: &PredictionRecord) -> Markup {
    html! {
        @if record.features.is_empty() { p { "The caller sent every input." } } @else {
            div.scroll {
                table {
                    thead { tr { th { "Input" } th { "Value" } th { "From" } th { "Age when served" } th { "Definition" } } }
                    tbody {
                        @for feature in &record.features {
                            tr {
                                th scope="row" { (feature.name) }
                                td { (show::value(&feature.value)) }
                                td { (feature.origin) }
                                td {
                                    @if let Some(time) = feature.event_time { (record.at.since(time).approximate()) } @else { (show::none()) }
                                }
                                td { @if let Some(digest) = &feature.digest { (show::digest(digest)) } @else { (show::none()) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn outcomes_of(outcomes: &[Outcome], now: Timestamp) -> Markup {
    html! {
        @if outcomes.is_empty() { p { "None reported." } } @else {
            ul {
                @for outcome in outcomes {
                    li { strong { (outcome.event) } @if let Some(value) = outcome.value { " " code { (value) } } " " (show::ago(outcome.at, now)) }
                }
            }
        }
    }
}

fn named(values: &[(String, Value)]) -> Markup {
    html! {
        @if values.is_empty() { (show::none()) }
        @for (index, (name, value)) in values.iter().enumerate() {
            @if index > 0 { ", " } (name) " " (show::value(value))
        }
    }
}

fn answers(record: &PredictionRecord) -> Markup {
    html! {
        @for (index, (name, values)) in record.outputs.iter().enumerate() {
            @if index > 0 { ", " } (name) " "
            @for (index, value) in values.iter().enumerate() { @if index > 0 { " " } (show::value(value)) }
        }
    }
}

/// The end of the id: the beginning is its time, which neighbours share.
fn shortened(id: &PredictionId) -> String {
    let text = id.to_string();
    let start = text.len().saturating_sub(14);
    format!("…{}", &text[start..])
}
