//! The stock Python client, end to end: a script per topic asserts what it reads back and prints it. Where the real
//! `mlflow server` is at hand, too, the same script says the same of both, but for ids and times.

use std::path::Path;

use tokio::process::Command;

use crate::{
    mlflow_database::real::{MlflowServer, python},
    program::{Server, folder},
};

/// What a script says of a server.
async fn said(python: &str, topic: &str, server: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/python/stock/{topic}.py"));
    let output = Command::new(python).arg(script).arg(server).output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{topic} of {server}:\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[expect(clippy::print_stdout, reason = "what was asserted is worth reading")]
async fn same_of_both(topic: &str) {
    let Some(python) = python() else { return };
    let (_dir, path) = folder(&[]);
    let server = Server::start(&path).await;
    let ours = said(&python, topic, &format!("http://{}", server.address("api"))).await;
    println!("{ours}");
    assert!(server.down(&path));
    let (_dir, path) = folder(&[]);
    let (store, artifacts) = (format!("sqlite:///{}/mlflow.db", path.display()), path.join("artifacts"));
    let flags = ["--backend-store-uri", &store, "--artifacts-destination", artifacts.to_str().unwrap()];
    let mlflow = MlflowServer::start_with(&python, &path, &flags).await;
    let theirs = said(&python, topic, &format!("http://{}", mlflow.address)).await;
    drop(mlflow);
    let different: Vec<_> = ours.lines().zip(theirs.lines()).filter(|(ours, theirs)| ours != theirs).collect();
    assert!(different.is_empty(), "said of Crosstie, and of MLflow: {different:#?}");
    assert_eq!(ours.lines().count(), theirs.lines().count());
}

#[tokio::test(flavor = "multi_thread")]
async fn autologging_logs_what_it_logs_to_mlflow() {
    same_of_both("autologging").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_registered_loaded_and_copied() {
    same_of_both("models").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_nested_searched_deleted_and_restored() {
    same_of_both("runs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_images_tables_and_system_metrics_come_back() {
    same_of_both("files").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_are_registered_models_that_searches_hide() {
    same_of_both("prompts").await;
}
