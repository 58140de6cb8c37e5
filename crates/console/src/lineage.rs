//! Lineage downstream: the datasets that runs read, and for one of them, or a feature view, who was made from it.

use axum::extract::{Path, State};
use maud::{Markup, html};
use registry::{NodeKind, Readers};

use crate::{
    Answer, ConsoleState, address, graph,
    page::{Pace, Page},
    show,
};

pub(crate) async fn datasets(State(state): State<ConsoleState>) -> Answer {
    let datasets = state.registry.read_datasets().await?;
    let definitions = state.features.definitions();
    let views: Vec<&str> = definitions.views().map(|view| view.name()).collect();
    let body = html! {
        h1 { "Lineage" }
        p.lead { "Which models were made from this? A version's own lineage is on its page." }
        h2 { "Datasets" }
        @if datasets.is_empty() {
            p { "No run has read a dataset: workflows of " code { "crosstie run" } " tell what they read by themselves, and other runs with " code { "mlflow.log_input" } "." }
        } @else {
            div.scroll {
                table {
                    thead { tr { th { "Dataset" } th { "Digest" } th.right { "Runs that read it" } } }
                    tbody {
                        @for dataset in &datasets {
                            tr {
                                th scope="row" { a href=(address::dataset(&dataset.name)) { (dataset.name) } }
                                td { a.quiet href=(address::dataset(&dataset.digest)) { code.digest { (dataset.digest) } } }
                                td.right { (dataset.runs) }
                            }
                        }
                    }
                }
            }
        }
        @if !views.is_empty() {
            h2 { "Feature views" }
            ul { @for view in views { li { a href=(address::feature_readers(view)) { (view) } } } }
        }
    };
    Ok(Page::new("Lineage", "Lineage", body).at(Pace::Calm))
}

pub(crate) async fn dataset(State(state): State<ConsoleState>, Path(key): Path<String>) -> Answer {
    let readers = state.registry.readers_of_dataset(&key).await?;
    Ok(page("Dataset", &readers))
}

pub(crate) async fn feature(State(state): State<ConsoleState>, Path(view): Path<String>) -> Answer {
    let readers = state.registry.readers_of_feature(&view).await?;
    Ok(page("Feature view", &readers))
}

fn page(what: &str, readers: &Readers) -> Page {
    let body = html! {
        p.crumb { a href=(address::LINEAGE) { "Lineage" } }
        h1 { (what) " " (readers.subject) }
        (live(readers))
        h2 { "From here" }
        (graph::picture(&readers.graph))
        h2 { "Versions" }
        (versions(readers))
    };
    Page::new("Lineage", readers.subject.clone(), body).at(Pace::Calm)
}

/// Which live models read it.
fn live(readers: &Readers) -> Markup {
    let runs = readers.graph.of_kind(NodeKind::Run).count();
    html! {
        dl {
            div {
                dt { "Live models" }
                dd {
                    @if readers.live_models.is_empty() { (show::none()) }
                    @for model in &readers.live_models { a href=(address::model(model)) { (model) } " " }
                }
            }
            div { dt { "Versions" } dd { (readers.versions.len()) } }
            div { dt { "Runs" } dd { (runs) } }
        }
        @if readers.more { p { "There are more, which are not shown: older versions that do not serve, or runs that made none." } }
    }
}

fn versions(readers: &Readers) -> Markup {
    html! {
        @if readers.versions.is_empty() { p { "No version was made from it." } } @else {
            div.scroll {
                table {
                    thead { tr { th { "Version" } th { "Serves" } th { "Run" } } }
                    tbody {
                        @for reading in &readers.versions {
                            tr {
                                th scope="row" { a href=(address::version(&reading.version)) { (reading.version) } }
                                td {
                                    @for role in &reading.serves { span.badge.good[reading.live] { (role) } " " }
                                    @if reading.serves.is_empty() { (show::none()) }
                                }
                                td { code { (reading.run_id) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
