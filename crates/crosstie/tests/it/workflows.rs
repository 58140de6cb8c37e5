//! `crosstie run`: refusals before anything starts, and failures that stop the rest.

use crate::program::{Server, folder, run};

const FAILING: &str = "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: { generateName: failing- }
spec:
  entrypoint: main
  templates:
    - name: main
      dag:
        tasks:
          - { name: first, template: breaks }
          - { name: second, template: writes, dependencies: [first] }
    - name: breaks
      script:
        image: python:3.11
        command: [python3]
        source: |
          print('about to break')
          raise SystemExit('the disk is made of cheese')
    - name: writes
      script:
        image: python:3.11
        command: [python3]
        source: open('second-ran', 'w').close()
";

#[tokio::test]
async fn a_failing_step_stops_the_rest_and_shows_the_tail_of_its_log() {
    let (_dir, path) = folder(&[("failing.yaml", FAILING)]);
    let server = Server::start(&path).await;
    let said = run(&path, &["run", "failing.yaml"]);
    assert!(!said.succeeded, "{said:?}");
    let all = format!("{}{}", said.out, said.err);
    assert!(all.contains("the disk is made of cheese"), "the log's tail is shown: {all}");
    assert!(!path.join("second-ran").exists(), "what depends on a failed step does not start");
    assert!(server.down(&path));
}

#[tokio::test]
async fn what_is_not_understood_is_refused_by_name_before_anything_starts() {
    for (from, to, named) in [
        ("image: python:3.11", "image: python:3.11\n        resources: { limits: { cpu: 1 } }", "resources"),
        ("dag:", "steps:", "steps"),
        ("dependencies: [first]", "dependencies: [frist]", "frist"),
    ] {
        let (_dir, path) = folder(&[("odd.yaml", &FAILING.replacen(from, to, 1))]);
        let said = run(&path, &["run", "odd.yaml"]);
        let all = format!("{}{}", said.out, said.err);
        assert!(!said.succeeded && all.contains(named), "{from} → {to}: {all}");
        assert!(!all.contains("about to break"), "nothing may have started: {all}");
    }
}
