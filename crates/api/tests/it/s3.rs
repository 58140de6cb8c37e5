//! The stock client on a server whose artifacts are in S3, and what is recorded of what it did.

use std::{path::Path, sync::Arc};

use api::{
    auth::Gate,
    mlflow::{MlflowState, routes},
    routes::router,
};
use artifacts::{ArtifactPath, testing::S3Server};
use database::Database;
use runtime::{SystemClock, Tasks};
use tokio::net::TcpListener;

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "tests find their tools in the environment")]
async fn the_stock_client_speaks_in_parts_and_by_signed_addresses() {
    let Some(s3) = S3Server::start().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let uri = format!("sqlite:{}", folder.path().join("t.db").display());
    let db = Database::connect(&uri, &Tasks::new()).await.unwrap();
    let artifacts = s3.store("team/a").unwrap();
    let identity = identity::Service::new(db.clone(), Arc::new(SystemClock));
    identity.migrate().await.unwrap();
    let config = registry::Config::default();
    let registry = registry::Service::new(config, db, artifacts.clone(), Arc::new(SystemClock));
    registry.migrate().await.unwrap();
    let table = routes(&MlflowState { registry: registry.clone(), artifacts: artifacts.clone() });
    let router = router(table, &Gate::new(identity, true));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/mlflow_s3.py");
    let mut command = tokio::process::Command::new(std::env::var("CROSSTIE_TEST_MLFLOW_PYTHON").unwrap());
    command.arg(script).args([&server, s3.endpoint(), S3Server::BUCKET, "team/a"]).envs(s3.environment());
    let output = command.output().await.unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
    assert!(said(&output.stdout).contains("checks held with mlflow 3.17.2"));

    // What passed here is known by its digest, what went around is not, and what is deleted is forgotten.
    let records = registry.artifact_records(&ArtifactPath::root()).await.unwrap();
    let known = |end: &str| {
        let found: Vec<_> = records.iter().filter(|record| record.path.as_str().ends_with(end)).collect();
        found.iter().map(|record| record.digest).collect::<Vec<_>>()
    };
    assert_eq!(known("/small é.txt"), [Some(types::Digest::of("small"))]);
    assert_eq!(known("/kept.bin"), [None]);
    assert!(known("/MLmodel").iter().all(Option::is_some) && !known("/MLmodel").is_empty());
    assert!(known("/large.bin").is_empty(), "it was deleted");
    assert!(known("/broken.bin").is_empty(), "it was never completed");
    for record in &records {
        let stored = artifacts.digest(&record.path).await.unwrap();
        assert_eq!(stored.size, record.size, "{}", record.path);
        assert!(record.digest.is_none_or(|digest| digest == stored.digest), "{}", record.path);
    }
}
