//! Reports made by hand: what is wrong stands out, and what could not be told says why.

use ::drift::{FindingKind, Mapping, NewCategory};
use types::{ModelName, ModelVersion};

use super::*;

fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T14:00:00Z").unwrap()
}

fn comparison(feature: &str, segment: Option<&str>, psi: f64, state: State) -> Comparison {
    Comparison {
        feature: feature.to_owned(),
        is_prediction: false,
        segment: segment.map(|value| Segment { name: "customer_id".to_owned(), value: value.to_owned() }),
        rows: 1_200,
        effective_rows: 300.0,
        psi,
        psi_threshold: 0.25,
        jensen_shannon: psi / 2.0,
        new_share: if state == State::NewCategories { 0.31 } else { 0.0 },
        state,
    }
}

fn window(psi: f64, state: State) -> WindowSummary {
    WindowSummary {
        since: now(),
        until: now(),
        rows: 12_345,
        is_open: false,
        comparisons: vec![
            comparison("user_country", None, psi, State::Clean),
            comparison("hour_of_day", None, f64::NAN, State::NotCompared),
            comparison("user_country", Some("<hooli>"), 4.2, state),
            comparison("user_country", Some("acme"), 0.012, State::Clean),
            comparison("user_country", Some("tiny"), 0.4, State::TooFew),
        ],
    }
}

fn report(windows: Vec<WindowSummary>) -> DriftReport {
    DriftReport {
        model: ModelName::parse("click-ranker").unwrap(),
        version: Some(ModelVersion::parse("click-ranker/2").unwrap()),
        reference_frozen_at: Some(now()),
        reference_rows: 50_000,
        windows,
        findings: Vec::new(),
    }
}

fn finding() -> Finding {
    Finding {
        key: "drift/click-ranker/new_categories/user_country/customer_id=hooli".to_owned(),
        kind: FindingKind::NewCategories,
        severity: telemetry::Severity::Page,
        version: ModelVersion::parse("click-ranker/2").unwrap(),
        feature: "user_country".to_owned(),
        segment: Some(Segment { name: "customer_id".to_owned(), value: "hooli".to_owned() }),
        since: now(),
        seen_at: now(),
        summary: "new values in user_country of customer_id hooli".to_owned(),
        rows: 420,
        share: 0.31,
        new_categories: vec![NewCategory { value: "USA".to_owned(), share: 0.31 }],
        mappings: vec![Mapping { from: "US".to_owned(), to: "USA".to_owned(), share_before: 0.33, share_now: 0.0 }],
        psi: 4.2,
        jensen_shannon: 0.6,
    }
}

#[test]
fn a_segment_that_broke_stands_out_among_those_that_did_not() {
    let shown = section(&report(vec![window(0.02, State::NewCategories)]), now()).into_string();
    assert_eq!(shown.matches("<td class=\"new\"").count(), 1);
    assert_eq!(shown.matches("<td class=\"clean\"").count(), 1, "acme");
    for wanted in
        ["customer_id &lt;hooli&gt;", ">31 %</td>", ">0.012</td>", ">·</td>", "not compared", "12\u{202f}345 rows"]
    {
        assert!(shown.contains(wanted), "no `{wanted}` in {shown}");
    }
    assert!(!shown.contains("NaN"), "what was not compared has no score");
}

#[test]
fn a_finding_names_the_new_values_and_what_they_probably_were() {
    let mut report = report(vec![window(0.02, State::NewCategories)]);
    report.findings.push(finding());
    let shown = section(&report, now()).into_string();
    for wanted in [
        "badge bad\">page",
        "<code>USA</code> 31 %",
        "<code>US</code> is now written <code>USA</code>",
        "from 33 % to 0 %",
    ] {
        assert!(shown.contains(wanted), "no `{wanted}` in {shown}");
    }
}

#[test]
fn the_way_of_a_score_is_drawn_from_the_oldest_window_to_the_newest() {
    let windows: Vec<_> = [0.2, 0.1, 0.0].map(|psi| window(psi, State::Clean)).into();
    let scores = history(&windows[0].comparisons[0], &windows);
    assert_eq!(scores, [0.0, 0.1, 0.2], "windows come newest first");
    assert!(spark(&scores, 0.25).into_string().contains("aria-label=\"PSI over 3 windows\""));
    assert!(!spark(&[0.0, 0.0], 0.0).into_string().contains("NaN"));
}

#[test]
fn without_a_comparison_it_says_why_there_is_none() {
    let mut report = report(Vec::new());
    assert!(section(&report, now()).into_string().contains("No traffic has been compared yet"));
    report.reference_frozen_at = None;
    assert!(section(&report, now()).into_string().contains("nothing to compare with"));
    report.version = None;
    assert!(section(&report, now()).into_string().contains("Nobody has looked yet"));
}
