//! The audit trail: who decided what, when, and on what grounds.

use axum::extract::State;
use identity::AuditFilter;
use maud::{Markup, html};
use release::ReleaseId;
use types::{AuditEntry, Digest, Timestamp};

use crate::{
    Answer, ConsoleState, address,
    evidence::evidence,
    page::{Pace, Page},
    show,
};

/// Lines of the page.
const LINES: u32 = 200;

pub(crate) async fn audit(State(state): State<ConsoleState>) -> Answer {
    let trail = state.identity.trail(AuditFilter { limit: LINES, ..AuditFilter::default() }).await?;
    let body = html! {
        h1 { "Audit trail" }
        p.lead { "The last " (trail.len()) " entries, newest first." }
        (table(&trail, state.clock.now()))
    };
    Ok(Page::new("Audit trail", "Audit trail", body).at(Pace::Calm))
}

/// The entries, as they come.
pub(crate) fn table(trail: &[AuditEntry], now: Timestamp) -> Markup {
    html! {
        @if trail.is_empty() { p { "Nothing was decided yet." } } @else {
            div.scroll {
                table {
                    thead { tr { th { "When" } th { "Who" } th { "Did" } th { "To" } th { "On what grounds" } } }
                    tbody {
                        @for entry in trail {
                            tr data-key=(key(entry)) {
                                td { (show::ago(entry.at, now)) }
                                td { (entry.principal) }
                                td { code { (entry.action) } }
                                td { (subject(&entry.subject)) }
                                td { details { summary { "detail" } (evidence(&entry.detail)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What it was done to; releases and versions have pages.
fn subject(subject: &str) -> Markup {
    let release = subject.strip_prefix("release ").and_then(|id| id.parse::<ReleaseId>().ok());
    html! {
        @if let Some(id) = release { a href=(address::release(id)) { (subject) } }
        @else if let Ok(digest) = Digest::parse(subject) { (show::digest(&digest)) }
        @else { (subject) }
    }
}

/// What tells an entry from the others when the page is shown again, so that what was opened stays with it.
fn key(entry: &AuditEntry) -> String {
    format!("{} {} {}", entry.at.as_micros(), entry.action, entry.subject)
}
