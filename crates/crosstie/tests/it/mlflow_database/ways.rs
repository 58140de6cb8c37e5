//! Both ways, with everything that a store can hold.

use serde_json::Value;

use super::{
    Place, WEBHOOK_KEY,
    real::{self, MlflowServer, fill, python, read},
};
use crate::program::Server;

/// Fails with the first places where two servers answer differently.
fn assert_same(what: &str, ours: &Value, theirs: &Value) {
    let mut differences = Vec::new();
    differ(String::new(), ours, theirs, &mut differences);
    assert!(
        differences.is_empty(),
        "{what}: {} differences:\n{}",
        differences.len(),
        differences[..differences.len().min(20)].join("\n")
    );
}

fn differ(place: String, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<_> = a.keys().chain(b.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let (a, b) = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                differ(format!("{place}/{key}"), a, b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differ(format!("{place}/{index}"), a, b, found);
            }
        }
        (ours, theirs) if ours != theirs => found.push(format!("{place}: crosstie says {ours}, mlflow says {theirs}")),
        _ => {}
    }
}

/// Enough of everything that an empty comparison cannot pass.
fn assert_full(answer: &Value, times: usize) {
    let count = |what: &str| answer[what].as_array().map_or(0, Vec::len);
    let counts = ["experiments", "runs", "models", "prompts", "webhooks", "logged models"].map(count);
    assert_eq!(counts, [1 + 3 * times, 5 * times, 2 * times, times, 2 * times, 3 * times]);
}

async fn crosstie(place: &Place) -> Server {
    let flags = place.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let key = [("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", WEBHOOK_KEY)];
    Server::start_in(&place.folder, &flags, &key).await
}

async fn both_ways(python: &str, place: &Place) {
    let mlflow = MlflowServer::start(python, place).await;
    fill(python, &mlflow.address, "theirs");
    let theirs = read(python, &mlflow.address);
    assert_full(&theirs, 1);
    drop(mlflow);

    let server = crosstie(place).await;
    assert_same("what MLflow wrote", &read(python, &server.address("api")), &theirs);
    fill(python, &server.address("api"), "ours");
    let ours = read(python, &server.address("api"));
    assert_full(&ours, 2);
    assert!(server.down(&place.folder));

    let mlflow = MlflowServer::start(python, place).await;
    assert_same("what Crosstie wrote", &ours, &read(python, &mlflow.address));
    fill(python, &mlflow.address, "again");
    let again = read(python, &mlflow.address);
    assert_full(&again, 3);
    drop(mlflow);

    let server = crosstie(place).await;
    assert_same("what MLflow wrote after us", &read(python, &server.address("api")), &again);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_nothing_is_lost_either_way() {
    let Some(python) = python() else { return };
    both_ways(&python, &Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_nothing_is_lost_either_way() {
    let Some(python) = python() else { return };
    let Some(place) = Place::postgres().await else { return };
    both_ways(&python, &place).await;
    place.remove().await;
}
/// A store of `mlflow server --no-serve-artifacts`: runs keep their artifacts in a folder by its path, which clients use.
#[tokio::test(flavor = "multi_thread")]
async fn artifacts_in_a_folder_by_its_path_are_found() {
    let Some(python) = python() else { return };
    let place = Place::sqlite();
    let (uri, root) = (place.uri(), place.folder.join("mlruns").display().to_string());
    let flags = ["--backend-store-uri", &uri, "--no-serve-artifacts", "--default-artifact-root", &root];
    let mlflow = MlflowServer::start_with(&python, &place.folder, &flags).await;
    let made = real::run(&python, &["-c", LOG, &format!("http://{}", mlflow.address)]);
    let (run, uri) = made.trim().split_once(' ').unwrap();
    assert!(uri.starts_with(&root), "{uri}");
    drop(mlflow);

    let server =
        Server::start_in(&place.folder, &[&flags[..], &["--artifacts-destination", &root]].concat(), &[]).await;
    let listed =
        server.mlflow(reqwest::Method::GET, "artifacts/list", serde_json::json!({ "run_id": run })).await.unwrap();
    assert_eq!(listed["files"][0]["path"], "notes.txt", "{listed}");
    let url = format!("http://{}/get-artifact?run_id={run}&path=notes.txt", server.address("api"));
    assert_eq!(reqwest::get(url).await.unwrap().text().await.unwrap(), "kept");
    // New runs go where MLflow's would.
    let made = real::run(&python, &["-c", LOG, &format!("http://{}", server.address("api"))]);
    assert!(made.trim().split_once(' ').unwrap().1.starts_with(&root), "{made}");
}

const LOG: &str = "
import sys
from mlflow import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1])
found = client.get_experiment_by_name('local')
id = found.experiment_id if found else client.create_experiment('local')
run = client.create_run(id)
client.log_text(run.info.run_id, 'kept', 'notes.txt')
print(run.info.run_id, run.info.artifact_uri)
";
