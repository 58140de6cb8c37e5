//! A model with its versions and releases, and a version with its lineage.

use axum::extract::{Path, State};
use maud::{Markup, html};
use registry::{Lineage, Version, VersionSearch};
use release::{Assignment, Filter, Pinned, Release, RolloutReport, Stage};
use types::{ModelName, ModelVersion, Timestamp};

use crate::{
    Answer, ConsoleState, Failure, address, alerts, drift, graph, kpi,
    page::{Pace, Page},
    release_list, serving, show,
};

/// The most versions that are shown: a page, not an archive.
const MOST_VERSIONS: i64 = 200;

pub(crate) async fn model(State(state): State<ConsoleState>, Path(name): Path<String>) -> Answer {
    let now = state.clock.now();
    let name = ModelName::parse(&name)?;
    let registered = state.registry.model(name.as_str()).await?;
    let search = VersionSearch {
        filter: format!("name = '{}'", name.as_str().replace('\'', "''")),
        max_results: MOST_VERSIONS,
        order_by: vec!["version_number DESC".to_owned()],
        page_token: None,
    };
    let versions = state.registry.search_versions(search).await?.items;
    let filter = Filter { model: Some(name.clone()), ..Filter::default() };
    let releases = state.releases.list(filter).await?;
    let assignment = state.releases.assignment(&name).await?;
    let rolling = releases.iter().find(|release| release.stage == Stage::RollingOut);
    let report = match rolling {
        Some(release) => Some(state.releases.rollout(release.id).await?),
        None => None,
    };
    let filter = ::alerts::Filter { model: Some(name.clone()), firing_only: true, ..::alerts::Filter::default() };
    let firing = state.alerts.list(filter).await?;
    let (report_of_drift, kpis) = (state.drift.report(&name).await?, state.drift.kpis(&name).await?);
    let is_moving = releases.iter().any(|release| !release.stage.is_settled());
    let body = html! {
        h1 { (name) }
        @if let Some(description) = registered.description.filter(|text| !text.is_empty()) { p.lead { (description) } }
        (serving(assignment.as_ref(), report.as_ref()))
        @if !firing.is_empty() { h2 { "Alerts" } (alerts::table(&firing.iter().collect::<Vec<_>>(), now)) }
        h2 { "Versions" }
        (table_of_versions(&name, &versions, assignment.as_ref(), now))
        h2 { "KPIs" }
        (kpi::section(&kpis, now))
        h2 { "Drift" }
        (drift::section(&report_of_drift, now))
        h2 { "Releases" }
        (release_list::table(&releases, now))
        p { a href=(address::predictions_of(&name)) { "Predictions of this model" } }
    };
    Ok(Page::new("Fleet", name.to_string(), body).at(Pace::of(is_moving)))
}

fn serving(assignment: Option<&Assignment>, report: Option<&RolloutReport>) -> Markup {
    let Some((assignment, stable)) = assignment.and_then(|assignment| Some((assignment, assignment.stable.as_ref()?)))
    else {
        return html! { p { "Nothing is in production." } };
    };
    html! {
        dl {
            div { dt { "Serves" } dd { (serving::arms(assignment, report)) } }
            @if let Some(previous) = &assignment.previous {
                div {
                    dt { "A rollback leads to" }
                    dd { a href=(address::version(&ModelVersion::new(assignment.model.clone(), previous.version))) { "version " (previous.version) } }
                }
            }
            div { dt { "Executed by" } dd { (stable.backend) } }
            div { dt { "Artifact" } dd { (show::digest(&stable.artifact_digest)) } }
            div { dt { "Project" } dd { (show::digest(&stable.project_digest)) } }
        }
    }
}

fn table_of_versions(
    model: &ModelName,
    versions: &[Version],
    assignment: Option<&Assignment>,
    now: Timestamp,
) -> Markup {
    let role = |version: u32| {
        let assignment = assignment?;
        let is = |pinned: Option<&Pinned>| pinned.is_some_and(|pinned| pinned.version == version);
        if is(assignment.stable.as_ref()) {
            Some(html! { span.badge.good { "stable" } })
        } else if let Some(canary) = assignment.canary.as_ref().filter(|canary| canary.pinned.version == version) {
            Some(html! { span.badge.moving { "canary at " (show::percent(canary.weight)) } })
        } else if is(assignment.shadow.as_ref()) {
            Some(html! { span.badge.moving { "shadow" } })
        } else if is(assignment.previous.as_ref()) {
            Some(html! { span.badge { "stable before" } })
        } else {
            None
        }
    };
    html! {
        @if versions.is_empty() { p { "No version is registered." } } @else {
            div.scroll {
                table {
                    thead { tr { th { "Version" } th { "Registered" } th { "Status" } th { "Aliases" } th { "Run" } } }
                    tbody {
                        @for version in versions {
                            tr {
                                th scope="row" {
                                    a href=(address::version(&ModelVersion::new(model.clone(), version.version))) { (version.version) }
                                    @if let Some(role) = role(version.version) { " " (role) }
                                }
                                td { (show::ago(Timestamp::from_millis(version.created), now)) }
                                td { (version.status.to_lowercase().replace('_', " ")) }
                                td { @if version.aliases.is_empty() { (show::none()) } @else { (version.aliases.join(", ")) } }
                                td { @if let Some(run) = &version.run_id { code { (run) } } @else { (show::none()) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(crate) async fn version(
    State(state): State<ConsoleState>,
    Path((model, version)): Path<(String, String)>,
) -> Answer {
    let number = version.parse().map_err(|_| Failure::not_found(format!("`{version}` is not a version")))?;
    let version = ModelVersion::new(ModelName::parse(&model)?, number);
    let record = state.registry.resolve(&version).await?;
    let (lineage, graph) = state.registry.lineage_graph(&version).await?;
    let filter = Filter { model: Some(version.model.clone()), ..Filter::default() };
    let releases: Vec<Release> =
        state.releases.list(filter).await?.into_iter().filter(|release| release.version == version).collect();
    let now = state.clock.now();
    let body = html! {
        p.crumb { a href=(address::model(&version.model)) { (version.model) } }
        h1 { (version) }
        dl {
            div { dt { "Registered" } dd { (show::ago(record.created_at, now)) } }
            div { dt { "By" } dd { @if let Some(author) = &record.author { (author.name) } @else { (show::none()) } } }
            div { dt { "Status" } dd { (record.status.to_lowercase().replace('_', " ")) } }
            div { dt { "Source" } dd { code { (record.source) } } }
        }
        h2 { "Lineage" }
        (graph::picture(&graph))
        (lineage_of(&lineage))
        h2 { "Releases" }
        (release_list::table(&releases, now))
    };
    Ok(Page::new("Fleet", version.to_string(), body).at(Pace::Calm))
}

fn lineage_of(lineage: &Lineage) -> Markup {
    html! {
        @if !lineage.missing.is_empty() {
            p.warning { "Releasable: no. Not known: " (lineage.missing.iter().map(|missing| missing.what.as_str()).collect::<Vec<_>>().join(", ")) "." }
            ul { @for missing in &lineage.missing { li { strong { (missing.what) } ": " (missing.add) @if !missing.line.is_empty() { br; code { (missing.line) } } } } }
        }
        dl {
            @if lineage.missing.is_empty() { div { dt { "Releasable" } dd { span.badge.good { "yes" } } } }
            @if let Some(run) = &lineage.run {
                div { dt { "Run" } dd { (run.name) " " code { (run.id) } " in " (run.experiment) } }
            }
            @if let Some(git) = &lineage.git {
                div { dt { "Commit" } dd { code { (git.commit) } @if git.dirty == Some(true) { " " span.badge.waiting { "with local changes" } } } }
            }
            @if let Some(environment) = &lineage.environment { div { dt { "Environment" } dd { (show::digest(environment)) } } }
            @if let Some(workflow) = &lineage.workflow {
                div { dt { "Workflow" } dd { (workflow.name) " " (show::digest(&workflow.digest)) } }
                @for (name, value) in &workflow.parameters { div { dt { "Parameter " (name) } dd { (value) } } }
            }
            @for dataset in &lineage.datasets {
                div { dt { "Data" @if let Some(context) = &dataset.context { ", " (context) } } dd { a href=(address::dataset(&dataset.name)) { (dataset.name) } " " code.digest { (dataset.digest) } } }
            }
            @for (feature, digest) in &lineage.features { div { dt { "Feature definition" } dd { (feature) " " (show::digest(digest)) } } }
        }
        @if let Some(run) = &lineage.run {
            @if !run.metrics.is_empty() {
                h3 { "Metrics" }
                dl { @for (name, value) in &run.metrics { div { dt { (name) } dd { code { (value) } } } } }
            }
            @if !run.params.is_empty() {
                h3 { "Params" }
                dl { @for (name, value) in &run.params { div { dt { (name) } dd { (value) } } } }
            }
        }
    }
}
