//! What is not run here is refused by name and place; what is wrong is said all at once.

use std::collections::BTreeMap;

use pipelines::Plan;

use crate::{compile, manifest, refused, workflow};

const STEP: &str = "- name: step\n  container: { image: busybox, command: [\"true\"] }";

#[test]
fn fields_that_are_not_run_here_are_refused_by_name_and_place() {
    let yaml = r#"
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: { name: test, ownerReferences: [] }
spec:
  entrypoint: main
  onExit: notify
  volumes: []
  arguments: { parameters: [{ name: a, value: 1, globalName: b }], artifacts: [] }
  templates:
    - name: main
      parallelism: 2
      dag:
        failFast: false
        tasks:
          - { name: one, template: step, when: "true", withItems: [1], retryStrategy: {} }
    - name: step
      retryStrategy: { limit: "2" }
      inputs: { artifacts: [] }
      outputs:
        parameters: [{ name: x, valueFrom: { path: x, jsonPath: y }, globalName: z }]
      container:
        image: busybox
        command: ["true"]
        resources: {}
        env: [{ name: A, valueFrom: {} }]
    - name: steps
      steps: []
"#;
    let places: Vec<String> =
        refused(yaml).iter().map(|problem| problem.split(": ").next().unwrap().to_owned()).collect();
    assert_eq!(
        places,
        [
            "metadata.ownerReferences",
            "spec.onExit",
            "spec.volumes",
            "spec.arguments.artifacts",
            "spec.arguments.parameters[0].globalName",
            "spec.templates[0].parallelism",
            "spec.templates[0].dag.failFast",
            "spec.templates[0].dag.tasks[0].retryStrategy",
            "spec.templates[0].dag.tasks[0].when",
            "spec.templates[0].dag.tasks[0].withItems",
            "spec.templates[1].retryStrategy",
            "spec.templates[1].inputs.artifacts",
            "spec.templates[1].outputs.parameters[0].globalName",
            "spec.templates[1].outputs.parameters[0].valueFrom.jsonPath",
            "spec.templates[1].container.resources",
            "spec.templates[1].container.env[0].valueFrom",
            "spec.templates[2].steps",
        ]
    );
}

#[test]
fn a_slip_of_the_hand_gets_a_suggestion() {
    let yaml = manifest("- { name: one, template: stp }\n- { name: two, template: step, dependecies: [one] }", STEP);
    assert_eq!(
        refused(&yaml),
        [
            "spec.templates[0].dag.tasks[1].dependecies: `dependecies` is not run here: known in this place are name, \
             template, dependencies, depends, arguments (did you mean `dependencies`?)",
            "spec.templates[0].dag.tasks[0].template: there is no template `stp` (did you mean `step`?)",
        ]
    );
}

#[test]
fn another_kind_is_refused() {
    let yaml = manifest("- { name: one, template: step }", STEP).replace("kind: Workflow", "kind: CronWorkflow");
    assert_eq!(refused(&yaml), ["kind: `CronWorkflow` is not run here: `Workflow` is"]);
}

#[test]
fn cycles_are_named() {
    let tasks = "- { name: a, template: step }\n\
                 - { name: b, template: step, depends: a && d }\n\
                 - { name: c, template: step, depends: b }\n\
                 - { name: d, template: step, depends: a && c }";
    let problems = refused(&manifest(tasks, STEP));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("the tasks wait for each other: b → c → d → b"), "{problems:?}");
}

#[test]
fn only_a_conjunction_of_names_can_be_depended_on() {
    for expression in ["a || b", "!a", "a.Failed", "(a && b)", "a &&"] {
        let tasks = format!(
            "- {{ name: a, template: step }}\n- {{ name: b, template: step }}\n- {{ name: c, template: step, depends: \
             \"{expression}\" }}"
        );
        let problems = refused(&manifest(&tasks, STEP));
        assert_eq!(problems.len(), 1, "{problems:?}");
        let expected = format!("spec.templates[0].dag.tasks[2].depends: `{expression}` is not run here");
        assert!(problems[0].starts_with(&expected), "{problems:?}");
    }
}

#[test]
fn depends_and_dependencies_cannot_be_mixed_as_in_argo() {
    let tasks = "- { name: 1st, template: step }\n- { name: b, template: step, depends: 1st }\n\
                 - { name: c, template: step, dependencies: [b] }";
    assert_eq!(
        refused(&manifest(tasks, STEP)),
        [
            "spec.templates[0].dag.tasks[0].name: cannot begin with a digit in a graph with `depends` or `dependencies`",
            "spec.templates[0].dag.tasks[2].dependencies: cannot be used in a graph that also uses `depends`",
        ]
    );
}

#[test]
fn references_that_lead_nowhere_are_refused() {
    let templates = r#"
- name: step
  inputs: { parameters: [{ name: rounds }] }
  outputs: { parameters: [{ name: auc, valueFrom: { path: "auc-{{inputs.parameters.rounds}}" } }] }
  script:
    image: python
    command: [python]
    source: |
      print("{{inputs.parameters.round}}", "{{tasks.a.outputs.result}}", "{{pod.name}}")
"#;
    let tasks = r#"
- name: a
  template: step
  arguments: { parameters: [{ name: rounds, value: "{{workflow.parameters.rounds}}" }] }
- name: b
  template: step
  arguments: { parameters: [{ name: rounds, value: "{{tasks.a.outputs.parameters.auc}}" }] }
- name: c
  template: step
  dependencies: [b]
  arguments: { parameters: [{ name: rounds, value: "{{tasks.b.outputs.parameters.aux}}" }, { name: more, value: 1 }] }
- { name: d, template: step }
"#;
    let problems = refused(&manifest(tasks, templates));
    let expected = [
        "spec.templates[1].script.source: `{{pod.name}}` is no reference that is known here",
        "spec.templates[0].dag.tasks[0].arguments.parameters[0].value: the workflow has no parameter `rounds`",
        "spec.templates[0].dag.tasks[1].arguments.parameters[0].value: reads an output of task `a`, on which it does not",
        "spec.templates[0].dag.tasks[2].arguments.parameters[0].value: the template of task `b` has no output parameter \
         `aux` (did you mean `auc`?)",
        "spec.templates[0].dag.tasks[2].arguments.parameters[1]: template `step` has no input parameter `more`",
        "spec.templates[0].dag.tasks[3].arguments.parameters: input parameter `rounds` of template `step` is missing",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(expected), "{problem}\nshould start with\n{expected}");
    }
    let resolvable = templates.replace(", \"{{pod.name}}\"", "");
    let problems = refused(&manifest(
        "- { name: a, template: step, arguments: { parameters: [{ name: rounds, value: 1 }] } }",
        &resolvable,
    ));
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(problems[0].contains("no input parameter `round` here (did you mean `rounds`?)"), "{problems:#?}");
    assert!(problems[1].contains("known only in the arguments of a graph's tasks"), "{problems:#?}");
}

#[test]
fn a_template_must_be_one_thing_and_complete() {
    let templates = "- name: nothing\n- name: two\n  container: { image: a, command: [b] }\n  script: { image: a }\n\
                     - name: bare\n  container: { image: \"\" }\n\
                     - name: graph\n  dag: { tasks: [] }";
    let tasks = "- { name: a, template: bare }\n- { name: b, template: graph }";
    assert_eq!(
        refused(&manifest(tasks, templates)),
        [
            "spec.templates[1]: has none of `dag`, `script` and `container`",
            "spec.templates[2]: has more than one of `dag`, `script` and `container`",
            "spec.templates[3].container.image: is missing",
            "spec.templates[3].container.command: is needed: the image is not pulled here, so its own entrypoint is not \
             known",
            "spec.templates[0].dag.tasks[1].template: `graph` is itself a `dag`: a graph within a graph is not run here",
        ]
    );
}

#[test]
fn two_steps_that_may_run_at_once_cannot_write_one_file() {
    let templates = "- name: step\n  outputs: { parameters: [{ name: x, valueFrom: { path: /tmp/x } }] }\n  container: { \
                     image: busybox, command: [\"true\"] }";
    let beside = "- { name: a, template: step }\n- { name: b, template: step }";
    let problems = refused(&manifest(beside, templates));
    assert!(problems[0].contains("the same file for its output parameter `x` as task `a`"), "{problems:?}");
    let after = "- { name: a, template: step }\n- { name: b, template: step, depends: a }";
    assert!(compile(&manifest(after, templates)).is_ok());
}

const WITH_PARAMETERS: &str = r#"
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: { generateName: train- }
spec:
  entrypoint: main
  arguments:
    parameters:
      - { name: size, value: small, enum: [small, large] }
      - { name: rounds, default: 10 }
      - { name: share, value: 0.5 }
  templates:
    - name: main
      inputs: { parameters: [{ name: size }, { name: extra, value: "r{{workflow.parameters.rounds}}" }] }
      container: { image: busybox, command: [echo, "{{inputs.parameters.extra}}"] }
"#;

#[test]
fn parameters_are_overridden_by_name_and_checked() {
    let with = |name: &str, value: &str| {
        let overrides = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        Plan::compile(&workflow(WITH_PARAMETERS), &overrides)
    };
    let plan = with("size", "large").unwrap();
    let expected = [("rounds", "10"), ("share", "0.5"), ("size", "large")];
    assert_eq!(plan.parameters(), &expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());

    let problems = with("size", "medium").unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "spec.arguments.parameters[0]: `size` is `medium`, which is none of small, large"
    );
    let problems = with("round", "3").unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "spec.arguments.parameters: there is no parameter `round` to set (did you mean `rounds`?)"
    );
}

#[test]
fn a_step_can_be_the_entrypoint_and_a_run_of_a_prefix_has_its_own_name() {
    let plan = compile(WITH_PARAMETERS).unwrap();
    assert_eq!(plan.tasks().len(), 1);
    assert_eq!(plan.name(), "train");
    let uid = uuid::Uuid::from_u128(0xabcde);
    assert_eq!(plan.run_name(&uid), "train-abcde");
}

#[test]
fn the_digest_is_of_what_the_manifest_says_not_of_its_layout() {
    let digest = |yaml: &str| compile(yaml).unwrap().digest();
    let commented =
        format!("# A comment\n{WITH_PARAMETERS}").replace("{ generateName: train- }", "\n  generateName: train-");
    assert_eq!(digest(WITH_PARAMETERS), digest(&commented));
    assert_ne!(digest(WITH_PARAMETERS), digest(&WITH_PARAMETERS.replace("value: 0.5", "value: 0.6")));
}
