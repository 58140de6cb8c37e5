//! Reports made by hand: every state that a rollout can be in looks like what it is.

use release::{
    ArmTotal, AttentionKind, ModelReport, ReleaseId, model_file::Rollout, shadow::Comparison, shadow::Summary,
};
use serde_json::json;
use types::{Duration, ModelVersion, Percent, Value};

use super::*;

fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T14:00:00Z").unwrap()
}

fn percent(percent: f64) -> Percent {
    Percent::new(percent).unwrap()
}

fn declared() -> Vec<Step> {
    let declared: Rollout = serde_json::from_value(json!({ "steps": [
        { "shadow": { "duration": "10m" } },
        { "set_weight": 5 },
        { "pause": { "duration": "10m", "min_requests": "auto", "max": "24h" } },
        { "set_weight": 25 },
        { "pause": { "duration": "10m", "min_requests": 2000 } },
        { "set_weight": 100 },
    ]}))
    .unwrap();
    declared.steps
}

/// A canary at 25 %, after a shadow and 5 %.
fn report() -> RolloutReport {
    let progress = |step: u32| match step {
        0..=3 => StepProgress::Done,
        4 => StepProgress::Current,
        _ => StepProgress::Ahead,
    };
    let total = |requests: u64, failed_requests: u64, p95| ArmTotal {
        requests,
        failed_requests,
        p95: Some(Duration::from_micros(p95)),
        ..ArmTotal::default()
    };
    let share = |step, intended, is_shadow, stable, canary: u64, of_requests| Share {
        step,
        intended: percent(intended),
        is_shadow,
        of_requests: Some(percent(of_requests)),
        of_entities: Some(percent(intended)),
        stable: total(stable, 0, 42_000),
        canary: total(canary, u64::from(step == 3), 8_100),
    };
    let point = |number: u32| Point {
        at: now(),
        step: [0, 2, 4][(number / 100) as usize],
        weight: percent([0.0, 5.0, 25.0][(number / 100) as usize]),
        canary_requests: u64::from(number) * 10,
        stable_requests: u64::from(number) * 30,
        e_errors: 1.0 / f64::from(1 + number),
        e_latency: 1.0 + f64::from(number % 7),
        threshold: 200.0,
        excess_bound: 30.0 / f64::from(30 + number * 10),
    };
    RolloutReport {
        release: ReleaseId(2),
        version: ModelVersion::parse("click-ranker/2").unwrap(),
        stable: Some(1),
        steps: (0..)
            .zip(declared())
            .map(|(step, declared)| StepReport { step, declared, progress: progress(step) })
            .collect(),
        hold: Some(Hold {
            begun: true,
            held: Duration::from_secs(90),
            duration: Duration::from_secs(600),
            requests: 812,
            min_requests: 2_000,
            max: None,
            overdue: false,
            waits_for: vec!["8m 30s".to_owned(), "1188 requests".to_owned()],
        }),
        shares: vec![
            share(0, 100.0, true, 1_000, 1_000, 50.0),
            share(1, 5.0, false, 18_000, 870, 4.6),
            share(3, 25.0, false, 3_000, 1_010, 25.2),
        ],
        points: (0..300).map(point).collect(),
        analysis: Some(Judgement {
            e_errors: Some(0.004),
            e_latency: Some(3.0),
            threshold: 200.0,
            excess_bound: 0.0099,
            max_excess: 0.01,
            promotable: true,
            slow_after: Some(Duration::from_micros(42_000)),
            canary_requests: 2_990,
            stable_requests: 22_000,
        }),
        shadow: Some(compared()),
        explanation: compared().explanation(),
        revision: Some(7),
        settled_at: Some(now()),
        acknowledgements: vec![Acknowledgement {
            gateway: "here".to_owned(),
            seen_at: now(),
            changed_at: now(),
            live: true,
            model: Some(ModelReport { revision: 7, settled: true, failed: [(3, "no such <file>".to_owned())].into() }),
        }],
    }
}

/// A legacy server that tells its features, one of which is another one here.
fn compared() -> Summary {
    let mut summary = Summary::default();
    let text = |text: &str| Value::String(text.to_owned());
    for row in 0..200_u64 {
        let (theirs, score) = if row.is_multiple_of(4) { ("us", 0.5) } else { ("US", 0.7) };
        summary.compare(&Comparison {
            features: vec![("user_country".to_owned(), text("US"))],
            primary: vec![
                ("score".to_owned(), vec![Value::Float64(score)]),
                ("features.user_country".to_owned(), vec![text(theirs)]),
            ],
            shadow: vec![("score".to_owned(), vec![Value::Float64(0.7)])],
            primary_latency: std::time::Duration::from_millis(40),
            shadow_latency: std::time::Duration::from_millis(6),
        });
    }
    summary
}

fn shown(report: &RolloutReport) -> String {
    section(report, false, &[], now()).into_string()
}

#[test]
fn a_hold_shows_what_it_waits_for_and_how_much_of_it_is_there() {
    let shown = shown(&report());
    for wanted in [
        "holding",
        "Waits for 8m 30s, and for 1188 requests.",
        "812 of 2\u{202f}000",
        "1m 30s of 10m",
        "shadow for 10m",
        "hold for 10m and as many requests as promotion takes",
    ] {
        assert!(shown.contains(wanted), "no `{wanted}` in {shown}");
    }
    assert_eq!(shown.matches("class=\"now\"").count(), 1, "one step is the one that it is at");
}

#[test]
fn real_shares_stand_beside_intended_ones() {
    let shown = shown(&report());
    for wanted in ["<td>5 %</td>", "4.6 %", "<td>25 %</td>", "<td>copies</td>", "8.1 ms", "42 ms", "<strong>1</strong>"]
    {
        assert!(shown.contains(wanted), "no `{wanted}` in {shown}");
    }
}

#[test]
fn the_chart_says_when_it_would_be_sent_back_and_marks_every_share() {
    let shown = shown(&report());
    assert_eq!(shown.matches("<svg class=\"chart\"").count(), 2);
    for wanted in ["200: sent back", "below 1 %: may go on", ">shadow</text>", ">5 %</text>", ">25 %</text>"] {
        assert!(shown.contains(wanted), "no `{wanted}` in {shown}");
    }
    let marks = marks(&report());
    assert_eq!(marks.iter().map(|mark| mark.at).collect::<Vec<_>>(), [0.0, 1_000.0, 2_000.0]);
}

#[test]
fn the_shadows_differences_are_explained_by_feature() {
    let shown = shown(&report());
    for wanted in [
        "200 rows compared, 50 differ",
        "user_country",
        "<code>&quot;us&quot;</code> → <code>&quot;US&quot;</code>",
        "no such &lt;file&gt;",
    ] {
        assert!(shown.contains(wanted), "no `{wanted}` in {shown}");
    }
}

#[test]
fn what_is_over_still_shows_the_course_that_ended_it() {
    let over = RolloutReport { analysis: None, hold: None, ..report() };
    let shown = section(&over, true, &[], now()).into_string();
    assert!(shown.contains("ended here") && !shown.contains("class=\"now\""), "{shown}");
    assert_eq!(shown.matches("<svg class=\"chart\"").count(), 2);
    assert!(shown.contains("200: sent back") && !shown.contains("May be promoted"), "{shown}");
}

#[test]
fn nothing_measured_is_said_and_a_matter_for_people_stands_on_top() {
    let mut report = report();
    report.points.clear();
    report.shares.clear();
    report.shadow = None;
    report.hold = None;
    let matter = Attention {
        kind: AttentionKind::Held,
        model: report.version.model.clone(),
        release: report.release,
        version: 2,
        since: now(),
        summary: "held for longer than 24h".to_owned(),
        details: json!({}),
    };
    let shown = section(&report, false, &[&matter], now()).into_string();
    assert!(shown.contains("held for longer than 24h") && shown.contains("Nothing was measured yet"), "{shown}");
    assert!(!shown.contains("NaN"));
}
