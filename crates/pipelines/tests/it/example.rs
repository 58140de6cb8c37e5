//! The example project's workflow: compiled here, and valid for Argo by its own schema.

use std::{collections::BTreeMap, path::Path};

use pipelines::{Plan, PlannedTask};
use serde_json::{Value as Json, json};

use crate::workflow;

fn manifest() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/click-ranker/workflows/train.yaml");
    std::fs::read_to_string(path).expect("the example has a workflow")
}

#[test]
fn the_example_compiles() {
    let overrides = BTreeMap::from([("rounds".to_owned(), "5".to_owned())]);
    let plan = Plan::compile(&workflow(&manifest()), &overrides).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let order: Vec<&str> = plan.tasks().iter().map(PlannedTask::name).collect();
    assert_eq!(order, ["snapshot", "training-set", "fit", "evaluate", "good-enough", "register"]);
    assert_eq!(plan.parameters()["rounds"], "5");
}

/// Argo's JSON Schema is not part of this repository; where it is not at hand, this is skipped.
#[test]
#[expect(clippy::print_stderr, reason = "a skip is printed")]
fn the_example_is_valid_for_argo() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/schemas/argo-workflows.schema.json");
    let Ok(schema) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    let schema: Json = serde_json::from_str(&schema).unwrap();
    let mut faults = Vec::new();
    let manifest: Json = serde_saphyr::from_str(&manifest()).unwrap();
    let reference = json!({ "$ref": "#/definitions/io.argoproj.workflow.v1alpha1.Workflow" });
    check(&schema, &reference, &manifest, "", &mut faults);
    assert_eq!(faults, Vec::<String>::new());

    let broken: Json = serde_json::from_str(&manifest.to_string().replace("\"entrypoint\"", "\"entrypont\"")).unwrap();
    check(&schema, &reference, &broken, "", &mut faults);
    assert_eq!(faults, ["/spec/entrypont is unknown"], "the check itself");
}

/// The keywords that this schema uses for the parts that we write, and, beyond it, that no field is unknown: the schema
/// itself lets any pass.
fn check(root: &Json, schema: &Json, value: &Json, path: &str, faults: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).expect("a reference leads somewhere");
        return check(root, target, value, path, faults);
    }
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64(),
        Some(other) => panic!("{path}: type {other}"),
        None => true,
    };
    if !fits {
        faults.push(format!("{path} is no {}", schema["type"]));
        return;
    }
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        if value.get(required).is_none() {
            faults.push(format!("{path}/{required} is missing"));
        }
    }
    for (name, field) in value.as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        match (schema["properties"].get(name), schema.get("additionalProperties")) {
            (Some(of_field), _) | (None, Some(of_field)) => check(root, of_field, field, &path, faults),
            (None, None) => faults.push(format!("{path} is unknown")),
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(root, &schema["items"], item, &format!("{path}/{index}"), faults);
    }
}
