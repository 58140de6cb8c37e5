//! The first page: every model, what serves it, what is on its way, and what is wrong.

use std::collections::BTreeMap;

use alerts::Alert;
use axum::extract::State;
use maud::{Markup, html};
use release::{Assignment, Filter, Release, RolloutReport, Stage};
use types::{ModelName, ModelVersion, Timestamp};

use crate::{
    Answer, ConsoleState, address, alerts as alert_list,
    page::{Pace, Page},
    serving, show,
};

/// How many open releases and firing alerts are looked at; each model has few.
const OPEN: u32 = 1_000;

struct Line {
    model: ModelName,
    newest: Option<u32>,
    description: Option<String>,
    assignment: Option<Assignment>,
    open: Option<Release>,
    report: Option<RolloutReport>,
}

pub(crate) async fn fleet(State(state): State<ConsoleState>) -> Answer {
    let now = state.clock.now();
    let lines = lines(&state).await?;
    let filter = ::alerts::Filter { firing_only: true, limit: OPEN, ..::alerts::Filter::default() };
    let firing = state.alerts.list(filter).await?;
    let is_moving = lines.iter().any(|line| line.open.as_ref().is_some_and(|open| !open.stage.is_settled()));
    let in_production = |line: &&Line| line.assignment.as_ref().is_some_and(|assignment| assignment.stable.is_some());
    let serving = lines.iter().filter(in_production).count();
    let body = html! {
        h1 { "Fleet" }
        p.lead {
            (lines.len()) " registered " (if lines.len() == 1 { "model" } else { "models" }) ", " (serving) " in production; "
            @if firing.is_empty() { "no alert fires." } @else { a href="/alerts" { (firing.len()) (if firing.len() == 1 { " alert fires" } else { " alerts fire" }) } "." }
        }
        @if lines.is_empty() {
            p { "Nothing is registered yet. Log a model with MLflow's client, with " code { "MLFLOW_TRACKING_URI" } " set to this address." }
        } @else {
            div.scroll {
                table {
                    thead { tr { th { "Model" } th { "Serves" } th { "Before" } th { "On its way" } th { "Alerts" } th { "Newest" } } }
                    tbody { @for line in &lines { (row(line, &firing, now)) } }
                }
            }
        }
    };
    Ok(Page::new("Fleet", "Fleet", body).at(Pace::of(is_moving)))
}

async fn lines(state: &ConsoleState) -> Result<Vec<Line>, crate::Failure> {
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
        let open = open.remove(&name);
        let report = match &open {
            Some(release) if release.stage == Stage::RollingOut => Some(state.releases.rollout(release.id).await?),
            Some(_) | None => None,
        };
        lines.push(Line {
            newest: model.latest_versions.iter().map(|version| version.version).max(),
            description: model.description.filter(|text| !text.is_empty()),
            assignment: assignments.remove(&name),
            open,
            report,
            model: name,
        });
    }
    Ok(lines)
}

fn row(line: &Line, firing: &[Alert], now: Timestamp) -> Markup {
    let version = |number: u32| ModelVersion::new(line.model.clone(), number);
    let previous = line.assignment.as_ref().and_then(|assignment| assignment.previous.as_ref());
    html! {
        tr data-key=(line.model) {
            th scope="row" {
                a href=(address::model(&line.model)) { (line.model) }
                @if let Some(description) = &line.description { div.note { (description) } }
            }
            td { @match &line.assignment { Some(assignment) => (serving::arms(assignment, line.report.as_ref())), None => (show::none()) } }
            td {
                @match previous {
                    Some(previous) => a.quiet href=(address::version(&version(previous.version))) { "version " (previous.version) },
                    None => (show::none()),
                }
            }
            td {
                @if let Some(open) = &line.open {
                    a href=(address::release(open.id)) { "version " (open.version.version) } " " (show::stage(open))
                    div.note { (show::ago(open.updated_at, now)) }
                } @else { (show::none()) }
            }
            td { (alert_list::badges(firing.iter().filter(|alert| alert.model.as_ref() == Some(&line.model)))) }
            td {
                @if let Some(newest) = line.newest { a href=(address::version(&version(newest))) { (newest) } }
                @else { (show::none()) }
            }
        }
    }
}
