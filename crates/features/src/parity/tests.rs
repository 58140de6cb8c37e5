//! Seeded faults, each caught by name.

use types::{Timestamp, Value, ValueType};

use super::*;
use crate::{Definitions, FeatureRef, Refusal, definitions::FeatureFile};

fn plan(kind: ValueType) -> ReadPlan {
    let yaml = format!(
        "{{version: 1, entities: [{{name: e, join_keys: [{{name: k, type: int64}}]}}], \
         sources: [{{name: s, path: s.parquet, event_time: t}}], \
         feature_views: [{{name: v, entity: e, source: s, features: [{{name: f, type: {kind}, default: none}}]}}]}}"
    );
    let file: FeatureFile = serde_saphyr::from_str(&yaml).unwrap();
    let definitions = Definitions::compose(&[file]).unwrap();
    ReadPlan::new(&definitions, &[FeatureRef::parse("v:f").unwrap()]).unwrap()
}

fn cell(value: Value, origin: Origin) -> FeatureCell {
    FeatureCell { value, event_time: Some(Timestamp::from_micros(5)), origin, degraded: false, file: None }
}

/// Judges pairs of (online, offline, a day before).
fn judged(kind: ValueType, pairs: Vec<(Value, Value, Option<Value>)>) -> ParityReport {
    let plan = plan(kind);
    let rows: Vec<EntityRow> = (0..pairs.len())
        .map(|row| EntityRow { keys: vec![Value::Int64(row as i64)], ..EntityRow::default() })
        .collect();
    let row = |value: &Value, origin| FeatureRow { cells: vec![cell(value.clone(), origin)], refusal: None };
    let offline_row = |value: &Value| OfflineRow { row: row(value, Origin::Offline), ahead: vec![false] };
    let online: Vec<FeatureRow> = pairs.iter().map(|pair| row(&pair.0, Origin::Materialized)).collect();
    let offline: Vec<OfflineRow> = pairs.iter().map(|pair| offline_row(&pair.1)).collect();
    let day_before: Option<Vec<OfflineRow>> = pairs.iter().map(|pair| pair.2.as_ref().map(offline_row)).collect();
    let day_before = day_before.as_deref();
    compare(&Comparison { plan: &plan, rows: &rows, online: &online, offline: &offline, day_before, segments: &[] })
}

fn rule(kind: ValueType, pairs: impl IntoIterator<Item = (Value, Value)>) -> String {
    let report = judged(kind, pairs.into_iter().map(|(online, offline)| (online, offline, None)).collect());
    report.diagnosis.map(|diagnosis| diagnosis.text).unwrap_or_default()
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

#[test]
fn seeded_faults_are_named() {
    let hours = |hours: i64| Value::Timestamp(Timestamp::from_micros(hours * 3_600_000_000));
    let large = 9_007_199_254_740_993_i64;
    for (kind, pairs, expected) in [
        (
            ValueType::String,
            vec![(text("de"), text("DE")), (text("fr"), text("FR"))],
            "lower(offline) = online in 100.0 %",
        ),
        (ValueType::String, vec![(text("DE"), text("de"))], "upper(offline) = online in 100.0 %"),
        (ValueType::String, vec![(text("DE "), text("DE"))], "equal but for white space"),
        (ValueType::String, vec![(text("De"), text("dE"))], "equal but for case"),
        (ValueType::String, vec![(text("Heilbro"), text("Heilbronn"))], "online is the beginning of offline"),
        (ValueType::Int64, vec![(Value::Int64(0), Value::Null)], "online is zero or empty where offline is null"),
        (ValueType::Float64, vec![(Value::Null, Value::Float64(1.5))], "online is null where offline has a value"),
        (ValueType::Float64, vec![(Value::Float64(f64::from(0.1_f32)), Value::Float64(0.1))], "rounded to float32"),
        (ValueType::Int64, vec![(Value::Int64(large as f64 as i64), Value::Int64(large))], "a trip through a double"),
        (ValueType::Int64, vec![(Value::Int64(1), Value::Int64((1 << 32) + 1))], "cut to 32 bits"),
        (ValueType::Timestamp, vec![(hours(3), hours(1)), (hours(7), hours(5))], "off by the UTC offset +02:00"),
        (ValueType::Int64, (0..5).map(|n| (Value::Int64(n + 1), Value::Int64(n))).collect(), "online = offline + 1"),
        (ValueType::Int64, (1..5).map(|n| (Value::Int64(9), Value::Int64(n * n))).collect(), "online is 9"),
    ] {
        let found = rule(kind, pairs);
        assert!(found.contains(expected), "expected {expected}: {found}");
    }
    assert_eq!(rule(ValueType::Int64, [(Value::Int64(4), Value::Int64(9))]), "", "no rule fits an accident");
}

#[test]
fn standing_still_is_seen_from_the_day_before() {
    let pairs = (0..4).map(|n| (Value::Int64(n), Value::Int64(n * n + 7), Some(Value::Int64(n)))).collect();
    let report = judged(ValueType::Int64, pairs);
    assert_eq!(report.diagnosis.unwrap().text, "online = offline 24 h ago in 100.0 % of the differing rows");
}

#[test]
fn the_share_is_of_the_differing_rows() {
    let mut pairs = vec![(text("DE"), text("DE")); 6];
    pairs.extend([(text("de"), text("DE")), (text("fr"), text("FR")), (text("XX"), text("AT"))]);
    let report = judged(ValueType::String, pairs.into_iter().map(|(a, b)| (a, b, None)).collect());
    assert_eq!(report.counts, Counts { compared: 9, mismatches: 3, ..Counts::default() });
    let diagnosis = report.diagnosis.unwrap();
    assert_eq!(diagnosis.text, "lower(offline) = online in 66.7 % of the differing rows");
    assert_eq!((diagnosis.feature.as_str(), diagnosis.rule.as_str()), ("v:f", "lower"));
}

#[test]
fn floats_are_equal_bit_for_bit() {
    let nan = Value::Float64(f64::NAN);
    let equal = vec![(nan.clone(), nan, None), (Value::Null, Value::Null, None)];
    assert!(judged(ValueType::Float64, equal).holds());
    let different = vec![(Value::Float64(0.0), Value::Float64(-0.0), None)];
    assert_eq!(judged(ValueType::Float64, different).counts.mismatches, 1);
}

#[test]
fn missing_extra_stale_and_ahead_are_told_apart() {
    let plan = plan(ValueType::Int64);
    let rows = vec![EntityRow { keys: vec![Value::Int64(1)], ..EntityRow::default() }];
    let kind = |online: FeatureCell, offline: FeatureCell, ahead: bool| {
        let refusal = None::<Refusal>;
        let online = [FeatureRow { cells: vec![online], refusal: refusal.clone() }];
        let offline = [OfflineRow { row: FeatureRow { cells: vec![offline], refusal }, ahead: vec![ahead] }];
        let report = compare(&Comparison {
            plan: &plan,
            rows: &rows,
            online: &online,
            offline: &offline,
            day_before: None,
            segments: &[],
        });
        let counts = report.counts;
        [counts.mismatches, counts.missing, counts.extra, counts.stale, counts.ahead]
    };
    let found = |value, time, origin| FeatureCell {
        event_time: Some(Timestamp::from_micros(time)),
        ..cell(Value::Int64(value), origin)
    };
    let default = FeatureCell::timeless(Value::Int64(0), Origin::Default);
    let offline = || found(2, 5, Origin::Offline);
    assert_eq!(kind(found(1, 5, Origin::Pushed), offline(), false), [1, 0, 0, 0, 0]);
    assert_eq!(kind(default.clone(), offline(), false), [0, 1, 0, 0, 0]);
    assert_eq!(kind(found(1, 5, Origin::Materialized), default, false), [0, 0, 1, 0, 0]);
    assert_eq!(kind(found(1, 4, Origin::Materialized), offline(), false), [0, 0, 0, 1, 0]);
    assert_eq!(kind(found(2, 9, Origin::Pushed), offline(), true), [0, 0, 0, 0, 1]);
    assert_eq!(kind(found(1, 5, Origin::Override), offline(), false), [0; 5], "what the caller sent is not compared");
}

#[test]
fn a_row_that_both_rails_refuse_is_equal_and_one_that_only_one_refuses_is_not() {
    let plan = plan(ValueType::Int64);
    let rows = vec![EntityRow { keys: vec![Value::Int64(1)], ..EntityRow::default() }];
    let differences = |online_refuses: bool| {
        let refusal = Refusal { feature: "v:f".to_owned(), entity: "k=1".to_owned(), message: "no value".to_owned() };
        let missing = FeatureCell::timeless(Value::Null, Origin::Missing);
        let served =
            FeatureCell { event_time: Some(Timestamp::from_micros(1)), ..cell(Value::Int64(1), Origin::Pushed) };
        let online = match online_refuses {
            true => FeatureRow { cells: vec![missing.clone()], refusal: Some(refusal.clone()) },
            false => FeatureRow { cells: vec![served], refusal: None },
        };
        // Offline refuses for another feature's sake, and has a value of this one.
        let known = cell(Value::Int64(2), Origin::Offline);
        let offline = OfflineRow { row: FeatureRow { cells: vec![known], refusal: Some(refusal) }, ahead: vec![false] };
        let report = compare(&Comparison {
            plan: &plan,
            rows: &rows,
            online: &[online],
            offline: &[offline],
            day_before: None,
            segments: &[],
        });
        report.counts.differences()
    };
    assert_eq!((differences(true), differences(false)), (0, 1));
}
