//! Plans run by real processes: order, values handed on, failure, cancellation, logs.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use pipelines::{Event, LocalExecutor, Plan, RunOptions, RunReport, TaskStatus, run};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{compile, manifest};

/// The plan's run in `dir`, with all that it told.
async fn run_in(dir: &Path, plan: &Plan, tags: &[(&str, &str)]) -> (RunReport, Vec<Event>) {
    let (sender, mut receiver) = mpsc::channel(8);
    let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let options = RunOptions::new(Uuid::from_u128(7), dir.join("run"), dir.to_owned())
        .with_env(BTreeMap::from([("FROM_OPTIONS".to_owned(), "yes".to_owned())]))
        .with_run_tags(tags);
    let collect = async {
        let mut events = Vec::new();
        while let Some(event) = receiver.recv().await {
            events.push(event);
        }
        events
    };
    let running = run(plan, Arc::new(LocalExecutor::new()), &options, sender, CancellationToken::new());
    let (report, events) = tokio::join!(running, collect);
    (report.expect("the run can write its files"), events)
}

const SHELL: &str = r#"
- name: say
  inputs: { parameters: [{ name: text }] }
  script:
    image: busybox
    command: [sh, -eu]
    source: echo "{{inputs.parameters.text}}"
- name: measure
  inputs: { parameters: [{ name: text }, { name: unit, default: characters }] }
  outputs:
    parameters:
      - { name: length, valueFrom: { path: "length-{{workflow.uid}}.txt" } }
      - { name: note, valueFrom: { path: note.txt, default: nothing to note } }
  container:
    image: busybox
    command: [sh, -c]
    args: ["printf %s \"$TEXT\" | wc -c > length-{{workflow.uid}}.txt; echo {{inputs.parameters.unit}} >&2"]
    env: [{ name: TEXT, value: "{{inputs.parameters.text}}" }]
- name: break
  container: { image: busybox, command: [sh, -c, "echo before; echo why >&2; exit 4"] }
"#;

#[tokio::test]
async fn values_are_handed_from_task_to_task() {
    let tasks = r#"
- name: last
  template: say
  dependencies: [length]
  arguments: { parameters: [{ name: text, value: "{{tasks.length.outputs.parameters.length}}/{{tasks.length.outputs.parameters.note}}/{{workflow.name}}" }] }
- name: length
  template: measure
  dependencies: [first]
  arguments: { parameters: [{ name: text, value: "{{tasks.first.outputs.result}}" }] }
- name: first
  template: say
  arguments: { parameters: [{ name: text, value: hello there }] }
"#;
    let dir = tempfile::tempdir().unwrap();
    let plan = compile(&manifest(tasks, SHELL)).unwrap();
    let order: Vec<&str> = plan.tasks().iter().map(pipelines::PlannedTask::name).collect();
    assert_eq!(order, ["first", "length", "last"]);
    let (report, events) = run_in(dir.path(), &plan, &[]).await;
    assert!(report.succeeded(), "{}", report.render());
    assert_eq!(report.tasks[0].result.as_deref(), Some("hello there"));
    assert_eq!(report.tasks[1].parameters["length"].trim(), "11");
    assert_eq!(report.tasks[2].tail.join("").replace(' ', ""), "11/nothingtonote/test");
    assert_eq!(std::fs::read_to_string(dir.path().join("run/length.log")).unwrap(), "characters\n");
    let Event::RunStarted { notices, .. } = &events[0] else { panic!("{events:?}") };
    assert!(notices[0].starts_with("images are not pulled (busybox)"), "{notices:?}");
}

#[tokio::test]
async fn a_failing_step_stops_the_graph_and_shows_the_end_of_its_log() {
    let tasks = "- { name: wrong, template: break }\n\
                 - { name: after, template: say, depends: wrong, arguments: { parameters: [{ name: text, value: x }] } }\n\
                 - { name: beside, template: say, arguments: { parameters: [{ name: text, value: y }] } }";
    let dir = tempfile::tempdir().unwrap();
    let (report, events) = run_in(dir.path(), &compile(&manifest(tasks, SHELL)).unwrap(), &[]).await;
    assert!(!report.succeeded());
    let wrong = report.tasks.iter().find(|task| task.name == "wrong").unwrap();
    assert_eq!(wrong.status, TaskStatus::Failed { reason: "exited with code 4".to_owned() });
    let mut tail = wrong.tail.clone();
    tail.sort();
    assert_eq!(tail, ["before", "why"]);
    let after = report.tasks.iter().find(|task| task.name == "after").unwrap();
    assert_eq!(after.status, TaskStatus::Skipped);
    assert!(events.contains(&Event::TaskSkipped { task: "after".to_owned() }));
    let text = report.render();
    assert!(text.contains("wrong failed: exited with code 4") && text.contains("run/wrong.log"), "{text}");
}

#[tokio::test]
async fn a_missing_command_fails_its_task_by_name() {
    let templates = "- name: step\n  container: { image: busybox, command: [no-such-command-here] }";
    let dir = tempfile::tempdir().unwrap();
    let plan = compile(&manifest("- { name: one, template: step }", templates)).unwrap();
    let (report, _) = run_in(dir.path(), &plan, &[]).await;
    let reason = report.tasks[0].status.reason().unwrap();
    assert!(reason.starts_with("command `no-such-command-here` was not found"), "{reason}");
}

#[tokio::test]
async fn an_input_outside_its_enum_fails_before_its_command_runs() {
    let templates = "- name: step\n  inputs: { parameters: [{ name: size, enum: [small, large] }] }\n  container: { image: \
                     busybox, command: [touch, ran] }\n- name: say\n  container: { image: busybox, command: [echo, medium] }";
    let tasks = "- { name: one, template: say }\n- { name: two, template: step, depends: one, arguments: { parameters: [{ \
                 name: size, value: \"{{tasks.one.outputs.result}}\" }] } }";
    let dir = tempfile::tempdir().unwrap();
    let (report, _) = run_in(dir.path(), &compile(&manifest(tasks, templates)).unwrap(), &[]).await;
    let reason = report.tasks[1].status.reason().unwrap();
    assert_eq!(reason, "input parameter `size` is `medium`, which is none of small, large");
    assert!(!dir.path().join("ran").exists());
}

#[tokio::test]
async fn steps_find_the_tags_for_their_mlflow_runs_in_the_environment() {
    let templates = "- name: step\n  container: { image: busybox, command: [sh, -c, 'echo $FROM_OPTIONS; echo \
                     $MLFLOW_RUN_CONTEXT'] }";
    let dir = tempfile::tempdir().unwrap();
    let plan = compile(&manifest("- { name: one, template: step }", templates)).unwrap();
    let tags = [("mlflow.source.git.commit", "abc"), ("crosstie.git.dirty", "false")];
    let (report, _) = run_in(dir.path(), &plan, &tags).await;
    assert_eq!(report.tasks[0].tail, ["yes", r#"{"crosstie.git.dirty":"false","mlflow.source.git.commit":"abc"}"#]);
}

#[tokio::test]
async fn cancelling_ends_what_runs_and_starts_nothing_more() {
    let templates = "- name: wait\n  container: { image: busybox, command: [sh, -c, 'echo started; sleep 3600'] }";
    let tasks = "- { name: one, template: wait }\n- { name: two, template: wait, depends: one }";
    let dir = tempfile::tempdir().unwrap();
    let plan = compile(&manifest(tasks, templates)).unwrap();
    let options = RunOptions::new(Uuid::from_u128(7), dir.path().join("run"), dir.path().to_owned());
    let (sender, mut receiver) = mpsc::channel(8);
    let cancel = CancellationToken::new();
    let watch = async {
        while let Some(event) = receiver.recv().await {
            if matches!(event, Event::TaskLine { .. }) {
                cancel.cancel();
            }
        }
    };
    let running = run(&plan, Arc::new(LocalExecutor::new()), &options, sender, cancel.clone());
    let (report, ()) = tokio::join!(running, watch);
    let report = report.unwrap();
    assert!(report.cancelled && !report.succeeded());
    let statuses: Vec<&str> = report.tasks.iter().map(|task| task.status.as_str()).collect();
    assert_eq!(statuses, ["cancelled", "skipped"]);
}

#[tokio::test]
async fn tasks_that_do_not_wait_for_each_other_run_at_once() {
    // Each of the two ends only once the other has begun.
    let templates = "- name: meet\n  inputs: { parameters: [{ name: own }, { name: other }] }\n  container: { image: busybox, \
                     command: [sh, -c, 'touch {{inputs.parameters.own}}; until [ -e {{inputs.parameters.other}} ]; do sleep \
                     0.01; done'] }";
    let tasks = "- { name: one, template: meet, arguments: { parameters: [{ name: own, value: a }, { name: other, value: b \
                 }] } }\n- { name: two, template: meet, arguments: { parameters: [{ name: own, value: b }, { name: other, \
                 value: a }] } }";
    let dir = tempfile::tempdir().unwrap();
    let plan = compile(&manifest(tasks, templates)).unwrap();
    let (sender, receiver) = mpsc::channel(8);
    drop(receiver);
    let options = RunOptions::new(Uuid::from_u128(7), dir.path().join("run"), dir.path().to_owned())
        .with_parallelism(std::num::NonZeroUsize::new(2).unwrap());
    let report = run(&plan, Arc::new(LocalExecutor::new()), &options, sender, CancellationToken::new()).await.unwrap();
    assert!(report.succeeded(), "{}", report.render());
}
