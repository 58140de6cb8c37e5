//! One scenario of calls, good and bad, replayed against this server and the real `mlflow server`, which must answer alike:
//! what differs stands in a table with its reason, and what stands there must differ.

use std::path::Path;

use tokio::process::Command;

use crate::{
    mlflow_database::real::{MlflowServer, python},
    program::{Server, folder},
};

/// On SQLite, as the real server: what a database holds against a value that is too long is each database's own.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "how many calls agreed is worth reading")]
async fn the_same_calls_are_answered_as_the_real_server_answers_them() {
    let Some(python) = python() else { return };
    let ((_ours, ours), (_theirs, theirs)) = (folder(&[]), folder(&[]));
    let (store, artifacts) = (format!("sqlite:///{}/mlflow.db", theirs.display()), theirs.join("artifacts"));
    let flags = ["--backend-store-uri", &store, "--artifacts-destination", artifacts.to_str().unwrap()];
    let (server, mlflow) = tokio::join!(Server::start(&ours), MlflowServer::start_with(&python, &theirs, &flags));
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/parity");
    let urls = [server.address("api"), mlflow.address.clone()].map(|address| format!("http://{address}"));
    let output = Command::new(&python).arg("-B").arg(scenario).args(urls).output().await.unwrap();
    drop(mlflow);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(server.down(&ours));
}
