//! What is not as it should be is found and named; what is, is not.

use database::{Database, params};
use registry::{Metric, RunBatch};

use crate::fixture::{Fixture, registry};

async fn execute(db: &Database, sql: &'static str) {
    db.write(async move |tx| tx.execute(sql, params![]).await).await.unwrap();
}

/// What `verify` says is wrong, as `what subject: problem`.
async fn problems(fixture: &Fixture) -> Vec<String> {
    let verified = fixture.registry.verify().await.unwrap();
    assert!(verified.references > 20, "{verified:?}");
    verified.problems.iter().map(|found| format!("{} {}: {}", found.what, found.subject, found.problem)).collect()
}

database::testing::on_both! {
    async fn rows_that_lost_what_they_refer_to_are_named(db: Database) {
        let fixture = registry(db.clone()).await;
        let run = fixture.run_in("clicks").await;
        let metric = Metric { key: "auc".to_owned(), value: 0.5, timestamp: 1, step: 0, model_id: None, dataset_name: None, dataset_digest: None, run_id: None };
        fixture.registry.log_batch(&run.info.id, RunBatch { metrics: vec![metric], ..RunBatch::default() }).await.unwrap();
        let path = artifacts::ArtifactPath::parse(&format!("{}/{}/artifacts/model/MLmodel", run.info.experiment_id, run.info.id)).unwrap();
        fixture.artifacts.put_bytes(&path, "flavors").await.unwrap();
        fixture.version_of("ranker", &run).await;
        fixture.registry.set_alias(&crate::fixture::editor(), "ranker", "champion", "1").await.unwrap();
        assert_eq!(problems(&fixture).await, Vec::<String>::new());

        // What neither database keeps from happening.
        execute(&db, "DELETE FROM metrics").await;
        execute(&db, "UPDATE registered_model_aliases SET version = 9").await;
        execute(&db, "UPDATE model_versions SET run_id = 'gone'").await;
        execute(&db, "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id, step)
            VALUES ('i', 'DATASET', 'no-dataset', 'RUN', 'no-run', 0)").await;
        execute(&db, "INSERT INTO input_tags (input_uuid, name, value) VALUES ('no-input', 'n', 'v')").await;
        fixture.artifacts.delete_prefix(&path).await.unwrap();
        let mut expected = vec![
            format!("latest metric {} auc: it has no history", run.info.id),
            "dataset input no-run: its run is missing".to_owned(),
            "dataset input no-run: its dataset is missing".to_owned(),
            "input tags no-input: their input is missing".to_owned(),
            "model version ranker/1: the run that made it is missing".to_owned(),
            "alias ranker@champion: its version is missing or deleted".to_owned(),
            format!("model version ranker/1: its files are missing: nothing lies at {}/model", run.info.artifact_uri),
        ];
        let mut found = problems(&fixture).await;
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    async fn a_version_whose_run_was_deleted_for_good_is_named(db: Database) {
        let fixture = registry(db.clone()).await;
        let run = fixture.run_in("clicks").await;
        let new = registry::NewVersion { name: "ranker".to_owned(), source: format!("runs:/{}/model", run.info.id), ..registry::NewVersion::default() };
        fixture.registry.create_model("ranker", None, Vec::new()).await.unwrap();
        fixture.registry.create_version(&crate::fixture::editor(), new).await.unwrap();
        // As `mlflow gc` does it, which asks no version.
        for sql in ["DELETE FROM tags", "DELETE FROM runs"] {
            execute(&db, sql).await;
        }
        let found = problems(&fixture).await;
        assert!(found.iter().any(|found| found.starts_with("model version ranker/1: what it was made from is missing")), "{found:?}");
    }
}
