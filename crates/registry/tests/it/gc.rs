//! Collecting: what goes, what stays, and what a kill in between leaves.

use std::sync::Arc;

use artifacts::ArtifactPath;
use async_trait::async_trait;
use database::{Database, params};
use registry::{
    Collected, Collection, Governance, Metric, Mutation, NewLoggedModel, NewVersion, Refusal, Run, RunBatch,
};
use types::{Duration, ModelVersion, Principal};

use crate::fixture::{Fixture, editor, registry};

/// Releases that pin a version.
#[derive(Debug)]
struct Pins(&'static str);

#[async_trait]
impl Governance for Pins {
    async fn check(&self, _: &Principal, _: &Mutation) -> Result<(), Refusal> {
        Ok(())
    }

    async fn pinned(&self) -> Result<Vec<ModelVersion>, Refusal> {
        Ok(vec![ModelVersion::parse(self.0).unwrap()])
    }
}

fn folder(run: &Run) -> ArtifactPath {
    ArtifactPath::parse(run.info.artifact_uri.strip_prefix("mlflow-artifacts:/").unwrap()).unwrap()
}

impl Fixture {
    /// A run with everything on it, and two files.
    async fn full_run(&self, experiment: &str) -> Run {
        let run = self.run_in(experiment).await;
        let metric = Metric {
            key: "auc".to_owned(),
            value: 0.5,
            timestamp: 1,
            step: 0,
            model_id: None,
            dataset_name: None,
            dataset_digest: None,
            run_id: None,
        };
        let batch = RunBatch {
            metrics: vec![metric],
            params: vec![registry::KeyValue::new("depth", "3")],
            tags: vec![registry::KeyValue::new("team", "ranking")],
        };
        self.registry.log_batch(&run.info.id, batch).await.unwrap();
        for (name, text) in [("a.txt", "four"), ("model/MLmodel", "flavors")] {
            self.artifacts.put_bytes(&folder(&run).join(name).unwrap(), text).await.unwrap();
        }
        run
    }

    async fn has_files(&self, run: &Run) -> bool {
        !self.artifacts.walk(&folder(run)).await.unwrap().is_empty()
    }
}

/// Rows of a run in every table that has any.
async fn rows_of(db: &Database, run: &Run) -> i64 {
    let id = run.info.id.clone();
    db.read(async move |tx| {
        let mut count = 0;
        for table in ["runs", "metrics", "latest_metrics", "params", "tags"] {
            let sql = format!("SELECT COUNT(*) AS n FROM {table} WHERE run_uuid = $1");
            count += tx.row(&sql, params![&id]).await?.map_or(Ok(0), |row| row.get::<i64>("n"))?;
        }
        Ok::<_, database::Error>(count)
    })
    .await
    .unwrap()
}

async fn work(db: &Database) -> i64 {
    let sql = "SELECT COUNT(*) AS n FROM crosstie_gc_work";
    db.read(async move |tx| tx.row(sql, params![]).await?.map_or(Ok(0), |row| row.get("n"))).await.unwrap()
}

database::testing::on_both! {
    async fn deleted_runs_go_with_their_files_and_others_stay(db: Database) {
        let fixture = registry(db.clone()).await;
        let (gone, stays) = (fixture.full_run("a").await, fixture.full_run("b").await);
        fixture.registry.delete_run(&gone.info.id).await.unwrap();
        let dry = fixture.registry.collect(Collection { dry_run: true, ..Collection::default() }).await.unwrap();
        assert_eq!((dry.runs.as_slice(), dry.files, dry.bytes, dry.dry_run), ([gone.info.id.clone()].as_slice(), 2, 11, true));
        assert!(fixture.has_files(&gone).await && rows_of(&db, &gone).await > 5);

        let old = Collection { older_than: Some(Duration::parse("30d").unwrap()), ..Collection::default() };
        assert!(fixture.registry.collect(old).await.unwrap().runs.is_empty(), "it was deleted just now");

        let done = fixture.registry.collect(Collection::default()).await.unwrap();
        assert_eq!((done.runs.as_slice(), done.files, done.bytes, done.dry_run), ([gone.info.id.clone()].as_slice(), 2, 11, false));
        assert!(!fixture.has_files(&gone).await);
        assert_eq!((rows_of(&db, &gone).await, work(&db).await), (0, 0));
        assert!(fixture.has_files(&stays).await && rows_of(&db, &stays).await > 5);
        assert_eq!(fixture.registry.collect(Collection::default()).await.unwrap(), registry::Collected::default());
    }

    async fn what_a_version_was_made_from_stays(db: Database) {
        let fixture = registry(db.clone()).await;
        let run = fixture.full_run("a").await;
        let version = fixture.version_of("ranker", &run).await;
        let by_place = fixture.full_run("b").await;
        let new = NewVersion {
            name: "ranker".to_owned(),
            source: format!("runs:/{}/model", by_place.info.id),
            ..NewVersion::default()
        };
        fixture.registry.create_version(&editor(), new).await.unwrap();
        for run in [&run, &by_place] {
            fixture.registry.delete_run(&run.info.id).await.unwrap();
        }
        let done = fixture.registry.collect(Collection::default()).await.unwrap();
        assert!(done.runs.is_empty() && done.kept.len() == 2, "{done:?}");
        assert!(done.kept.iter().all(|kept| kept.because.contains("ranker/")), "{done:?}");
        assert!(fixture.has_files(&run).await && fixture.has_files(&by_place).await);
        // Once the version is deleted nothing needs its run.
        fixture.registry.delete_version(&editor(), "ranker", &version.version.to_string()).await.unwrap();
        assert_eq!(fixture.registry.collect(Collection::default()).await.unwrap().runs, [run.info.id]);
    }

    async fn nothing_goes_while_a_pinned_version_is_missing(db: Database) {
        let fixture = registry(db.clone()).await;
        let run = fixture.full_run("a").await;
        fixture.registry.delete_run(&run.info.id).await.unwrap();
        let guarded = fixture.registry.clone().with_governance(Arc::new(Pins("ranker/7")));
        let refused = guarded.collect(Collection::default()).await.unwrap_err().to_string();
        assert!(refused.contains("ranker/7"), "{refused}");
        assert!(fixture.has_files(&run).await && rows_of(&db, &run).await > 5);
    }

    async fn a_deleted_experiment_goes_with_all_in_it(db: Database) {
        let fixture = registry(db.clone()).await;
        let run = fixture.full_run("a").await;
        let experiment = run.info.experiment_id.to_string();
        let new = NewLoggedModel { experiment_id: experiment.clone(), source_run_id: Some(run.info.id.clone()), params: vec![registry::KeyValue::new("p", "1")], ..NewLoggedModel::default() };
        let model = fixture.registry.create_logged_model(new).await.unwrap();
        fixture.registry.delete_experiment(&experiment).await.unwrap();
        let done = fixture.registry.collect(Collection::default()).await.unwrap();
        assert_eq!((done.experiments, done.runs, done.logged_models), (vec![experiment.clone()], vec![run.info.id.clone()], vec![model.id.clone()]));
        fixture.registry.experiment(&experiment).await.unwrap_err();
        fixture.registry.logged_model(&model.id, true).await.unwrap_err();
        assert!(!fixture.has_files(&run).await);
        // A name that was taken by the deleted one is free again.
        fixture.run_in("a").await;
    }

    async fn what_went_is_told_when_a_later_piece_fails(db: Database) {
        let fixture = registry(db.clone()).await;
        let (run, other) = (fixture.full_run("a").await, fixture.run_in("b").await);
        let experiment_id = other.info.experiment_id.to_string();
        let new = NewLoggedModel { experiment_id, ..NewLoggedModel::default() };
        let model = fixture.registry.create_logged_model(new).await.unwrap();
        fixture.registry.delete_run(&run.info.id).await.unwrap();
        fixture.registry.delete_logged_model(&model.id).await.unwrap();
        db.write(async |tx| tx.execute("DROP TABLE logged_model_tags", params![]).await).await.unwrap();

        let mut collected = Collected::default();
        fixture.registry.collect_into(Collection::default(), &mut collected).await.unwrap_err();
        assert_eq!((collected.runs.as_slice(), collected.logged_models.len()), ([run.info.id.clone()].as_slice(), 0));
        assert_eq!((rows_of(&db, &run).await, work(&db).await), (0, 1), "its files go with the next collection");
    }

    async fn more_than_one_piece_goes(db: Database) {
        let fixture = registry(db.clone()).await;
        let experiment_id = fixture.run_in("a").await.info.experiment_id.to_string();
        for _ in 0..101 {
            let new = NewLoggedModel { experiment_id: experiment_id.clone(), ..NewLoggedModel::default() };
            fixture.registry.create_logged_model(new).await.unwrap();
        }
        fixture.registry.delete_experiment(&experiment_id).await.unwrap();
        let done = fixture.registry.collect(Collection::default()).await.unwrap();
        assert_eq!((done.runs.len(), done.logged_models.len(), done.experiments.len()), (1, 101, 1));
        assert!(done.kept.is_empty(), "{done:?}");
    }

    async fn what_is_named_must_be_deleted_and_old_enough(db: Database) {
        let fixture = registry(db.clone()).await;
        let run = fixture.full_run("a").await;
        let named = |older_than: Option<&str>| Collection {
            run_ids: Some(vec![run.info.id.clone()]),
            older_than: older_than.map(|age| Duration::parse(age).unwrap()),
            ..Collection::default()
        };
        let refused = fixture.registry.collect(named(None)).await.unwrap_err().to_string();
        assert!(refused.contains("is not deleted"), "{refused}");
        fixture.registry.delete_run(&run.info.id).await.unwrap();
        let refused = fixture.registry.collect(named(Some("30d"))).await.unwrap_err().to_string();
        assert!(refused.contains("not older"), "{refused}");
        let missing = Collection { experiment_ids: Some(vec!["77".to_owned()]), ..Collection::default() };
        fixture.registry.collect(missing).await.unwrap_err();
        assert_eq!(fixture.registry.collect(named(None)).await.unwrap().runs, std::slice::from_ref(&run.info.id));
    }

    async fn an_experiment_with_traces_is_left_to_mlflow(db: Database) {
        let fixture = registry(db.clone()).await;
        let run = fixture.full_run("a").await;
        let id = run.info.experiment_id;
        let insert = "INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, status) VALUES ('t', $1, 1, 'OK')";
        db.write(async move |tx| tx.execute(insert, params![id]).await).await.unwrap();
        fixture.registry.delete_experiment(&id.to_string()).await.unwrap();
        let done = fixture.registry.collect(Collection::default()).await.unwrap();
        assert!(done.experiments.is_empty() && done.kept[0].because.contains("mlflow gc"), "{done:?}");
        assert_eq!(done.runs, [run.info.id]);
    }

    async fn files_that_a_killed_collection_left_go_with_the_next(db: Database) {
        let fixture = registry(db.clone()).await;
        let run = fixture.full_run("a").await;
        // As a process leaves it that was killed after the transaction and before the first file.
        let place = folder(&run).as_str().strip_suffix("/artifacts").unwrap().to_owned();
        let insert = "INSERT INTO crosstie_gc_work (path, added_at) VALUES ($1, 1)";
        db.write(async move |tx| tx.execute(insert, params![&place]).await).await.unwrap();
        let done = fixture.registry.collect(Collection::default()).await.unwrap();
        assert_eq!((done.files, work(&db).await), (2, 0));
        assert!(!fixture.has_files(&run).await);
    }
}
