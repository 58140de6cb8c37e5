//! The stored form of the traffic plan, pinned by fixtures.

use std::{collections::BTreeMap, path::Path};

use serving::{Canary, ModelPlan, TrafficPlan, VersionPlan, Watch};
use types::{Digest, Duration, ModelName, ModelVersion, Percent, ValueType};

fn plan() -> TrafficPlan {
    let model = ModelName::parse("click-ranker").unwrap();
    let version = |number| VersionPlan::plain(ModelVersion::new(model.clone(), number), "onnx", Digest::of("model"));
    let stable = VersionPlan {
        features: vec!["user_activity:clicks_7d".to_owned(), "request:hour_of_day".to_owned()],
        feature_digests: BTreeMap::from([("user_activity".to_owned(), Digest::of("view"))]),
        entity_keys: vec![("user_id".to_owned(), ValueType::Int64)],
        request_values: vec![("hour_of_day".to_owned(), ValueType::Int64)],
        feature_types: vec![("clicks_7d".to_owned(), ValueType::Int64), ("hour_of_day".to_owned(), ValueType::Int64)],
        release: Some("3".to_owned()),
        ..version(7)
    };
    let plan = ModelPlan {
        stable: Some(stable),
        canary: Some(Canary { version: version(8), weight: Percent::new(5.0).unwrap() }),
        route_by: Some("user_id".to_owned()),
        segments: vec!["customer_id".to_owned()],
        others: vec![version(9)],
        ..ModelPlan::default()
    };
    TrafficPlan { revision: 12, models: BTreeMap::from([(model, plan)]) }
}

fn rollout() -> TrafficPlan {
    let model = ModelName::parse("click-ranker").unwrap();
    let version =
        |number, backend| VersionPlan::plain(ModelVersion::new(model.clone(), number), backend, Digest::of("model"));
    let plan = ModelPlan {
        revision: 13,
        stable: Some(version(7, "http")),
        shadow: Some(VersionPlan { release: Some("4".to_owned()), ..version(8, "onnx") }),
        watch: Some(Watch { release: "4".to_owned(), slow_after: Some(Duration::from_micros(20_000)) }),
        ..ModelPlan::default()
    };
    TrafficPlan { revision: 13, models: BTreeMap::from([(model, plan)]) }
}

#[test]
fn the_first_format_is_read_and_written_as_it_was() {
    for (file, plan) in [("v1.json", plan()), ("v1-rollout.json", rollout())] {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("test-data/traffic-plan").join(file);
        let stored: serde_json::Value = serde_json::from_slice(&std::fs::read(fixture).unwrap()).unwrap();
        assert_eq!(stored, serde_json::json!({ "version": 1, "plan": plan }));
        let read: TrafficPlan = serde_json::from_value(stored["plan"].clone()).unwrap();
        assert_eq!(read, plan);
    }
}
