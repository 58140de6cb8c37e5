//! The reference project with a small world, in a repository with changes that nobody committed, and a server on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{commit, succeeded};
use crate::program::{Said, Server, crosstie};

pub(super) struct Example {
    python: PathBuf,
    dir: PathBuf,
    server: Server,
    _folder: TempDir,
}

impl Example {
    pub(super) async fn start(python: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().canonicalize().unwrap().join("click-ranker");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/click-ranker"), &dir);
        fs::write(dir.join(".gitignore"), "data/\nstate/\nready.json\ntest.log\n").unwrap();
        commit(&dir);
        let mut script = fs::read_to_string(dir.join("steps/train.py")).unwrap();
        script.push_str("\n# Nobody committed this.\n");
        fs::write(dir.join("steps/train.py"), script).unwrap();
        fs::write(dir.join("steps/new.py"), "ANSWER = 42\n").unwrap();
        let small = ["--customers", "4", "--users", "300", "--items", "60", "--impressions", "9000", "--days", "9"];
        let mut generate = Command::new(python);
        succeeded(generate.arg("generate.py").args(small).current_dir(&dir).output().unwrap());
        let server = Server::start(&dir).await;
        Self { python: python.to_owned(), dir, server, _folder: folder }
    }

    /// A command in the project's environment.
    pub(super) fn crosstie(&self, arguments: &[&str]) -> Output {
        let venv = self.python.parent().and_then(Path::parent).unwrap();
        crosstie(&self.dir, arguments).env("VIRTUAL_ENV", venv).output().unwrap()
    }

    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        let said = succeeded(self.crosstie(&[arguments, &["--json"]].concat()));
        serde_json::from_str(&said.out).unwrap()
    }

    pub(super) async fn tag_of(&self, run: &Value, key: &str) -> String {
        let got = self.server.mlflow(Method::GET, "runs/get", json!({ "run_id": run })).await.unwrap();
        let tags = got["run"]["data"]["tags"].as_array().unwrap();
        let tag = tags.iter().find(|tag| tag["key"] == key).unwrap_or_else(|| panic!("no {key} in {tags:?}"));
        tag["value"].as_str().unwrap().to_owned()
    }

    /// Every metric, bit by bit, and nothing is left.
    pub(super) fn the_same_again(&self) {
        let compared = self.json(&["reproduce", "click-ranker/1"]);
        assert_eq!(compared["same"], true, "{compared}");
        let metrics = compared["metrics"].as_array().unwrap();
        assert!(metrics.iter().any(|metric| metric["name"] == "auc"), "{compared}");
        assert!(metrics.iter().all(|metric| metric["outcome"] == "exact"), "{compared}");
        assert!(compared["data"]["files"].as_u64() > Some(20), "{compared}");
        assert_eq!(compared["environment"]["differences"], json!([]), "{compared}");
        let left = fs::read_dir(self.dir.join(".crosstie/reproductions")).unwrap().count();
        assert_eq!(left, 0, "the folder goes when all is the same");
    }

    pub(super) fn a_changed_byte_is_named_before_anything_runs(&self) {
        let days = fs::read_dir(self.dir.join("data/item_stats")).unwrap();
        let mut days: Vec<PathBuf> = days.map(|entry| entry.unwrap().path()).collect();
        days.sort();
        let before = fs::read(&days[3]).unwrap();
        let mut after = before.clone();
        let middle = after.len() / 2;
        after[middle] ^= 1;
        fs::write(&days[3], after).unwrap();
        let output = self.crosstie(&["reproduce", "click-ranker/1"]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = Said::from(output);
        let name = days[3].strip_prefix(&self.dir).unwrap().display().to_string();
        assert!(said.err.contains(&format!("{name} differs: ")), "{said:?}");
        assert_eq!(said.err.matches(" differs: ").count(), 1, "{said:?}");
        assert!(said.err.contains("nothing was run") && !said.out.contains("started"), "{said:?}");
        fs::write(&days[3], before).unwrap();
    }

    /// As if the record said another number than the run can make.
    pub(super) async fn another_number_is_told(&self, run: &Value) {
        let metric =
            json!({ "run_id": run, "key": "auc", "value": 0.987, "timestamp": 9_999_999_999_999_i64, "step": 1 });
        self.server.mlflow(Method::POST, "runs/log-metric", metric).await.unwrap();
        let output = self.crosstie(&["reproduce", "click-ranker/1"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = Said::from(output);
        assert!(said.out.contains("DIFFERENT") && said.out.contains("0.987"), "{said:?}");
        assert!(said.out.contains("NOT reproduced: 1 of"), "{said:?}");
    }

    pub(super) fn down(self) {
        assert!(self.server.down(&self.dir));
    }
}

/// The files of the example, without what was generated there.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if ["data", "state", ".crosstie", "__pycache__"].iter().any(|skipped| name == *skipped) {
            continue;
        }
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(name));
        } else {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}
