//! Alerts: what fires now, what was resolved lately, and whether those who should know were reached.

use alerts::{Alert, Delivery, Filter, Status};
use axum::extract::State;
use maud::{Markup, html};
use types::Timestamp;

use crate::{
    Answer, ConsoleState, address,
    evidence::evidence,
    page::{Pace, Page},
    show,
};

pub(crate) async fn alerts(State(state): State<ConsoleState>) -> Answer {
    let alerts = state.alerts.list(Filter::default()).await?;
    let now = state.clock.now();
    let (firing, resolved): (Vec<_>, Vec<_>) = alerts.iter().partition(|alert| alert.status == Status::Firing);
    let body = html! {
        h1 { "Alerts" }
        @if firing.is_empty() { p.lead { "Nothing fires." } } @else { p.lead { (firing.len()) (if firing.len() == 1 { " fires." } else { " fire." }) } (table(&firing, now)) }
        @if !resolved.is_empty() { h2 { "Resolved" } (table(&resolved, now)) }
    };
    Ok(Page::new("Alerts", "Alerts", body).at(Pace::of(!firing.is_empty())))
}

/// The alerts, as they come.
pub(crate) fn table(alerts: &[&Alert], now: Timestamp) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr { th { "Severity" } th { "What is wrong" } th { "Model" } th { "Since" } th { "Told" } } }
                tbody {
                    @for alert in alerts {
                        tr data-key=(alert.id) {
                            td { (show::severity(alert.severity)) }
                            td {
                                strong { (alert.summary) } " " code { (alert.name) }
                                details { summary { "detail" } (detail(alert)) }
                            }
                            td { @match &alert.model { Some(model) => a href=(address::model(model)) { (model) }, None => (show::none()) } }
                            td {
                                (show::ago(alert.since, now))
                                @if let Some(at) = alert.resolved_at { div.note { "resolved " (show::ago(at, now)) } }
                                @else if alert.missing_since.is_some() { div.note { "perhaps over" } }
                            }
                            td { (told(&alert.deliveries, now)) }
                        }
                    }
                }
            }
        }
    }
}

/// The severities of what fires, one badge each.
pub(crate) fn badges<'a>(firing: impl Iterator<Item = &'a Alert>) -> Markup {
    let mut counted = std::collections::BTreeMap::new();
    for alert in firing {
        *counted.entry(alert.severity).or_insert(0_usize) += 1;
    }
    html! {
        @if counted.is_empty() { (show::none()) }
        @for (severity, count) in counted.iter().rev() {
            a href="/alerts" { (show::severity(*severity)) @if *count > 1 { " ×" (count) } } " "
        }
    }
}

fn detail(alert: &Alert) -> Markup {
    html! {
        @if !alert.labels.is_empty() {
            dl { @for (label, value) in &alert.labels { div { dt { (label) } dd { (value) } } } }
        }
        (evidence(&alert.details))
        p.note { "Alert " code { (alert.id) } " of " (alert.source) ", fired " (show::moment(alert.fired_at)) "." }
    }
}

/// Whether the messages arrived; the last one of each receiver counts.
fn told(deliveries: &[Delivery], now: Timestamp) -> Markup {
    let mut last: Vec<&Delivery> = Vec::new();
    for delivery in deliveries.iter().rev() {
        if !last.iter().any(|later| later.receiver == delivery.receiver) {
            last.push(delivery);
        }
    }
    html! {
        @if last.is_empty() { span.note.nowrap { "no route" } }
        @for delivery in last {
            div.nowrap {
                @if let Some(at) = delivery.delivered_at { span.badge.good { (delivery.status) } " " (delivery.receiver) " " span.note { (show::ago(at, now)) } }
                @else if delivery.abandoned_at.is_some() { span.badge.bad { "given up" } " " (delivery.receiver) }
                @else { span.badge.waiting { "on its way" } " " (delivery.receiver) " " span.note { "tried " (delivery.attempts) " times" } }
            }
            @if delivery.delivered_at.is_none() { @if let Some(error) = &delivery.error { div.note { (error) } } }
        }
    }
}
