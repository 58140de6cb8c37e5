//! What operators do with a store: collect, verify, back up, restore; also with a kill in the middle.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use database::testing::PostgresDatabase;
use reqwest::Method;
use runtime::testing::eventually;
use serde_json::{Value, json};

use crate::program::{Said, Server, crosstie, experiment, folder, run};

/// Enough artifacts that a kill falls between two of them.
const MANY: usize = 300;

impl Server {
    /// Uploads a file through the artifact proxy.
    async fn upload(&self, path: &str, content: &str) {
        let url = format!("http://{}/api/2.0/mlflow-artifacts/artifacts/{path}", self.address("api"));
        let answer = reqwest::Client::new().put(url).body(content.to_owned()).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// A run with one file, and where its artifacts are in the store.
    async fn run_with_file(&self, experiment: &str, content: &str) -> (String, String) {
        let made = self.mlflow(Method::POST, "runs/create", json!({ "experiment_id": experiment, "start_time": 1 }));
        let info = made.await.unwrap()["run"]["info"].clone();
        let place = info["artifact_uri"].as_str().unwrap().strip_prefix("mlflow-artifacts:/").unwrap().to_owned();
        self.upload(&format!("{place}/model/MLmodel"), content).await;
        (info["run_id"].as_str().unwrap().to_owned(), place)
    }

    /// What the audit trail says was done to the registry.
    async fn actions(&self) -> Vec<String> {
        let url = format!("http://{}/crosstie/v1/audit?subject=registry", self.address("api"));
        let trail: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        let actions = trail["entries"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap());
        actions.map(str::to_owned).collect()
    }

    async fn register(&self, name: &str, run: &str) {
        let body = json!({ "name": name });
        self.mlflow(Method::POST, "registered-models/create", body).await.unwrap();
        let body = json!({ "name": name, "source": format!("runs:/{run}/model"), "run_id": run });
        self.mlflow(Method::POST, "model-versions/create", body).await.unwrap();
    }

    async fn search(&self, experiment: &str) -> Value {
        let body = json!({ "experiment_ids": [experiment], "run_view_type": "ALL", "max_results": 1000 });
        self.mlflow(Method::POST, "runs/search", body).await.unwrap()["runs"].clone()
    }
}

/// Every file below `folder`, by its path from there.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|below| Path::new(&entry.file_name()).join(below)));
        } else {
            found.insert(entry.file_name().into());
        }
    }
    found
}

/// Backs up and restores between two databases; `flags` name the first, `others` the second.
async fn comes_back(flags: &[&str], others: &[&str]) {
    let (_dir, path) = folder(&[]);
    let server = Server::start_with(&path, flags).await;
    let experiment = experiment(&server, "kept").await;
    let (id, _) = server.run_with_file(&experiment, "flavors").await;
    server.register("ranker", &id).await;
    let token = run(&path, &["token", "create", "ada", "--role", "editor", "--json"]);
    let token: Value = serde_json::from_str(&token.out).unwrap();
    let before = server.search(&experiment).await;
    let to = path.join("backup").display().to_string();
    let said = run(&path, &["backup", &to]);
    assert!(said.succeeded, "{said:?}");
    let again = run(&path, &["backup", &to]);
    assert!(!again.succeeded && again.err.contains("is not empty"), "{again:?}");
    let (later, _) = server.run_with_file(&experiment, "later").await;
    assert!(server.down(&path));

    let (_dir, second) = folder(&[]);
    let restore = [&["restore", to.as_str()], others].concat();
    let said = run(&second, &restore);
    assert!(said.succeeded, "{said:?}");
    let said = run(&second, &restore);
    assert!(!said.succeeded && said.err.contains("is not empty"), "{said:?}");
    let key = |folder: &Path| fs::read(folder.join(".crosstie/webhook-secret.key")).unwrap();
    assert_eq!(key(&second), key(&path), "or no secret of a webhook could be read");
    let mode = fs::metadata(second.join(".crosstie/webhook-secret.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let server = Server::start_with(&second, others).await;
    assert_eq!(server.search(&experiment).await, before);
    let missing = server.mlflow(Method::GET, "runs/get", json!({ "run_id": later })).await.unwrap_err();
    assert!(missing.contains("RESOURCE_DOES_NOT_EXIST"), "what came after the backup is not in it: {missing}");
    let url = format!("http://{}/get-artifact?run_id={id}&path=model/MLmodel", server.address("api"));
    assert_eq!(reqwest::get(url).await.unwrap().text().await.unwrap(), "flavors");
    // A token that was made before is known; the folder's owner has a new one.
    let who = crosstie(&second, &["verify"]).env("CROSSTIE_TOKEN", token["token"].as_str().unwrap()).output().unwrap();
    let who = Said::from(who);
    assert!(who.err.contains("ada is an editor"), "{who:?}");
    let said = run(&second, &["verify"]);
    assert!(said.succeeded && said.out.contains("everything is as it should be"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sqlite_store_comes_back_from_its_backup() {
    comes_back(&[], &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_store_comes_back_from_its_backup() {
    let (Some(first), Some(second)) = (PostgresDatabase::create().await, PostgresDatabase::create().await) else {
        return;
    };
    comes_back(&["--database", &first.uri()], &["--database", &second.uri()]).await;
    first.remove().await;
    second.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_keep_beside_the_store_comes_back_and_no_old_log_is_played_back() {
    let (_dir, path) = folder(&[]);
    let root = |path: &Path| format!("file://{}/beside", path.display());
    let server = Server::start_with(&path, &["--default-artifact-root", &root(&path)]).await;
    let experiment = experiment(&server, "kept").await;
    let made = server.mlflow(Method::POST, "runs/create", json!({ "experiment_id": experiment, "start_time": 1 }));
    let info = made.await.unwrap()["run"]["info"].clone();
    let place = info["artifact_uri"].as_str().unwrap().strip_prefix("file://").unwrap().to_owned();
    fs::create_dir_all(&place).unwrap();
    fs::write(Path::new(&place).join("theirs.txt"), "theirs").unwrap();
    let to = path.join("backup").display().to_string();
    let said = run(&path, &["backup", &to]);
    assert!(said.succeeded, "{said:?}");
    assert!(server.down(&path));

    let (_dir, second) = folder(&[]);
    let said = run(&second, &["restore", &to]);
    assert!(!said.succeeded && said.err.contains("--default-artifact-root"), "{said:?}");
    fs::create_dir_all(second.join(".crosstie")).unwrap();
    let log = second.join(".crosstie/crosstie.db-wal");
    fs::write(&log, "of a database that was moved away").unwrap();
    let beside = root(&second);
    let restore = ["restore", &to, "--default-artifact-root", &beside];
    let said = run(&second, &restore);
    assert!(!said.succeeded && said.err.contains("the database is not empty"), "{said:?}");
    fs::remove_file(log).unwrap();
    let said = run(&second, &restore);
    assert!(said.succeeded, "{said:?}");
    let below = Path::new(&place).strip_prefix(path.join("beside")).unwrap();
    let restored = fs::read_to_string(second.join("beside").join(below).join("theirs.txt"));
    assert_eq!(restored.unwrap(), "theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_was_changed_or_is_of_another_kind_is_refused() {
    let (_dir, path) = folder(&[]);
    let server = Server::start(&path).await;
    let experiment = experiment(&server, "kept").await;
    let (_, place) = server.run_with_file(&experiment, "flavors").await;
    let to = path.join("backup");
    let said = run(&path, &["backup", to.to_str().unwrap()]);
    assert!(said.succeeded, "{said:?}");
    let (_dir, second) = folder(&[]);
    let restore = ["restore", to.to_str().unwrap()];
    let other = run(&second, &[&restore[..], &["--database", "postgres://nobody@127.0.0.1:1/x"]].concat());
    assert!(!other.succeeded && other.err.contains("sqlite database"), "{other:?}");
    fs::write(to.join("artifacts").join(&place).join("model/MLmodel"), "flavorS").unwrap();
    let said = run(&second, &restore);
    assert!(!said.succeeded && said.err.contains("model/MLmodel was changed"), "{said:?}");
    assert!(files(&second.join(".crosstie/artifacts")).is_empty() && !second.join(".crosstie/crosstie.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_backup_leaves_none() {
    let (_dir, path) = folder(&[]);
    let server = Server::start(&path).await;
    let experiment = experiment(&server, "kept").await;
    let (_, place) = server.run_with_file(&experiment, "flavors").await;
    for number in 0..MANY {
        server.upload(&format!("{place}/{number}"), "content").await;
    }
    let to = path.join("backup");
    let mut backup = crosstie(&path, &["backup", to.to_str().unwrap()]).spawn().unwrap();
    eventually(Duration::from_secs(60), || async {
        if to.join("artifacts").exists() { Ok(()) } else { Err("nothing was copied yet") }
    })
    .await;
    server.kill();
    assert!(!backup.wait().unwrap().success());
    assert!(!to.join("manifest.json").exists() && files(&to).len() < MANY, "it was killed in the middle");
    let (_dir, second) = folder(&[]);
    let said = run(&second, &["restore", to.to_str().unwrap()]);
    assert!(!said.succeeded && said.err.contains("holds no whole backup"), "{said:?}");
    assert!(!second.join(".crosstie/crosstie.db").exists());
    // And the next one is whole.
    let server = Server::start(&path).await;
    let said = run(&path, &["backup", path.join("second").to_str().unwrap()]);
    assert!(said.succeeded, "{said:?}");
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_collection_leaves_no_run_without_its_files() {
    let (_dir, path) = folder(&[]);
    let server = Server::start(&path).await;
    let experiment = experiment(&server, "collected").await;
    let (kept, _) = server.run_with_file(&experiment, "kept").await;
    let mut places = Vec::new();
    for _ in 0..MANY {
        let (id, place) = server.run_with_file(&experiment, "gone").await;
        server.mlflow(Method::POST, "runs/delete", json!({ "run_id": id })).await.unwrap();
        places.push(place);
    }
    let artifacts = path.join(".crosstie/artifacts");
    let all = files(&artifacts).len();
    let mut gc = crosstie(&path, &["gc"]).spawn().unwrap();
    eventually(Duration::from_secs(60), || async {
        let left = files(&artifacts).len();
        if left < all { Ok(()) } else { Err(format!("{left} files")) }
    })
    .await;
    server.kill();
    gc.wait().unwrap();

    let server = Server::start(&path).await;
    for found in server.search(&experiment).await.as_array().unwrap() {
        let uri = found["info"]["artifact_uri"].as_str().unwrap().strip_prefix("mlflow-artifacts:/").unwrap();
        assert!(artifacts.join(uri).join("model/MLmodel").exists(), "a run without its files: {uri}");
    }
    assert_eq!(server.actions().await, ["registry.collecting"], "the one that was killed is on record");
    let said = run(&path, &["gc"]);
    assert!(said.succeeded, "{said:?}");
    let newest_first = ["registry.collect", "registry.collecting", "registry.collecting"];
    assert_eq!(server.actions().await, newest_first);
    let said = run(&path, &["gc", "--run-ids", "nobody"]);
    assert!(!said.succeeded, "{said:?}");
    assert_eq!(server.actions().await[..2], newest_first[..2], "it began, and has an end");
    assert_eq!(server.search(&experiment).await.as_array().unwrap().len(), 1);
    assert!(places.iter().all(|place| !artifacts.join(place).exists()), "the second collection finished the first");
    let url = format!("http://{}/get-artifact?run_id={kept}&path=model/MLmodel", server.address("api"));
    assert_eq!(reqwest::get(url).await.unwrap().text().await.unwrap(), "kept");
    let said = run(&path, &["verify"]);
    assert!(said.succeeded, "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_store_is_listed_and_fails_the_command() {
    let (_dir, path) = folder(&[]);
    let server = Server::start(&path).await;
    let experiment = experiment(&server, "kept").await;
    let (id, place) = server.run_with_file(&experiment, "flavors").await;
    server.register("ranker", &id).await;
    assert!(run(&path, &["verify"]).succeeded);
    let file = path.join(".crosstie/artifacts").join(&place).join("model/MLmodel");
    fs::write(&file, "flavorS").unwrap();
    let said = run(&path, &["verify", "--json"]);
    let found: Value = serde_json::from_str(&said.out).unwrap();
    assert!(!said.succeeded, "{said:?}");
    assert_eq!(found["problems"][0]["subject"], format!("{place}/model/MLmodel"), "{found}");
    fs::remove_file(&file).unwrap();
    let said = run(&path, &["verify"]);
    assert!(!said.succeeded && said.out.contains("ranker/1") && said.out.contains("its files are missing"), "{said:?}");
    // Whoever may not collect may not verify, which reads everything.
    let anonymous = reqwest::get(format!("http://{}/crosstie/v1/verify", server.address("api"))).await.unwrap();
    assert_eq!(anonymous.status(), 403);
}
