//! Drift of a model: what holds now, each feature's way over the last windows, and every segment at one glance.

use drift::{Comparison, DriftReport, Finding, Segment, State, WindowSummary};
use maud::{Markup, html};
use types::Timestamp;

use crate::{bars, show};

/// New values of a finding that are listed; the commonest come first.
const MOST_CATEGORIES: usize = 8;

/// Everything that is known of a model's drift.
pub(crate) fn section(report: &DriftReport, now: Timestamp) -> Markup {
    let open = report.windows.first().filter(|window| window.is_open);
    let Some(latest) = report.windows.iter().find(|window| !window.comparisons.is_empty()) else {
        return html! {
            @for finding in &report.findings { (finding_of(finding, now)) }
            p.note { (nothing_compared(report)) }
        };
    };
    html! {
        @for finding in &report.findings { (finding_of(finding, now)) }
        p.note {
            @if let Some(version) = &report.version { (version) ", " }
            "window from " (show::moment(latest.since)) " to " (show::moment(latest.until))
            @if latest.is_open { " (still open)" }
            ", " (show::count(latest.rows)) " rows, against " (show::count(report.reference_rows)) " rows of training data."
            @if let Some(open) = open.filter(|open| open.since != latest.since) { " The open window has " (show::count(open.rows)) " rows." }
        }
        (by_feature(latest, &report.windows))
        (by_segment(latest))
    }
}

fn nothing_compared(report: &DriftReport) -> &'static str {
    if report.version.is_none() {
        "Nobody has looked yet: a served version with training data on record is looked at every few seconds."
    } else if report.reference_frozen_at.is_none() {
        "There is nothing to compare with: the version's run names no dataset that can be read."
    } else {
        "No traffic has been compared yet."
    }
}

/// One thing that is wrong.
pub(crate) fn finding_of(finding: &Finding, now: Timestamp) -> Markup {
    html! {
        div.warning.bad[finding.severity == telemetry::Severity::Page] data-key=(finding.key) {
            p {
                (show::severity(finding.severity)) " " strong { (finding.summary) } " "
                span.note { "since " (show::ago(finding.since, now)) ", last seen " (show::ago(finding.seen_at, now)) ", " (show::count(finding.rows)) " rows" }
            }
            @if !finding.new_categories.is_empty() {
                p {
                    "New in " code { (finding.feature) } ": "
                    @for (index, category) in finding.new_categories.iter().take(MOST_CATEGORIES).enumerate() {
                        @if index > 0 { ", " } code { (category.value) } " " (show::share(category.share))
                    }
                    @if finding.new_categories.len() > MOST_CATEGORIES { " and " (finding.new_categories.len() - MOST_CATEGORIES) " more" }
                }
            }
            @for mapping in &finding.mappings {
                p {
                    "Probably " code { (mapping.from) } " is now written " code { (mapping.to) } ": it went from "
                    (show::share(mapping.share_before)) " to " (show::share(mapping.share_now)) "."
                }
            }
        }
    }
}

fn by_feature(latest: &WindowSummary, windows: &[WindowSummary]) -> Markup {
    let overall: Vec<_> = latest.comparisons.iter().filter(|comparison| comparison.segment.is_none()).collect();
    html! {
        @if !overall.is_empty() {
            div.scroll {
                table {
                    thead { tr {
                        th { "Feature" } th { "All traffic" } th colspan="2" title="Population stability index; full at the threshold" { "PSI, against its threshold" }
                        th.right title="Jensen-Shannon distance" { "Jensen–Shannon" } th.right { "New values" } th { "Last windows" }
                    } }
                    tbody {
                        @for comparison in overall {
                            tr {
                                th scope="row" { (comparison.feature) @if comparison.is_prediction { span.note { " (answer)" } } }
                                td { (badge(comparison.state)) }
                                @if matches!(comparison.state, State::NotCompared | State::TooFew) {
                                    td colspan="4" { (show::none()) }
                                } @else {
                                    td { (bars::against(comparison.psi, comparison.psi_threshold)) }
                                    td.right { (score(comparison.psi)) " of " (score(comparison.psi_threshold)) }
                                    td.right { (score(comparison.jensen_shannon)) }
                                    td.right { @if comparison.new_share > 0.0 { (show::share(comparison.new_share)) } @else { (show::none()) } }
                                }
                                td { (spark(&history(comparison, windows), comparison.psi_threshold)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A feature's scores over the windows, oldest first.
fn history(of: &Comparison, windows: &[WindowSummary]) -> Vec<f64> {
    let same = |comparison: &&Comparison| comparison.feature == of.feature && comparison.segment == of.segment;
    let scored = |comparison: &&Comparison| !matches!(comparison.state, State::NotCompared | State::TooFew);
    windows.iter().rev().filter_map(|window| Some(window.comparisons.iter().filter(scored).find(same)?.psi)).collect()
}

fn spark(scores: &[f64], limit: f64) -> Markup {
    const WIDTH: f64 = 96.0;
    const HEIGHT: f64 = 18.0;
    if scores.len() < 2 {
        return show::none();
    }
    let most =
        scores.iter().copied().chain([limit]).filter(|score| score.is_finite()).fold(f64::MIN_POSITIVE, f64::max);
    let x = |index: usize| (WIDTH - 4.0) * index as f64 / (scores.len() - 1) as f64 + 2.0;
    let y = |score: f64| HEIGHT - 2.0 - (HEIGHT - 4.0) * (score / most).clamp(0.0, 1.0);
    let points: Vec<_> =
        scores.iter().enumerate().map(|(index, score)| format!("{:.1} {:.1}", x(index), y(*score))).collect();
    html! {
        svg.spark viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) width=(WIDTH) height=(HEIGHT) role="img" aria-label=(format!("PSI over {} windows", scores.len())) {
            line.limit x1="0" x2=(WIDTH) y1=(format!("{:.1}", y(limit))) y2=(format!("{:.1}", y(limit))) {}
            path d=(format!("M{}", points.join("L"))) {}
            circle cx=(format!("{:.1}", x(scores.len() - 1))) cy=(format!("{:.1}", y(scores[scores.len() - 1]))) r="2" {}
        }
    }
}

/// Segment values by features: where something is wrong stands out, and where it is.
fn by_segment(latest: &WindowSummary) -> Markup {
    let mut segments: Vec<&Segment> =
        latest.comparisons.iter().filter_map(|comparison| comparison.segment.as_ref()).collect();
    segments.sort();
    segments.dedup();
    let mut features: Vec<&str> = Vec::new();
    for comparison in latest.comparisons.iter().filter(|comparison| comparison.state != State::NotCompared) {
        if comparison.segment.is_some() && !features.contains(&comparison.feature.as_str()) {
            features.push(&comparison.feature);
        }
    }
    html! {
        @if !segments.is_empty() && !features.is_empty() {
            h3 { "By segment" }
            p.note { "PSI of each feature; a share where there are values that the training data never had; a dot where there are too few rows to tell." }
            div.scroll {
                table.matrix {
                    thead { tr { th { "Segment" } @for feature in &features { th { (feature) } } } }
                    tbody {
                        @for segment in &segments {
                            tr data-key=(segment) {
                                th scope="row" { (segment) }
                                @for feature in &features { (cell(latest, segment, feature)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(window: &WindowSummary, segment: &Segment, feature: &str) -> Markup {
    let found = window.comparisons.iter().find(|it| it.feature == feature && it.segment.as_ref() == Some(segment));
    let Some(comparison) = found else { return html! { td.few { (show::none()) } } };
    let title = format!(
        "{feature}, {segment}: {}, PSI {} (threshold {}), {} rows",
        comparison.state.as_str().replace('_', " "),
        score(comparison.psi),
        score(comparison.psi_threshold),
        comparison.rows
    );
    match comparison.state {
        State::Clean => html! { td.clean title=(title) { (score(comparison.psi)) } },
        State::Drifted => html! { td.drifted title=(title) { (score(comparison.psi)) } },
        State::NewCategories => html! { td.new title=(title) { (show::share(comparison.new_share)) } },
        State::TooFew | State::NotCompared => html! { td.few title=(title) { "·" } },
    }
}

fn badge(state: State) -> Markup {
    let class = match state {
        State::Clean => "badge good",
        State::Drifted => "badge waiting",
        State::NewCategories => "badge bad",
        State::TooFew | State::NotCompared => "badge",
    };
    html! { span class=(class) { (state.as_str().replace('_', " ")) } }
}

fn score(score: f64) -> String {
    if score.is_finite() { format!("{score:.3}") } else { "∞".to_owned() }
}

#[cfg(test)]
mod tests;
