//! What charts and the run table's filter are drawn from: histories of several runs, datasets of experiments, and whether
//! there is what this version does not read.

use database::{Database, params};
use registry::{
    BulkHistoryRequest, Dataset, DatasetInput, DatasetSummary, KeyValue, Metric, RunBatch, SampledHistoryRequest,
    Service, Unread,
};

use crate::fixture::registry;

async fn log(registry: &Service, run: &str, points: impl Iterator<Item = (i64, i64, f64)>) {
    let metrics = points.map(|(step, timestamp, value)| Metric {
        key: "loss".to_owned(),
        value,
        timestamp,
        step,
        model_id: None,
        dataset_name: None,
        dataset_digest: None,
        run_id: None,
    });
    let batch = RunBatch { metrics: metrics.collect(), ..RunBatch::default() };
    registry.log_batch(run, batch).await.unwrap();
}

/// Run (by its place in `runs`), step and value of each point.
fn told(points: &[Metric], runs: &[&str]) -> Vec<(usize, i64, f64)> {
    let place = |metric: &Metric| runs.iter().position(|run| metric.run_id.as_deref() == Some(run)).unwrap();
    points.iter().map(|metric| (place(metric), metric.step, metric.value)).collect()
}

fn input(name: &str, context: Option<&str>) -> DatasetInput {
    let dataset = Dataset {
        name: name.to_owned(),
        digest: format!("of {name}"),
        source_type: "local".to_owned(),
        source: "{}".to_owned(),
        schema: None,
        profile: None,
    };
    let tags = context.into_iter().map(|context| KeyValue::new("mlflow.data.context", context)).collect();
    DatasetInput { dataset, tags }
}

database::testing::on_both! {
    async fn histories_of_runs_come_by_run_and_whole_up_to_a_limit(db: Database) {
        let fixture = registry(db).await;
        let (one, two) = (fixture.run_in("one").await.info.id, fixture.run_in("two").await.info.id);
        let mut runs = [one.as_str(), two.as_str()];
        runs.sort_unstable();
        for run in runs {
            log(&fixture.registry, run, [(3, 1, 11.0), (3, 1, 12.0), (2, 1, 10.0), (3, 2, 12.0)].into_iter()).await;
        }
        let request = BulkHistoryRequest {
            run_ids: vec![two.clone(), one.clone(), "nobody's".to_owned()],
            key: "loss".to_owned(),
            max_results: 100,
        };
        let all = fixture.registry.bulk_metric_history(request.clone()).await.unwrap();
        let of = |run| [(run, 2, 10.0), (run, 3, 11.0), (run, 3, 12.0), (run, 3, 12.0)];
        assert_eq!(told(&all, &runs), [of(0), of(1)].concat());
        let some = fixture.registry.bulk_metric_history(BulkHistoryRequest { max_results: 5, ..request.clone() }).await.unwrap();
        assert_eq!(some[..], all[..5]);
        let none = BulkHistoryRequest { key: "gain".to_owned(), ..request };
        assert_eq!(fixture.registry.bulk_metric_history(none).await.unwrap(), []);
    }

    async fn long_histories_are_thinned_at_the_same_steps_in_every_run(db: Database) {
        let fixture = registry(db).await;
        let (long, short) = (fixture.run_in("long").await.info.id, fixture.run_in("short").await.info.id);
        let runs = [long.as_str(), short.as_str()];
        for thousand in 0..2 {
            log(&fixture.registry, &long, (thousand * 1_000..(thousand + 1) * 1_000).map(|step| (step, step, 0.5))).await;
        }
        log(&fixture.registry, &short, (0..7).map(|step| (step, step, f64::NAN))).await;
        let request = |steps, max_steps| SampledHistoryRequest {
            run_ids: runs.iter().map(ToString::to_string).collect(),
            key: "loss".to_owned(),
            max_steps,
            steps,
        };
        let thinned = fixture.registry.sampled_metric_history(request(None, 4)).await.unwrap();
        let steps: Vec<_> = told(&thinned, &runs).iter().map(|(run, step, _)| (*run, *step)).collect();
        assert_eq!(steps, [(0, 0), (0, 6), (0, 500), (0, 1_000), (0, 1_500), (0, 1_999), (1, 0), (1, 6)]);
        assert!(thinned.last().unwrap().value.is_nan());
        let part = fixture.registry.sampled_metric_history(request(Some((3, 5)), 4)).await.unwrap();
        assert_eq!(part.iter().map(|metric| metric.step).collect::<Vec<_>>(), [3, 4, 5, 3, 4, 5]);
        let many = fixture.registry.sampled_metric_history(request(None, 2_500)).await.unwrap();
        assert_eq!(many.len(), 2_007, "more steps than one statement asks for");
        let backwards = fixture.registry.sampled_metric_history(request(Some((5, 3)), 4)).await.unwrap_err();
        assert!(backwards.to_string().starts_with("end_step must be greater than start_step."), "{backwards}");
    }

    async fn datasets_of_experiments_are_listed_once_per_context(db: Database) {
        let fixture = registry(db).await;
        let run = fixture.run_in("one").await.info;
        let other = fixture.run_in("two").await.info;
        let inputs = vec![input("clicks", Some("training")), input("users", None)];
        fixture.registry.log_inputs(&run.id, inputs.clone(), Vec::new()).await.unwrap();
        fixture.registry.log_inputs(&other.id, inputs, Vec::new()).await.unwrap();
        let summary = |name: &str, context: Option<&str>| DatasetSummary {
            experiment_id: run.experiment_id,
            name: name.to_owned(),
            digest: format!("of {name}"),
            context: context.map(str::to_owned),
        };
        let found = fixture.registry.search_datasets(&[run.experiment_id.to_string()]).await.unwrap();
        assert_eq!(found, [summary("clicks", Some("training")), summary("users", None)]);
        let both = [run.experiment_id.to_string(), other.experiment_id.to_string()];
        assert_eq!(fixture.registry.search_datasets(&both).await.unwrap().len(), 4);
        assert!(fixture.registry.search_datasets(&["x".to_owned()]).await.is_err());
    }

    async fn what_this_version_does_not_read_is_noticed(db: Database) {
        let fixture = registry(db.clone()).await;
        let (full, empty) = (fixture.run_in("full").await.info, fixture.run_in("empty").await.info);
        let id = full.experiment_id;
        db.write::<_, _, registry::Error>(async move |tx| {
            let trace = "INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, status) VALUES ('t', $1, 1, 'OK')";
            tx.execute(trace, params![id]).await?;
            let scorer = "INSERT INTO scorers (experiment_id, scorer_name, scorer_id) VALUES ($1, 's', 's')";
            tx.execute(scorer, params![id]).await?;
            let dataset = "INSERT INTO entity_associations (association_id, source_type, source_id, destination_type, destination_id)
                VALUES ('a', 'evaluation_dataset', 'd', 'experiment', $1)";
            tx.execute(dataset, params![id.to_string()]).await?;
            Ok(())
        })
        .await
        .unwrap();
        for part in [Unread::Traces, Unread::Scorers, Unread::EvaluationDatasets] {
            for (run, holds) in [(&full, true), (&empty, false)] {
                let experiments = [run.experiment_id.to_string()];
                assert_eq!(fixture.registry.holds_unread(part, &experiments).await.unwrap(), holds, "{part:?}");
            }
            assert!(!fixture.registry.holds_unread(part, &[]).await.unwrap(), "{part:?}");
        }
    }
}
