//! Windows become totals, shares and evidence, each once.

use serde_json::json;

use super::*;
use crate::{Pinned, ReleaseId};
use types::{Digest, ModelName};

fn window(second: i64, revision: i64, arm: Arm, requests: u64, errors: u64) -> ArmWindow {
    ArmWindow {
        model: ModelName::parse("ranker").unwrap(),
        release: ReleaseId(2),
        revision,
        second,
        arm,
        version: 2,
        requests,
        entities: requests,
        errors,
        slow: 0,
        failed_requests: errors,
        latency: vec![(4_000, requests - errors)],
    }
}

fn route(step: u32, weight: f64) -> Route {
    Route { step, weight: Percent::new(weight).unwrap(), is_shadow: false }
}

fn numbered(windows: impl IntoIterator<Item = ArmWindow>) -> Vec<(i64, ArmWindow)> {
    (1..).zip(windows).collect()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

#[test]
fn a_canary_that_fails_raises_the_alarm_and_an_outage_of_both_does_not() {
    let routes = BTreeMap::from([(7, route(1, 5.0))]);
    let limits = Limits::default();
    let run = |canary_errors: u64, stable_errors: u64| {
        let mut tally = Tally::default();
        let windows = (0..20).flat_map(|second| {
            [window(second, 7, Arm::Stable, 95, stable_errors), window(second, 7, Arm::Canary, 5, canary_errors)]
        });
        tally.take(&limits, &routes, &numbered(windows));
        tally
    };
    let failing = run(2, 0);
    assert!(failing.analysis.alarm(&limits).is_some());
    let said = failing.exposure(at(20));
    assert_eq!(said, "the candidate answered 100 requests in 20s, of which 40 failed");
    assert!(run(5, 95).analysis.alarm(&limits).is_none(), "everything is down, which is not the canary's fault");
}

#[test]
fn totals_and_shares_are_by_step_and_windows_of_unknown_revisions_are_passed_over() {
    let routes = BTreeMap::from([(7, route(1, 5.0)), (8, route(3, 25.0))]);
    let mut tally = Tally::default();
    let windows = [
        window(1, 6, Arm::Stable, 1_000, 0),
        window(2, 7, Arm::Stable, 90, 0),
        window(2, 7, Arm::Canary, 10, 1),
        window(3, 8, Arm::Stable, 60, 0),
        window(3, 8, Arm::Canary, 20, 0),
    ];
    tally.take(&Limits::default(), &routes, &numbered(windows));
    assert_eq!((tally.cursor, tally.candidate_requests(), tally.stable_requests()), (5, 30, 150));
    let shares = tally.shares();
    assert_eq!(shares.iter().map(|share| share.step).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(shares[0].of_requests, Some(Percent::new(10.0).unwrap()));
    assert_eq!(shares[1].of_entities, Some(Percent::new(25.0).unwrap()));
    assert_eq!((shares[0].canary.failed_requests, shares[0].canary.p95), (1, Some(Duration::from_micros(4_000))));
}

#[test]
fn copies_that_are_reported_late_are_no_requests_of_the_first_weight() {
    let steps = json!([{ "shadow": { "duration": "5s" } }, { "set_weight": 5 }, { "pause": { "duration": "3s" } }]);
    let rollout: Rollout = serde_json::from_value(json!({ "steps": steps })).unwrap();
    let shadow = Route { step: 0, weight: Percent::NONE, is_shadow: true };
    let routes = BTreeMap::from([(6, shadow), (7, route(1, 5.0))]);
    let mut tally = Tally::default();
    let windows = [window(1, 6, Arm::Shadow, 150, 0), window(2, 7, Arm::Canary, 3, 0), window(1, 6, Arm::Shadow, 9, 0)];
    tally.take(&Limits::default(), &routes, &numbered(windows));
    let under = |step| tally.requests_under(&rollout, step);
    assert_eq!((under(0), under(1), under(2)), (159, 3, 3));
}

#[test]
fn a_second_shadow_counts_the_copies_that_the_first_one_began() {
    let steps = json!([{ "shadow": { "duration": "5s" } }, { "shadow": { "duration": "9s" } }, { "set_weight": 100 }]);
    let rollout: Rollout = serde_json::from_value(json!({ "steps": steps })).unwrap();
    let routes = BTreeMap::from([(6, Route { step: 0, weight: Percent::NONE, is_shadow: true })]);
    let mut tally = Tally::default();
    tally.take(&Limits::default(), &routes, &numbered([window(1, 6, Arm::Shadow, 150, 0)]));
    assert_eq!((tally.requests_under(&rollout, 0), tally.requests_under(&rollout, 1)), (150, 150));
}

#[test]
fn what_is_slow_is_frozen_once_two_hundred_answers_are_known_and_never_below_the_floor() {
    let routes = BTreeMap::from([(7, route(1, 5.0))]);
    let mut tally = Tally::default();
    let floor = Duration::from_micros(2_000);
    tally.take(&Limits::default(), &routes, &[(1, window(1, 7, Arm::Stable, 199, 0))]);
    assert_eq!(tally.slow_after(floor), None);
    tally.take(&Limits::default(), &routes, &[(2, window(2, 7, Arm::Stable, 1, 0))]);
    assert_eq!(tally.slow_after(floor), Some(Duration::from_micros(4_000)));
    assert_eq!(tally.slow_after(Duration::from_secs(1)), Some(Duration::from_secs(1)));
}

#[test]
fn a_shadow_is_judged_by_its_errors_alone_and_counts_as_no_callers_request() {
    let shadow = Route { step: 0, weight: Percent::NONE, is_shadow: true };
    let routes = BTreeMap::from([(5, shadow)]);
    let limits = Limits::default();
    let mut slow = Tally::default();
    let mut failing = Tally::default();
    for second in 0..30 {
        let stable = window(second, 5, Arm::Stable, 10, 0);
        let copies = ArmWindow { slow: 10, ..window(second, 5, Arm::Shadow, 10, 0) };
        slow.take(&limits, &routes, &[(2 * second + 1, stable.clone()), (2 * second + 2, copies)]);
        let copies = window(second, 5, Arm::Shadow, 10, 3);
        failing.take(&limits, &routes, &[(2 * second + 1, stable), (2 * second + 2, copies)]);
    }
    assert!(slow.analysis.alarm(&limits).is_none());
    assert!(failing.analysis.alarm(&limits).is_some());
    assert_eq!(failing.shares()[0].intended, Percent::ALL);
    assert!(failing.exposure(at(30)).starts_with("the candidate answered 0 requests,"), "{}", failing.exposure(at(30)));
}

#[test]
fn what_was_counted_survives_json_whatever_the_evidence() {
    let routes = BTreeMap::from([(7, route(1, 5.0))]);
    let mut tally = Tally::default();
    for second in 0..2_000 {
        let windows = [window(second, 7, Arm::Stable, 9, 0), window(second, 7, Arm::Canary, 9, 9)];
        tally.take(&Limits::default(), &routes, &windows.map(|window| (second, window)));
    }
    let json = serde_json::to_string(&tally).unwrap();
    assert_eq!(serde_json::from_str::<Tally>(&json).unwrap(), tally);
    assert_eq!(serde_json::from_str::<Tally>("{}").unwrap(), Tally::default());
}

#[test]
fn points_of_a_day_are_few() {
    let mut tally = Tally::default();
    let points = (0..86_400).filter(|second| tally.is_point_due(at(1_800_000_000 + second))).count();
    assert!((300..3_000).contains(&points), "{points}");
}

#[test]
fn a_revision_shares_out_what_its_own_release_decided() {
    let rollout: Rollout = serde_json::from_value(serde_json::json!({
        "steps": [{ "shadow": { "duration": "1m" } }, { "set_weight": 5 }, { "set_weight": 100 }]
    }))
    .unwrap();
    let pinned = |release| Pinned {
        version: 2,
        release: ReleaseId(release),
        backend: "onnx".to_owned(),
        artifact_digest: Digest::of("2"),
        project_digest: Digest::of("project"),
        feature_digests: BTreeMap::new(),
    };
    let mut assignment = Assignment {
        model: ModelName::parse("ranker").unwrap(),
        revision: 9,
        release: ReleaseId(2),
        sequence: 3,
        stable: Some(pinned(1)),
        canary: None,
        shadow: Some(pinned(2)),
        slow_after: None,
        previous: None,
        candidates: Vec::new(),
    };
    assert!(Route::of(&assignment, &rollout).is_some_and(|route| route.is_shadow && route.step == 0));
    assignment.shadow = None;
    assert_eq!(Route::of(&assignment, &rollout), None);
    let weight = Percent::new(5.0).unwrap();
    assignment.canary = Some(crate::Canary { pinned: pinned(2), weight });
    assert_eq!(Route::of(&assignment, &rollout), Some(Route { step: 1, weight, is_shadow: false }));
}
