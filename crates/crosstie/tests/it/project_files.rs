//! What is wrong with a project's files is said with file, line and column, before anything starts.

use serde_json::Value;

use crate::program::{folder, run};

const PROJECT: &str = "version: 1\n";

const FEATURES: &str = "version: 1
entities:
  - { name: user, join_keys: [{ name: user_id, type: int64 }] }
sources:
  - { name: activity, path: data/activity/*.parquet, event_time: event_time, created: created_at }
request: [{ name: hour_of_day, type: int64 }]
feature_views:
  - name: user_activity
    entity: user
    source: activity
    ttl: 7d
    features:
      - { name: clicks_7d, type: int64, default: 0 }
";

const MODEL: &str = "version: 1
model: click-ranker
owner: ranking
route_by: user_id
features: [user_activity:clicks_7d, request:hour_of_day]
gates:
  parity: { sample: 10 }
rollout:
  steps:
    - set_weight: 100
";

/// The first problem that `crosstie validate` finds in a project in which `from` became `to` in one of the files.
fn problem(file: &str, from: &str, to: &str) -> (String, u64, String) {
    let changed = |name: &str, text: &str| {
        if name == file {
            assert!(text.contains(from), "{file} holds no `{from}`");
            text.replacen(from, to, 1)
        } else {
            text.to_owned()
        }
    };
    let files: Vec<(&str, String)> =
        [("crosstie.yaml", PROJECT), ("features/users.yaml", FEATURES), ("models/click-ranker.yaml", MODEL)]
            .map(|(name, text)| (name, changed(name, text)))
            .to_vec();
    let (_dir, path) = folder(&files.iter().map(|(name, text)| (*name, text.as_str())).collect::<Vec<_>>());
    let said = run(&path, &["validate", "--json"]);
    assert!(!said.succeeded, "{from} → {to}: {said:?}");
    let found: Value = serde_json::from_str(&said.out).unwrap();
    let first = &found["problems"][0];
    let text = |key: &str| first[key].as_str().unwrap_or_default().to_owned();
    (text("file"), first["line"].as_u64().unwrap_or_default(), format!("{} {}", text("message"), text("help")))
}

#[test]
fn a_good_project_is_valid() {
    let files = [("crosstie.yaml", PROJECT), ("features/users.yaml", FEATURES), ("models/click-ranker.yaml", MODEL)];
    let (_dir, path) = folder(&files);
    let said = run(&path, &["validate"]);
    assert!(said.succeeded, "{said:?}");
}

#[test]
fn unknown_keys_wrong_types_and_missing_keys_are_placed() {
    let model = "models/click-ranker.yaml";
    let features = "features/users.yaml";
    let mut wrong = Vec::new();
    for (file, from, to, line, named) in [
        ("crosstie.yaml", "version: 1", "version: 1\nstors: {}", 2, "stors"),
        ("crosstie.yaml", "version: 1", "version: 2", 1, "version"),
        (model, "gates:", "gate:", 6, "gate"),
        (model, "sample: 10", "sample: many", 7, "u32"),
        (model, "set_weight: 100", "set_wait: 100", 10, "set_wait"),
        // The parser says where it stopped looking.
        (model, "model: click-ranker\n", "", 7, "model"),
        (model, "user_activity:clicks_7d", "user_activity:clicks_8d", 5, "clicks_8d"),
        (features, "ttl: 7d", "ttl: 7 moons", 11, "7 moons"),
        (features, "entity: user\n", "entity: usr\n", 9, "usr"),
        (features, "type: int64, default: 0", "type: int65, default: 0", 13, "int65"),
    ] {
        let (found_in, found_line, message) = problem(file, from, to);
        if (found_in.as_str(), found_line) != (file, line) || !message.contains(named) {
            wrong.push(format!(
                "{from} → {to}: expected {file}:{line}, {named}; got {found_in}:{found_line}, {message}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn people_see_the_line_itself() {
    let (_dir, path) = folder(&[("crosstie.yaml", "version: 1\nstors: {}\n")]);
    let said = run(&path, &["validate"]);
    assert!(!said.succeeded);
    assert!(said.err.contains("crosstie.yaml:2:1") && said.err.contains("stors: {}"), "{}", said.err);
}

#[test]
fn a_broken_project_does_not_come_up() {
    let (_dir, path) = folder(&[("crosstie.yaml", "version: 1\nstors: {}\n")]);
    let said = run(&path, &["up", "--port", "0"]);
    assert!(!said.succeeded && said.err.contains("crosstie.yaml:2:1"), "{said:?}");
}
