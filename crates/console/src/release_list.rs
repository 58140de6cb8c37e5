//! Releases in a list.

use axum::extract::State;
use maud::{Markup, html};
use release::{Filter, Kind, Release, Verdict};
use types::Timestamp;

use crate::{
    Answer, ConsoleState, address,
    page::{Pace, Page},
    show,
};

pub(crate) async fn releases(State(state): State<ConsoleState>) -> Answer {
    let releases = state.releases.list(Filter::default()).await?;
    let is_moving = releases.iter().any(|release| !release.stage.is_settled());
    let body = html! { h1 { "Releases" } (table(&releases, state.clock.now())) };
    Ok(Page::new("Releases", "Releases", body).at(Pace::of(is_moving)))
}

/// The releases, as they come.
pub(crate) fn table(releases: &[Release], now: Timestamp) -> Markup {
    html! {
        @if releases.is_empty() {
            p { "None yet. " code { "crosstie release create MODEL/V" } " starts one." }
        } @else {
            div.scroll {
                table {
                    thead { tr { th { "Release" } th { "Version" } th { "Stage" } th { "Gates" } th { "By" } th { "Last decision" } } }
                    tbody {
                        @for release in releases {
                            tr {
                                th scope="row" { a href=(address::release(release.id)) { (release.id) } @if release.kind == Kind::Rollback { " rollback" } }
                                td { a href=(address::version(&release.version)) { (release.version) } }
                                td { (show::stage(release)) }
                                td { (gates(release)) }
                                td { (release.created_by) }
                                td { (show::ago(release.updated_at, now)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn gates(release: &Release) -> Markup {
    let failed: Vec<_> = release
        .gates
        .iter()
        .filter(|report| report.verdict == Verdict::Failed)
        .map(|report| report.gate.as_str())
        .collect();
    let passed = release.gates.iter().filter(|report| report.verdict == Verdict::Passed).count();
    html! {
        @if release.gates.is_empty() { (show::none()) } @else {
            (passed) " of " (release.gates.len()) " passed"
            @if !failed.is_empty() { ", failed: " (failed.join(", ")) }
        }
    }
}
