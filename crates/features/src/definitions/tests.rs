//! Files as users write them, and every way to get them wrong.

use types::{Value, ValueType};

use super::*;

const GOOD: &str = r#"
version: 1
entities:
  - { name: user, join_keys: [{ name: user_id, type: int64 }] }
sources:
  - { name: activity, path: data/activity/*.parquet, event_time: event_time, created: created_at }
request: [{ name: hour_of_day, type: int64 }]
feature_views:
  - name: activity
    entity: user
    source: activity
    ttl: 7d
    owner: ranking
    features:
      - { name: clicks_7d, type: int64, default: 0 }
      - { name: country, type: string, expression: "upper(country)", default: none }
      - { name: rate, type: float32 }
on_demand_features:
  - { name: is_evening, type: int64, expression: "CASE WHEN hour_of_day >= 18 THEN 1 ELSE 0 END" }
  - { name: evening_clicks, type: int64, expression: "is_evening * clicks_7d", default: -1 }
"#;

fn parse(yaml: &str) -> FeatureFile {
    serde_saphyr::from_str(yaml).unwrap()
}

fn compose(yaml: &str) -> Result<Definitions, Vec<Problem>> {
    Definitions::compose(&[parse(yaml)])
}

fn problems(change: &str, to: &str) -> Vec<String> {
    assert!(GOOD.contains(change), "{change}");
    compose(&GOOD.replace(change, to)).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_file_composes_with_defaults_and_types() {
    let definitions = compose(GOOD).unwrap();
    let view = definitions.view("activity").unwrap();
    let defaults: Vec<_> = view.features().iter().map(|f| (f.name.as_str(), f.default.clone())).collect();
    let expected = [("clicks_7d", Some(Value::Int64(0))), ("country", Some(Value::Null)), ("rate", None)];
    assert_eq!(defaults, expected);
    let reference = FeatureRef::parse("on_demand:evening_clicks").unwrap();
    assert_eq!(definitions.value_type(&reference).unwrap(), ValueType::Int64);
    let digests = definitions.digests(&[reference]).unwrap();
    let names: Vec<&str> = digests.keys().map(String::as_str).collect();
    assert_eq!(names, ["activity", "on_demand:evening_clicks", "on_demand:is_evening"]);
}

#[test]
fn unknown_keys_are_refused() {
    let broken = GOOD.replace("ttl: 7d", "time_to_live: 7d");
    let error = serde_saphyr::from_str::<FeatureFile>(&broken).unwrap_err().to_string();
    assert!(error.contains("time_to_live"), "{error}");
}

#[test]
fn every_problem_is_told_with_its_place() {
    for (change, to, expected) in [
        ("version: 1", "version: 2", "version: version 2 is not known; this is version 1"),
        ("entity: user\n", "entity: usr\n", "feature_views[0].entity: there is no entity `usr`; did you mean `user`?"),
        (
            "source: activity",
            "source: activty",
            "feature_views[0].source: there is no source `activty`; did you mean `activity`?",
        ),
        (
            "default: 0",
            "default: zero",
            "feature_views[0].features[0].default: the default \"zero\" is not int64; write `none` to pass null to the model",
        ),
        (
            "upper(country)",
            "uper(country)",
            "feature_views[0].features[1].expression: there is no function `uper`; did you mean `upper`?",
        ),
        ("upper(country)", "uuid()", "`uuid()` is not deterministic"),
        ("name: country", "name: clicks_7d", "there are two features `clicks_7d` in `activity`"),
        ("name: country", "name: \"a b\"", "must be letters, digits and `_`"),
        (
            "hour_of_day >= 18",
            "hour_of_dy >= 18",
            "on_demand_features[0].expression: there is no feature or request value `hour_of_dy`; did you mean `hour_of_day`?",
        ),
        ("THEN 1 ELSE 0", "THEN 'x' ELSE 'y'", "does not become int64"),
        ("is_evening * clicks_7d", "evening_clicks + 1", "computed from itself"),
        (
            "hour_of_day, type: int64 }",
            "hour_of_day, type: int64 }, { name: clicks_7d, type: int64 }",
            "`clicks_7d` could be any of activity:clicks_7d, request:clicks_7d",
        ),
        (
            "data/activity/*.parquet",
            "../elsewhere/*.parquet",
            "sources[0].path: source `activity`: `../elsewhere/*.parquet` leads out of the project folder",
        ),
        ("data/activity/*.parquet", "s3://bucket/*.parquet", "not built into this version"),
        ("user_id, type: int64", "user_id, type: float64", "a join key is int32, int64 or string, not float64"),
        ("- name: activity", "- name: request", "means something else"),
    ] {
        let found = problems(change, to);
        assert!(found.iter().any(|problem| problem.contains(expected)), "{to}: {found:?}");
    }
}

#[test]
fn problems_are_told_together_and_by_file() {
    let broken = GOOD.replace("entity: user\n", "entity: usr\n").replace("default: 0", "default: x");
    let problems = Definitions::compose(&[parse("version: 3"), parse(&broken)]).unwrap_err();
    let files: Vec<usize> = problems.iter().map(|problem| problem.file).collect();
    assert_eq!(files, [0, 1, 1]);
    let twice = Definitions::compose(&[parse(GOOD), parse(GOOD)]).unwrap_err();
    assert!(twice.iter().any(|problem| problem.message == "there are two feature views `activity`"), "{twice:?}");
}

#[test]
fn digests_change_with_values_and_with_nothing_else() {
    let digest = |yaml: &str| compose(yaml).unwrap().view("activity").unwrap().digest();
    let before = digest(GOOD);
    for same in [
        GOOD.replace("owner: ranking", "owner: search"),
        GOOD.replace("ttl: 7d", "ttl: 168h"),
        GOOD.replace("      - { name: rate, type: float32 }\n", "").replace(
            "    features:\n",
            "    features:\n      - { name: rate, type: float32, description: first now }\n",
        ),
        GOOD.replace("name: user,", "name: person,").replace("entity: user\n", "entity: person\n"),
    ] {
        assert_eq!(digest(&same), before, "{same}");
    }
    for (from, to) in [
        ("ttl: 7d", "ttl: 8d"),
        ("default: 0", "default: 1"),
        ("default: none", "default: XX"),
        ("upper(country)", "lower(country)"),
        ("type: float32", "type: float64"),
        (", created: created_at", ""),
        ("data/activity", "data/activity2"),
        ("user_id, type: int64", "user_id, type: int32"),
    ] {
        assert_ne!(digest(&GOOD.replace(from, to)), before, "{to}");
    }
}

/// Stored values and trained models carry these addresses: a change here makes every one of them unknown.
#[test]
fn digests_are_the_same_in_every_version() {
    let definitions = compose(GOOD).unwrap();
    let view = definitions.view("activity").unwrap().digest();
    let on_demand = definitions.on_demand().map(|feature| feature.digest().short()).collect::<Vec<_>>();
    assert_eq!(
        (view.short().as_str(), on_demand),
        ("45b2e114db29", vec!["86e960950d3a".to_owned(), "69a74383849a".to_owned()])
    );
}

#[test]
fn a_ttl_of_nothing_is_no_ttl() {
    let definitions = compose(&GOOD.replace("ttl: 7d", "ttl: 0s")).unwrap();
    assert_eq!(definitions.view("activity").unwrap().ttl(), None);
}
