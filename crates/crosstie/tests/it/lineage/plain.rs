//! A project without a repository whose one step needs nothing but Python, in a virtual environment with nothing in it:
//! what a rebuilt environment can be tried with where no package index is.

use std::process::Command;

use serde_json::Value;

use super::succeeded;
use crate::program::{Said, Server, crosstie, folder, skip};

/// Speaks MLflow's REST API by hand, and sets the tags that a stock client would take from its environment.
const WORKFLOW: &str = r#"apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: { generateName: plain- }
spec:
  entrypoint: main
  arguments:
    parameters: [{ name: data, value: data }]
  templates:
    - name: main
      dag:
        tasks: [{ name: mean, template: mean }]
    - name: mean
      script:
        image: python:3.11
        command: [python3]
        source: |
          import json, os, urllib.request

          def call(path, **body):
              headers = {"content-type": "application/json"}
              if os.environ.get("MLFLOW_TRACKING_TOKEN"):
                  headers["authorization"] = "Bearer " + os.environ["MLFLOW_TRACKING_TOKEN"]
              url = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/" + path
              request = urllib.request.Request(url, json.dumps(body).encode(), headers)
              return json.load(urllib.request.urlopen(request))

          assert os.environ["MLFLOW_REGISTRY_URI"] == os.environ["MLFLOW_TRACKING_URI"]
          assert "MLFLOW_RUN_ID" not in os.environ, "a run of somebody else's"
          context = json.loads(os.environ["MLFLOW_RUN_CONTEXT"])
          tags = [{"key": key, "value": value} for key, value in context.items()]
          run = call("runs/create", experiment_id="0", tags=tags)["run"]["info"]
          numbers = [float(line) for line in open("{{workflow.parameters.data}}/numbers.txt")]
          mean = sum(numbers) / len(numbers)
          call("runs/log-metric", run_id=run["run_id"], key="mean", value=mean, timestamp=1)
          call("registered-models/create", name="plain")
          source = run["artifact_uri"] + "/model"
          call("model-versions/create", name="plain", source=source, run_id=run["run_id"])
          call("runs/update", run_id=run["run_id"], status="FINISHED")
"#;

#[tokio::test]
async fn a_folder_without_a_repository_is_made_again_in_a_rebuilt_environment() {
    let (dir, path) = folder(&[
        ("crosstie.yaml", "version: 1\n"),
        ("plain.yaml", WORKFLOW),
        ("data/numbers.txt", "1\n2\n4.5\n"),
        (".gitignore", "data/\ntest.log\nready.json\n"),
    ]);
    let venvs = tempfile::tempdir().unwrap();
    let venv = venvs.path().join("venv");
    let made = Command::new("python3").args(["-m", "venv"]).arg(&venv).output();
    if !made.is_ok_and(|made| made.status.success()) {
        return skip("`python3 -m venv` makes no virtual environment here");
    }
    let crosstie = |arguments: &[&str]| crosstie(&path, arguments).env("VIRTUAL_ENV", &venv).output().unwrap();
    let server = Server::start(&path).await;
    let said = succeeded(crosstie(&["run", "plain.yaml"]));
    assert!(said.out.contains("releasable: yes") && said.out.contains("data: 1 file(s)"), "{said:?}");

    // A shell in which a server of the team's is started: nothing of it is touched.
    let theirs = venvs.path().join("theirs.db");
    let mut again = crate::program::crosstie(&path, &["reproduce", "plain/1", "--environment", "rebuild", "--json"]);
    again.env("VIRTUAL_ENV", &venv).env("MLFLOW_BACKEND_STORE_URI", format!("sqlite:///{}", theirs.display()));
    for (variable, value) in [
        ("MLFLOW_ARTIFACTS_DESTINATION", venvs.path().join("theirs").to_str().unwrap()),
        ("MLFLOW_DEFAULT_ARTIFACT_ROOT", "s3://theirs/runs"),
        ("MLFLOW_HOST", "0.0.0.0"),
        ("MLFLOW_REGISTRY_URI", "http://127.0.0.1:1"),
        ("MLFLOW_RUN_ID", "0123456789abcdef0123456789abcdef"),
    ] {
        again.env(variable, value);
    }
    let again = succeeded(again.output().unwrap());
    assert!(!theirs.exists() && !venvs.path().join("theirs").exists());
    let again: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(again["same"], true, "{again}");
    assert_eq!(again["metrics"][0]["outcome"], "exact", "{again}");
    let how = again["environment"]["how"].as_str().unwrap();
    assert_eq!(how, "rebuilt from the lock file, equal to the recorded one");

    std::fs::remove_file(path.join("data/numbers.txt")).unwrap();
    let output = crosstie(&["reproduce", "plain/1"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(Said::from(output).err.contains("data/numbers.txt is not there"));
    assert!(server.down(&path));
    drop(dir);
}
