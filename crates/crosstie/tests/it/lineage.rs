//! Lineage as its users meet it: a run from elsewhere that suffices, a workflow whose record is enough to make its
//! version again, and what is said when it is not.

mod example;
mod plain;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::program::{Said, Server, crosstie, folder, program, run, tool};
use example::Example;

/// A Python with the whole of MLflow, and one with what the example project needs.
const MLFLOW_PYTHON: &str = "CROSSTIE_TEST_MLFLOW_PYTHON";
const PYTHON: &str = "CROSSTIE_TEST_PYTHON";

fn succeeded(output: Output) -> Said {
    let said = Said::from(output);
    assert!(said.succeeded, "{said:?}");
    said
}

/// Commits everything that is not ignored.
fn commit(dir: &Path) {
    let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
    for arguments in [&["init", "--quiet"][..], &["add", "--all"], &["commit", "--quiet", "--message", "All"]] {
        let mut git = program("git");
        succeeded(git.current_dir(dir).args(identity).args(arguments).output().unwrap());
    }
}

/// The script of the documentation, as it stands there.
fn documented_script() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/lineage.md");
    let page = fs::read_to_string(page).unwrap();
    let script = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next());
    script.expect("docs/lineage.md has a script").to_owned()
}

#[tokio::test]
async fn the_documented_script_with_the_stock_client_alone_is_releasable() {
    let Some(python) = tool(MLFLOW_PYTHON) else { return };
    let clicks: String = (0..48).map(|row| format!("{},{}\n", row % 24, u8::from(row % 24 > 11))).collect();
    let (_dir, path) = folder(&[
        ("clicks.csv", &format!("hour,clicked\n{clicks}")),
        (".gitignore", ".crosstie/\n*.log\nready.json\n"),
    ]);
    commit(&path);
    fs::write(path.join("train.py"), documented_script()).unwrap();
    let server = Server::start(&path).await;
    let mut script = program(python);
    script.arg("train.py").current_dir(&path).env("MLFLOW_TRACKING_URI", format!("http://{}", server.address("api")));
    let said = succeeded(script.output().unwrap());
    assert!(said.out.contains("releasable: yes"), "{said:?}");

    let told = run(&path, &["lineage", "click-model/1"]);
    assert!(told.succeeded && told.out.contains("releasable: yes") && told.out.contains("clicks"), "{told:?}");
    let dot = run(&path, &["lineage", "click-model/1", "--dot"]);
    assert!(dot.out.contains("\"version:click-model/1\"") && dot.out.contains("dataset:clicks@"), "{dot:?}");
    accepted_by_graphviz(&dot.out);
    let readers = run(&path, &["lineage", "--dataset", "clicks"]);
    assert!(readers.out.contains("click-model/1") && readers.out.contains("live models: none"), "{readers:?}");
    // It says what else there would have to be for a second try.
    let again = crosstie(&path, &["reproduce", "click-model/1"]).output().unwrap();
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    assert!(String::from_utf8_lossy(&again.stderr).contains("workflow: the run was started by hand"), "{again:?}");
    assert!(server.down(&path));
}

/// Graphviz itself, where it is installed.
#[expect(clippy::print_stderr, reason = "a skip is printed")]
fn accepted_by_graphviz(dot: &str) {
    use std::io::Write as _;
    let mut command = Command::new("dot");
    command.arg("-Tsvg").stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("skipped: Graphviz' `dot` is not installed");
        return;
    };
    child.stdin.take().unwrap().write_all(dot.as_bytes()).unwrap();
    let drawn = succeeded(child.wait_with_output().unwrap());
    assert!(drawn.out.contains("<svg"), "{drawn:?}");
}

#[tokio::test]
async fn the_reference_projects_version_is_made_again_from_its_record() {
    let Some(python) = tool(PYTHON) else { return };
    let example = Example::start(&python).await;
    let trained = example.crosstie(&[
        "run",
        "workflows/train.yaml",
        "-p",
        "rounds=5",
        "-p",
        "evaluation-rows=500",
        "-p",
        "min-auc=0",
    ]);
    let said = Said::from(trained);
    assert!(said.succeeded && said.out.contains("releasable: yes"), "{said:?}");
    assert!(said.out.contains("uncommitted: 2 file(s) are kept with the run"), "{said:?}");

    let lineage = example.json(&["lineage", "click-ranker/1"]);
    assert_eq!(lineage["missing"], Value::Array(Vec::new()), "{lineage}");
    assert_eq!(lineage["git"]["dirty"], true);
    let names: Vec<&str> =
        lineage["datasets"].as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
    for name in ["data", "user_activity", "item_stats"] {
        assert!(names.contains(&name), "{names:?} has no {name}: it is recorded without a line of code");
    }
    let tag = example.tag_of(&lineage["run"]["id"], "crosstie.releasable").await;
    assert_eq!(tag, "yes");
    example.the_same_again();
    example.a_changed_byte_is_named_before_anything_runs();
    example.another_number_is_told(&lineage["run"]["id"]).await;
    assert_eq!(
        example.json(&["lineage", "--dataset", "data"])["versions"].as_array().unwrap().len(),
        1,
        "no other version"
    );
    example.down();
}
