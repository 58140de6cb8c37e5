//! KPIs of a model: by version side by side, for all traffic and for each segment.

use std::collections::BTreeSet;

use drift::{KpiRow, Segment};
use maud::{Markup, html};
use types::Timestamp;

use crate::{bars, show};

/// Every KPI, versions side by side, newest first.
pub(crate) fn section(rows: &[KpiRow], now: Timestamp) -> Markup {
    let names: BTreeSet<&str> = rows.iter().map(|row| row.kpi.as_str()).collect();
    let versions: BTreeSet<u32> = rows.iter().map(|row| row.version.version).collect();
    let versions: Vec<u32> = versions.into_iter().rev().collect();
    let Some(until) = rows.iter().map(|row| row.until).max() else {
        return html! { p.note { "None yet: the model declares none, or no prediction is old enough for its outcomes." } };
    };
    html! {
        p.note {
            "Predictions until " (show::moment(until)) " (" (show::ago(until, now)) "): younger ones may still get their outcomes. With 95 % confidence intervals."
        }
        @for name in names {
            h3 { (name) }
            (table(&rows.iter().filter(|row| row.kpi == name).collect::<Vec<_>>(), &versions))
        }
    }
}

fn table(rows: &[&KpiRow], versions: &[u32]) -> Markup {
    // All traffic first: `None` comes before every segment.
    let places: BTreeSet<Option<&Segment>> = rows.iter().map(|row| row.segment.as_ref()).collect();
    let most = rows.iter().filter_map(|row| row.high.or(row.value)).fold(0.0, f64::max);
    html! {
        div.scroll {
            table {
                thead { tr { th { "Traffic" } @for version in versions { th { "version " (version) } } } }
                tbody {
                    @for place in places {
                        tr data-key=(place.map_or_else(|| "all".to_owned(), ToString::to_string)) {
                            th scope="row" { @match place { Some(segment) => span.nowrap { (segment) }, None => "all" } }
                            @for version in versions {
                                td {
                                    @match rows.iter().find(|row| row.version.version == *version && row.segment.as_ref() == place) {
                                        Some(row) => (value(row, most)),
                                        None => (show::none()),
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn value(row: &KpiRow, most: f64) -> Markup {
    let Some(value) = row.value else {
        return html! { (show::none()) " " span.note { (show::count(row.predictions)) " predictions" } };
    };
    html! {
        @if let (Some(low), Some(high)) = (row.low, row.high) { (bars::interval(low, value, high, most)) " " }
        span.number title=(format!("{} of {}", row.events, row.per)) { (show::share(value)) }
        @if let (Some(low), Some(high)) = (row.low, row.high) { " " span.note.nowrap { (show::share(low)) " – " (show::share(high)) } }
        " " span.note.nowrap { "of " (show::count(row.per)) }
    }
}

#[cfg(test)]
mod tests;
