//! What a shadow showed: both sides' answers and latencies, and which feature the differences go along with.

use maud::{Markup, html};
use release::shadow::{FeatureSummary, Summary};

use crate::{bars, show};

/// Features and pairs of values that are listed.
const MOST_FEATURES: usize = 12;
const MOST_VALUES: usize = 6;

/// The comparison, with its explanation in words.
pub(crate) fn section(summary: &Summary, explanation: &[String]) -> Markup {
    let latency = |quantile: Option<types::Duration>| quantile.map_or_else(|| "–".to_owned(), show::latency);
    let features = summary.features();
    let notable: Vec<_> = features.iter().filter(|feature| is_notable(feature)).take(MOST_FEATURES).collect();
    html! {
        h3 { "Shadow comparison" }
        @if !explanation.is_empty() { ul { @for sentence in explanation { li { (sentence) } } } }
        div.scroll {
            table {
                thead { tr { th { "" } th.right { "Rows" } th.right { "Failed" } th.right { "p50" } th.right { "p95" } th { "Differing rows" } } }
                tbody {
                    tr {
                        th scope="row" { "live" } td.right { (show::count(summary.rows)) } td.right { (show::none()) }
                        td.right { (latency(summary.primary_latency.quantile(0.5))) } td.right { (latency(summary.primary_latency.quantile(0.95))) }
                        td {}
                    }
                    tr {
                        th scope="row" { "shadow" } td.right { (show::count(summary.rows)) } td.right { (show::count(summary.errors)) }
                        td.right { (latency(summary.shadow_latency.quantile(0.5))) } td.right { (latency(summary.shadow_latency.quantile(0.95))) }
                        td { @if summary.rows > 0 { (bars::share(summary.differing as f64 / summary.rows as f64, None)) } }
                    }
                }
            }
        }
        @if !notable.is_empty() {
            div.scroll {
                table {
                    thead { tr { th { "Feature" } th { "Goes along with the differences" } th.right { "Rows where it differs" } th { "Live → here" } } }
                    tbody { @for feature in notable { (row(feature)) } }
                }
            }
        }
    }
}

fn is_notable(feature: &FeatureSummary) -> bool {
    feature.explains > 0.0 || feature.mismatches.is_some_and(|mismatches| mismatches > 0)
}

fn row(feature: &FeatureSummary) -> Markup {
    html! {
        tr data-key=(feature.feature) {
            th scope="row" { (feature.feature) }
            td { (bars::share(feature.explains, None)) }
            td.right { @match feature.mismatches { Some(mismatches) => (show::count(mismatches)), None => (show::none()) } }
            td {
                @if !feature.pairs.is_empty() {
                    @for (index, pair) in feature.pairs.iter().take(MOST_VALUES).enumerate() {
                        @if index > 0 { ", " }
                        span.nowrap { code { (pair.primary) } " → " code { (pair.shadow) } " " span.note { (show::count(pair.rows)) } }
                    }
                } @else {
                    @for (index, value) in feature.values.iter().filter(|value| value.differing > 0).take(MOST_VALUES).enumerate() {
                        @if index > 0 { ", " }
                        span.nowrap { code { (value.value) } " " span.note { (show::count(value.differing)) " of " (show::count(value.rows)) " differ" } }
                    }
                }
            }
        }
    }
}
