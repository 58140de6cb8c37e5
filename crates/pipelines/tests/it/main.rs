//! The crate from outside: manifests are refused or compiled, and compiled ones are run by real processes.

mod example;
mod executor;
mod manifests;
mod runs;

use std::collections::BTreeMap;

use pipelines::{Plan, Problem, Workflow};

/// The workflow of a manifest, which must be readable.
fn workflow(yaml: &str) -> Workflow {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

/// A workflow `test` whose entrypoint is the graph `main` with these tasks and templates.
fn manifest(tasks: &str, templates: &str) -> String {
    let indent =
        |text: &str, by: usize| text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect::<String>();
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{ name: test }}\nspec:\n  entrypoint: main\n  \
         templates:\n    - name: main\n      dag:\n        tasks:\n{}{}",
        indent(tasks, 10),
        indent(templates, 4),
    )
}

fn compile(yaml: &str) -> Result<Plan, Vec<Problem>> {
    Plan::compile(&workflow(yaml), &BTreeMap::new())
}

/// What is wrong with a manifest, a line each.
fn refused(yaml: &str) -> Vec<String> {
    match compile(yaml) {
        Ok(plan) => panic!("compiled: {plan:?}"),
        Err(problems) => problems.iter().map(Problem::to_string).collect(),
    }
}
