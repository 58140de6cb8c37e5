//! What is wrong with a project is found before anything runs, and named with its place.

use api::system::ProjectFiles;

use super::*;

const FEATURES: &str = "\
version: 1
entities:
  - { name: user, join_keys: [{ name: user_id, type: int64 }] }
sources:
  - { name: activity, path: data/*.parquet, event_time: event_time }
request: [{ name: hour, type: int64 }]
feature_views:
  - name: user_activity
    entity: user
    source: activity
    ttl: 7d
    features:
      - { name: clicks_7d, type: int64, default: 0 }
";

const MODEL: &str = "version: 1\nmodel: ranker\nfeatures: [user_activity:clicks_7d, request:hour]\n";

fn files(parts: &[(&str, &str)]) -> ProjectFiles {
    parts.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn whole() -> ProjectFiles {
    files(&[("crosstie.yaml", "version: 1\n"), ("features/user.yaml", FEATURES), ("models/ranker.yaml", MODEL)])
}

fn only_problem(path: &str, text: &str) -> ProjectProblem {
    let mut files = whole();
    files.insert(path.to_owned(), text.to_owned());
    let mut problems = Project::parse(&files).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

#[test]
fn a_project_is_addressed_by_what_it_says_and_not_by_how_it_is_written() {
    let project = Project::parse(&whole()).unwrap();
    let mut commented = whole();
    commented.insert("models/ranker.yaml".to_owned(), format!("# our ranker\n{MODEL}"));
    assert_eq!(Project::parse(&commented).unwrap().digest, project.digest);
    commented.insert("models/ranker.yaml".to_owned(), format!("{MODEL}owner: ranking\n"));
    assert_ne!(Project::parse(&commented).unwrap().digest, project.digest);
}

#[test]
fn a_stored_project_is_the_one_that_was_applied() {
    let project = Project::parse(&whole()).unwrap();
    let stored = serde_json::to_string(&project.content).unwrap();
    let restored = Project::restore(serde_json::from_str(&stored).unwrap()).unwrap();
    assert_eq!(restored.digest, project.digest);
    assert_eq!(restored.models.keys().map(ToString::to_string).collect::<Vec<_>>(), ["ranker"]);
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_the_likely_one() {
    let problem = only_problem("models/ranker.yaml", &format!("{MODEL}rout_by: user_id\n"));
    assert_eq!((problem.line, problem.column), (4, 1));
    assert!(problem.message.contains("`rout_by`"), "{}", problem.message);
    assert_eq!(problem.help.as_deref(), Some("did you mean `route_by`?"));
}

#[test]
fn a_wrong_type_is_named_with_its_place() {
    let problem = only_problem("features/user.yaml", &FEATURES.replace("ttl: 7d", "ttl: weekly"));
    assert_eq!(problem.line, 11);
    assert!(problem.message.contains("weekly"), "{}", problem.message);
}

#[test]
fn a_feature_that_nobody_declared_is_named_with_its_place() {
    let problem = only_problem("models/ranker.yaml", &MODEL.replace("clicks_7d", "clicks_8d"));
    assert_eq!((problem.file.as_str(), problem.line), ("models/ranker.yaml", 3));
    assert!(problem.message.contains("user_activity:clicks_8d"), "{}", problem.message);
}

#[test]
fn another_format_version_is_refused() {
    let problem = only_problem("crosstie.yaml", "version: 2\n");
    assert!(problem.message.contains("version 1, not 2"), "{}", problem.message);
}
