//! The legacy computes a country otherwise, and a summary says so.

use super::*;

fn row(country: &str, told: Option<&str>, difference: f32) -> Comparison {
    let mut primary = vec![("score".to_owned(), vec![Value::Float32(0.5)])];
    if let Some(told) = told {
        primary.push(("features.user_country".to_owned(), vec![Value::String(told.to_owned())]));
    }
    Comparison {
        features: vec![
            ("user_profile:user_country".to_owned(), Value::String(country.to_owned())),
            ("request:hour_of_day".to_owned(), Value::Int64(12)),
        ],
        primary,
        shadow: vec![("score".to_owned(), vec![Value::Float64(f64::from(0.5 + difference))])],
        primary_latency: Duration::from_millis(40),
        shadow_latency: Duration::from_millis(4),
    }
}

#[test]
fn a_feature_that_the_primary_tells_otherwise_is_named_with_its_values() {
    let mut summary = Summary::default();
    for _ in 0..30 {
        summary.compare(&row("DE", Some("DE"), 0.0));
        summary.compare(&row("US", Some("us"), 0.125));
    }
    assert_eq!((summary.rows, summary.differing, summary.max_difference), (60, 30, 0.125));
    let lines = summary.explanation();
    assert_eq!(lines[0], "60 rows compared, 30 differ (50.0 %), by 0.1250 at most and 0.0625 on average");
    assert!(lines[1].starts_with("p95 of the primary 40ms"), "{lines:?}");
    let told = r#"`user_profile:user_country` differs in 30 rows: "us" there is "US" here (30 rows)"#;
    assert_eq!(lines[2..], [told]);
    assert_eq!(summary.features()[0].explains, 1.0);
}

#[test]
fn where_all_rows_differ_the_feature_that_differences_follow_comes_first() {
    let mut summary = Summary::default();
    for number in 0..60_u8 {
        let told = if number % 2 == 0 { "DE" } else { "US" };
        let apart = f32::from(number % 5).mul_add(0.01, if told == "DE" { 0.02 } else { 0.05 });
        let mut row = row("DE", Some(told), apart);
        // Another feature differs in a few rows, by chance in those that are far apart.
        row.primary.push(("features.hour_of_day".to_owned(), vec![Value::Int64(if number == 9 { 13 } else { 12 })]));
        // A label is no score.
        row.primary.push(("label".to_owned(), vec![Value::Int64(1)]));
        row.shadow.push(("label".to_owned(), vec![Value::Int64(i64::from(number % 3 == 0))]));
        summary.compare(&row);
    }
    assert_eq!(summary.differing, 60);
    assert!(summary.max_difference < 0.1, "{}", summary.max_difference);
    let lines = summary.explanation();
    let first = "`user_profile:user_country` differs in 30 rows, where scores are 0.0700 apart and elsewhere 0.0400: ";
    assert!(lines[2].starts_with(first), "{lines:?}");
    assert!(lines[3].contains("hour_of_day"), "{lines:?}");
}

#[test]
fn without_being_told_the_value_whose_rows_differ_is_named() {
    let mut summary = Summary::default();
    for number in 0..30 {
        summary.compare(&row("DE", None, 0.0));
        summary.compare(&row("US", None, if number == 0 { 0.0 } else { 0.25 }));
    }
    let said = r#"where `user_profile:user_country` is "US", 96.7 % of the rows differ; elsewhere 0.0 %"#;
    assert_eq!(summary.explanation()[2..], [said]);
}

#[test]
fn rows_that_are_the_same_to_single_precision_do_not_differ() {
    let mut summary = Summary::default();
    summary.compare(&row("DE", Some("DE"), 1e-7));
    assert_eq!(summary.explanation()[0], "1 row compared, none differs");
    let mut nothing_shared = row("DE", None, 0.0);
    nothing_shared.shadow[0].0 = "other".to_owned();
    let mut summary = Summary::default();
    summary.compare(&nothing_shared);
    assert!(summary.explanation()[0].contains("no output in common"));
}

#[test]
fn failures_are_counted_and_said_and_summaries_of_two_gateways_add_up() {
    let (mut one, mut other) = (Summary::default(), Summary::default());
    one.compare(&row("DE", Some("DE"), 0.0));
    one.fail("it panicked");
    other.compare(&row("US", Some("us"), 0.5));
    other.fail("it panicked");
    let both = [row("DE", Some("DE"), 0.0), row("US", Some("us"), 0.5)];
    let mut whole = Summary::default();
    both.iter().for_each(|row| whole.compare(row));
    whole.fail("it panicked");
    whole.fail("it panicked");
    one.merge(&other);
    assert_eq!(one, whole);
    assert_eq!(one.explanation()[1], "the shadow failed to answer 2 requests, such as: it panicked");
    let json = serde_json::to_string(&one).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), one);
}

#[test]
fn a_feature_of_many_values_is_dropped_and_memory_stays_bounded() {
    let mut summary = Summary::default();
    for number in 0..10_000 {
        summary.compare(&row(&format!("country {number}"), None, 0.5));
        summary.compare(&row(&format!("country {number}"), Some("x"), 0.5));
    }
    assert!(serde_json::to_string(&summary).unwrap().len() < 20_000);
    let features = summary.features();
    assert_eq!(features.iter().find(|f| f.feature.ends_with("country")).unwrap().mismatches, Some(10_000));
}

#[test]
fn numbers_of_different_types_are_compared_as_numbers_and_text_as_text() {
    assert_eq!(distance(&Value::Int64(3), &Value::Float32(3.0)), 0.0);
    assert_eq!(distance(&Value::Float64(f64::NAN), &Value::Float32(f32::NAN)), 0.0);
    assert_eq!(distance(&Value::String("3".to_owned()), &Value::Int64(3)), f64::INFINITY);
    assert_eq!(distance(&Value::Null, &Value::Null), 0.0);
}
