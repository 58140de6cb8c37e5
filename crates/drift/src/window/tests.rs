//! Windows of synthetic traffic: hundreds of clean ones without a finding, and broken ones with the right one.

use std::sync::{Arc, LazyLock};

use telemetry::Severity;
use types::{Duration, Timestamp, Value};

use super::*;
use crate::{
    State,
    reference::Reference,
    world::{self, Row, World, by_customer, customer, recode, start, watched},
};

const HOUR: Duration = Duration::from_secs(3_600);
/// Mid-sized, and at home in the US.
const BROKEN: usize = 7;

/// One world's training data, frozen once for all tests: with times, and without.
static WITH_TIMES: LazyLock<Arc<Reference>> = LazyLock::new(|| frozen(true));
static WITHOUT_TIMES: LazyLock<Arc<Reference>> = LazyLock::new(|| frozen(false));

fn frozen(times: bool) -> Arc<Reference> {
    let rows = World::new(7).training(20_000, 6, times);
    let entities = ["user_id", "item_id", "customer_id"].map(str::to_owned);
    Arc::new(Reference::freeze(&rows, &watched(HOUR), &entities, start()).unwrap())
}

/// The same world on the day after.
fn today() -> World {
    let mut world = World::new(7);
    let _ = world.training(600, 6, false);
    world
}

fn window(rows: &[Row], times: bool) -> Window {
    let frozen = if times { &WITH_TIMES } else { &WITHOUT_TIMES };
    let mut window = Window::new(watched(HOUR), Arc::clone(frozen), start());
    for row in rows {
        window.add(&world::record(row));
    }
    window
}

fn told(findings: &[Finding]) -> Vec<(FindingKind, String, Option<String>)> {
    findings
        .iter()
        .map(|finding| (finding.kind, finding.feature.clone(), finding.segment.as_ref().map(|of| of.value.clone())))
        .collect()
}

fn at(hour: u32) -> Timestamp {
    start() + Duration::from_secs(3_600 * hour)
}

fn clean_windows(seed: u64, windows: u32, times: bool) {
    let mut world = today();
    world.random = fastrand::Rng::with_seed(seed);
    for number in 0..windows {
        let rows = [150, 400, 1_000, 2_500][number as usize % 4];
        let rows = world.rows(rows, at(number % 24), HOUR);
        let window = window(&rows, times);
        let verdict = window.close(at(number % 24 + 1));
        let summaries: Vec<_> = verdict.findings.iter().map(|finding| finding.summary.as_str()).collect();
        assert_eq!(summaries, [""; 0], "in window {number} of {} rows", rows.len());
        if number % 24 == 23 {
            world.next_day();
        }
    }
}

#[test]
fn a_hundred_and_fifty_clean_windows_raise_nothing() {
    clean_windows(11, 150, true);
}

#[test]
fn nor_do_as_many_when_the_reference_does_not_tell_times() {
    clean_windows(12, 150, false);
}

#[test]
fn a_clean_window_is_really_compared() {
    let rows = today().rows(2_500, at(9), HOUR);
    let verdict = window(&rows, true).close(at(10));
    let clean = |name: &str, customer: Option<usize>| {
        let segment = customer.map(|number| Segment { name: "customer_id".to_owned(), value: world::customer(number) });
        verdict.comparisons.iter().find(|c| c.feature == name && c.segment == segment).unwrap().state
    };
    for name in ["impressions_7d", "user_country", "tenure_days", "price", "category", "device", "score"] {
        for customer in [None, Some(0)] {
            assert_eq!(clean(name, customer), State::Clean, "{name} of {customer:?}");
        }
    }
    assert_eq!(clean("hour_of_day", None), State::NotCompared);
    assert_eq!(clean("is_evening", None), State::NotCompared);
    assert_eq!(clean("customer_ctr_7d", Some(0)), State::TooFew, "one number of one customer");
}

#[test]
fn one_customers_new_encoding_pages_with_feature_customer_share_and_mapping() {
    let mut world = today();
    let mut rows = world.rows(2_500, at(9), HOUR);
    recode(&mut rows, |customer| customer == BROKEN, "US", "USA");
    let window = window(&rows, true);
    let open: Vec<Finding> = window.news(at(10)).into_iter().map(|(.., finding)| finding).collect();
    let [finding] = &open[..] else { panic!("{open:#?}") };
    let of = by_customer(&rows)[&BROKEN];
    assert!((40..=120).contains(&of), "mid-sized: {of}");
    assert_eq!(finding.severity, Severity::Page);
    assert_eq!(told(&open), [(FindingKind::NewCategories, "user_country".to_owned(), Some(customer(BROKEN)))]);
    assert!((0.4..0.7).contains(&finding.share), "{}", finding.share);
    assert_eq!(finding.new_categories[0].value, "USA");
    assert_eq!((finding.mappings[0].from.as_str(), finding.mappings[0].to.as_str()), ("US", "USA"));
    assert!(finding.summary.contains("'US' → 'USA'"), "{}", finding.summary);
    let closed = window.close(at(10)).findings;
    let others: Vec<_> = closed.iter().filter(|found| found.kind != FindingKind::PredictionDrift).collect();
    assert_eq!(others.len(), 1, "neither the other customers nor all of them together: {closed:#?}");
    assert!(others[0].psi > 0.2, "the scores are told with it: {}", others[0].psi);
}

#[test]
fn sixty_rows_suffice_and_no_clean_customer_is_named_whatever_the_seed() {
    for seed in 0..40 {
        let mut world = today();
        world.random = fastrand::Rng::with_seed(seed);
        let mut rows = world.rows(1_500, at(9), HOUR);
        let mut left = 60;
        rows.retain(|row| {
            left -= i32::from(row.customer == BROKEN);
            row.customer != BROKEN || left >= 0
        });
        recode(&mut rows, |customer| customer == BROKEN, "US", "USA");
        let news = window(&rows, true).news(at(10));
        let findings: Vec<_> = news.into_iter().map(|(.., finding)| finding).collect();
        assert_eq!(
            told(&findings),
            [(FindingKind::NewCategories, "user_country".to_owned(), Some(customer(BROKEN)))],
            "seed {seed}"
        );
    }
}

#[test]
fn an_encoding_that_changes_within_the_window_pages_with_its_share_since_then() {
    let mut rows = today().rows(2_600, at(9), HOUR);
    let half = rows.len() / 2;
    recode(&mut rows[half..], |customer| customer == BROKEN, "US", "USA");
    let news = window(&rows, true).news(at(10));
    assert_eq!(news.len(), 1);
    assert_eq!(news[0].2.severity, Severity::Page);
    assert!((0.4..0.7).contains(&news[0].2.share), "not diluted by the hour before: {}", news[0].2.share);
}

#[test]
fn an_encoding_that_changed_everywhere_is_told_once() {
    let mut rows = today().rows(2_500, at(9), HOUR);
    recode(&mut rows, |_| true, "US", "USA");
    let news = window(&rows, true).news(at(10));
    let findings: Vec<_> = news.into_iter().map(|(.., finding)| finding).collect();
    assert_eq!(told(&findings), [(FindingKind::NewCategories, "user_country".to_owned(), None)]);
}

#[test]
fn one_user_with_a_broken_profile_pages_nobody() {
    let mut rows = today().rows(2_500, at(9), HOUR);
    for row in rows.iter_mut().filter(|row| row.customer == BROKEN) {
        row.user = 1_000_000;
        row.features[3] = Value::String("Atlantis".to_owned());
    }
    assert!(by_customer(&rows)[&BROKEN] > 30);
    assert!(window(&rows, true).news(at(10)).is_empty());
}

#[test]
fn a_feature_that_moved_for_one_customer_is_a_ticket_for_that_customer_alone() {
    let mut rows = today().rows(2_500, at(9), HOUR);
    for row in rows.iter_mut().filter(|row| row.customer == 1) {
        let Value::Int64(days) = row.features[4] else { panic!("days") };
        row.features[4] = Value::Int64(days * 24);
    }
    let verdict = window(&rows, true).close(at(10));
    assert_eq!(told(&verdict.findings), [(FindingKind::DataDrift, "tenure_days".to_owned(), Some(customer(1)))]);
    assert_eq!(verdict.findings[0].severity, Severity::Ticket);
}

#[test]
fn a_feature_that_is_stuck_is_a_ticket_for_all_and_so_are_answers_that_moved() {
    let mut rows = today().rows(2_500, at(9), HOUR);
    for row in &mut rows {
        row.features[4] = Value::Int64(0);
        row.score = 1.0 - (1.0 - row.score).powi(2);
    }
    let verdict = window(&rows, true).close(at(10));
    assert_eq!(
        told(&verdict.findings),
        [
            (FindingKind::DataDrift, "tenure_days".to_owned(), None),
            (FindingKind::PredictionDrift, "score".to_owned(), None)
        ]
    );
}

#[test]
fn what_is_declared_to_differ_is_left_alone() {
    let mut rows = today().rows(2_500, at(9), HOUR);
    recode(&mut rows, |_| true, "US", "USA");
    let mut window = window(&rows, true);
    window.watched.policy.exclude.push("user_country".to_owned());
    assert!(window.news(at(10)).is_empty());
    assert_eq!(told(&window.close(at(10)).findings), []);
}

#[test]
fn a_page_is_over_when_enough_rows_show_it_and_not_when_there_are_none() {
    let mut world = today();
    let mut rows = world.rows(1_300, at(9), HOUR);
    recode(&mut rows, |customer| customer == BROKEN, "US", "USA");
    let broken = window(&rows, true);
    let finding = broken.news(at(10)).remove(0).2;
    assert!(!broken.is_over(&finding, &broken.close(at(10))));
    let mut silent = world.rows(1_300, at(10), HOUR);
    silent.retain(|row| row.customer != BROKEN);
    let silent = window(&silent, true);
    assert!(!silent.is_over(&finding, &silent.close(at(11))), "nobody was there to show it");
    let mended = window(&world.rows(1_300, at(11), HOUR), true);
    assert!(mended.is_over(&finding, &mended.close(at(12))));
}
