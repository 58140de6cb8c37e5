//! The first page: every model, what serves it, and what is on its way.

use std::collections::BTreeMap;

use axum::extract::State;
use maud::{Markup, html};
use release::{Assignment, Filter, Pinned, Release};
use types::{ModelName, ModelVersion, Timestamp};

use crate::{Answer, ConsoleState, address, page::Page, show};

/// How many open releases are looked at; each model has few.
const OPEN: u32 = 1_000;

struct Line {
    model: ModelName,
    newest: Option<u32>,
    description: Option<String>,
    assignment: Option<Assignment>,
    open: Option<Release>,
}

pub(crate) async fn fleet(State(state): State<ConsoleState>) -> Answer {
    let now = state.clock.now();
    let filter = Filter { open_only: true, limit: OPEN, ..Filter::default() };
    // Newest first: the first of a model is the one that matters.
    let mut open: BTreeMap<ModelName, Release> = BTreeMap::new();
    for release in state.releases.list(filter).await? {
        open.entry(release.version.model.clone()).or_insert(release);
    }
    let assignments = state.releases.assignments().await?.into_iter();
    let mut assignments: BTreeMap<_, _> =
        assignments.map(|assignment| (assignment.model.clone(), assignment)).collect();
    let mut lines = Vec::new();
    for model in state.registry.models().await? {
        let Ok(name) = ModelName::parse(&model.name) else { continue };
        lines.push(Line {
            newest: model.latest_versions.iter().map(|version| version.version).max(),
            description: model.description.filter(|text| !text.is_empty()),
            assignment: assignments.remove(&name),
            open: open.remove(&name),
            model: name,
        });
    }
    let is_moving = lines.iter().any(|line| line.open.as_ref().is_some_and(|open| !open.stage.is_settled()));
    let serving = lines.iter().filter(|line| line.stable().is_some()).count();
    let body = html! {
        h1 { "Fleet" }
        p.lead { (lines.len()) " registered " (if lines.len() == 1 { "model" } else { "models" }) ", " (serving) " in production." }
        @if lines.is_empty() {
            p { "Nothing is registered yet. Log a model with MLflow's client, with " code { "MLFLOW_TRACKING_URI" } " set to this address." }
        } @else {
            div.scroll {
                table {
                    thead { tr { th { "Model" } th { "Serves" } th { "Before" } th { "On its way" } th { "Newest version" } } }
                    tbody { @for line in &lines { (row(line, now)) } }
                }
            }
        }
    };
    Ok(Page::new("Fleet", "Fleet", body).moving(is_moving))
}

impl Line {
    fn stable(&self) -> Option<&Pinned> {
        self.assignment.as_ref()?.stable.as_ref()
    }
}

fn row(line: &Line, now: Timestamp) -> Markup {
    let version = |number: u32| ModelVersion::new(line.model.clone(), number);
    let pinned = |pinned: Option<&Pinned>| match pinned {
        Some(pinned) => html! {
            a href=(address::version(&version(pinned.version))) { "version " (pinned.version) }
            " " a.quiet href=(address::release(pinned.release)) { "release " (pinned.release) }
        },
        None => show::none(),
    };
    html! {
        tr {
            th scope="row" {
                a href=(address::model(&line.model)) { (line.model) }
                @if let Some(description) = &line.description { div.note { (description) } }
            }
            td { (pinned(line.stable())) }
            td { (pinned(line.assignment.as_ref().and_then(|assignment| assignment.previous.as_ref()))) }
            td {
                @if let Some(open) = &line.open {
                    a href=(address::release(open.id)) { "version " (open.version.version) } " " (show::stage(open))
                    " " span.note { (show::ago(open.updated_at, now)) }
                } @else { (show::none()) }
            }
            td {
                @if let Some(newest) = line.newest { a href=(address::version(&version(newest))) { (newest) } }
                @else { (show::none()) }
            }
        }
    }
}
