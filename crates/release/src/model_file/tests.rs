//! The declared example parses to what it says, and mistakes are told apart.

use types::{Duration, Percent};

use super::*;

/// DESIGN §6, to the letter.
const EXAMPLE: &str = "
version: 1
model: click-ranker
owner: ranking
route_by: user_id
segments: [customer_id]
features: [user_activity:clicks_7d, user_profile:user_country, item_stats:ctr_30d, request:hour_of_day]
gates:
  quality: { auc: { min: 0.70, min_delta: -0.005 } }   # rescored here on the candidate's evaluation data, beside stable
  parity:  { sample: 1000 }
  latency: { p95: 20ms, max_ratio: 1.05 }              # interleaved with stable, with a confidence interval
approvals: { required: 1, not_author: true }
rollout:
  steps:                                               # Argo Rollouts' words
    - shadow: { duration: 10m }
    - set_weight: 5
    - pause: { duration: 10m, min_requests: auto, max: 24h }
    - set_weight: 25
    - pause: { duration: 10m, min_requests: 2000, max: 24h }
    - set_weight: 100
  rollback_on: { errors: { tolerance: 10%, max_excess: 1% }, latency: { tolerance: 20% }, false_rollback: 1% }
slo:   { availability: 99.9%, p95: 100ms }
drift: { window: 1h, reference: training }
kpis:  { ctr: click / prediction, conversion: purchase / prediction }
";

fn parse(yaml: &str) -> Result<ModelFile, String> {
    serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
}

fn problems(replaced: &str, by: &str) -> Vec<(String, String)> {
    assert!(EXAMPLE.contains(replaced), "{replaced}");
    let file = parse(&EXAMPLE.replacen(replaced, by, 1)).unwrap();
    file.validate().into_iter().map(|problem| (problem.path.join("."), problem.message)).collect()
}

#[test]
fn the_example_of_the_design_parses_and_is_sound() {
    let file = parse(EXAMPLE).unwrap();
    assert_eq!(file.validate(), []);
    assert_eq!(file.required_gates(), GateName::ALL);
    assert_eq!(file.gates.quality[&QualityMetric::Auc].min_delta, Some(-0.005));
    assert_eq!(file.gates.latency.unwrap().p95, Duration::parse("20ms").unwrap());
    assert_eq!(file.rollout.steps[1], Step::SetWeight(Percent::new(5.0).unwrap()));
    let Step::Pause(pause) = &file.rollout.steps[4] else { panic!("{:?}", file.rollout.steps[4]) };
    assert_eq!(pause.min_requests, Some(MinRequests::Count(2_000)));
    let rollback = file.rollout.rollback_on.as_ref().unwrap();
    assert_eq!(rollback.errors.as_ref().unwrap().max_excess, Percent::new(1.0).unwrap());
    assert_eq!(file.kpis["ctr"], Kpi { event: "click".to_owned(), per: "prediction".to_owned() });
}

#[test]
fn what_is_stored_is_read_back_the_same() {
    let file = parse(EXAMPLE).unwrap();
    let json = serde_json::to_string(&file).unwrap();
    assert_eq!(serde_json::from_str::<ModelFile>(&json).unwrap(), file);
}

#[test]
fn a_file_with_the_name_alone_asks_for_lineage_schema_one_approval_and_everything_at_once() {
    let file = parse("version: 1\nmodel: plain\n").unwrap();
    assert_eq!(file.validate(), []);
    assert_eq!(file.required_gates(), [GateName::Lineage, GateName::Schema]);
    assert_eq!(file.approvals, Approvals { required: 1, not_author: true });
    assert!(!file.rollout.is_gradual());
}

#[test]
fn unknown_keys_are_refused_at_every_level() {
    for (known, unknown) in [
        ("owner: ranking", "ownr: ranking"),
        ("min: 0.70", "minimum: 0.70"),
        ("sample: 1000", "samples: 1000"),
        ("auc:", "aux:"),
        ("max_ratio: 1.05", "ratio: 1.05"),
        ("required: 1", "needed: 1"),
        ("shadow:", "shade:"),
        ("min_requests: auto", "min_request: auto"),
        ("false_rollback: 1%", "false_rollbacks: 1%"),
        ("max_excess: 1%", "excess: 1%"),
        ("availability: 99.9%", "available: 99.9%, availability: 99.9%"),
        ("reference: training", "reference: yesterday"),
        ("ctr: click / prediction", "ctr: click"),
        ("min_requests: 2000", "min_requests: some"),
        ("version: 1", "version: 2"),
    ] {
        let outcome = parse(&EXAMPLE.replacen(known, unknown, 1));
        assert!(outcome.is_err(), "{unknown} was taken");
    }
}

#[test]
fn what_types_cannot_say_is_said_with_its_place() {
    let one = |replaced: &str, by: &str, path: &str, message: &str| {
        let problems = problems(replaced, by);
        assert!(
            problems.iter().any(|(at, told)| at == path && told.contains(message)),
            "{by}: expected `{message}` at {path}, got {problems:?}"
        );
    };
    one("set_weight: 25", "set_weight: 5", "rollout.steps.3.set_weight", "weights must ascend, and 5% comes after 5%");
    one("set_weight: 100", "set_weight: 90", "rollout.steps.5", "the last step must be `set_weight: 100`");
    one("- shadow: { duration: 10m }", "- pause: { duration: 10m }", "rollout.steps.0.pause", "nothing to look at");
    one("max: 24h", "max: 1m", "rollout.steps.2.pause.max", "shorter than `duration`, 10m");
    one("auc: { min: 0.70, min_delta: -0.005 }", "auc: {}", "gates.quality.auc", "has no bound");
    one("auc: { min: 0.70", "logloss: { min: 0.70", "gates.quality.logloss.min", "would pass every bad model");
    one("min: 0.70", "min: 70", "gates.quality.auc.min", "between 0 and 1");
    one("max_ratio: 1.05", "max_ratio: 0.5", "gates.latency.max_ratio", "at least 1");
    one("sample: 1000", "sample: 0", "gates.parity.sample", "shows nothing");
    one("request:hour_of_day]", "hour_of_day]", "features.3", "not a feature");
    one("request:hour_of_day]", "other:ctr_30d]", "features.3", "given twice");
    one("[customer_id]", "[customer_id, customer_id]", "segments.1", "listed twice");
    one("required: 1", "required: 50", "approvals.required", "more than");
    one("availability: 99.9%", "availability: 100", "slo.availability", "no budget");
    one("reference: training", "min_rows: 0", "drift.min_rows", "shows nothing");
    one("reference: training", "exclude: [clicks_7d, clicks_8d]", "drift.exclude.1", "no input of this model");
    one("false_rollback: 1%", "false_rollback: 0", "rollout.rollback_on.false_rollback", "between 0 and 100");
}

#[test]
fn what_newer_files_may_say_has_a_default_for_older_ones() {
    let file = parse(EXAMPLE).unwrap();
    let drift = file.drift.as_ref().unwrap();
    assert_eq!((drift.min_rows, drift.exclude.len()), (200, 0));
    assert_eq!(file.attribution, Duration::from_secs(3_600));
    let latency = file.rollout.rollback_on.as_ref().unwrap().latency.as_ref().unwrap();
    assert_eq!(latency.floor, Duration::parse("2ms").unwrap());
    let said = EXAMPLE.replacen("latency: { tolerance: 20% }", "latency: { tolerance: 20%, floor: 5ms }", 1).replacen(
        "drift: { window: 1h",
        "attribution: 10m\ndrift: { exclude: [\"user_activity:clicks_7d\"], window: 1h",
        1,
    );
    let file = parse(&said).unwrap();
    assert_eq!(file.validate(), []);
    assert_eq!(file.attribution, Duration::from_secs(600));
    assert_eq!(file.drift.unwrap().exclude, ["user_activity:clicks_7d"]);
}

#[test]
fn an_empty_list_of_features_is_not_the_same_as_none() {
    let file = parse("version: 1\nmodel: plain\nfeatures: []\n").unwrap();
    assert_eq!(file.validate()[0].path, ["features"]);
}
