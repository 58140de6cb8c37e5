//! Experiments and runs: what MLflow's clients depend on.

use std::ops::AsyncFn;

use database::Database;
use registry::{
    Dataset, DatasetInput, Error, ExperimentSearch, HistoryRequest, KeyValue, LoggedModelSearch, LoggedModelStatus,
    Metric, ModelOutput, NewExperiment, NewLoggedModel, NewRun, RunBatch, RunSearch, RunUpdate, ViewType,
};

use crate::fixture::registry;

fn metric(key: &str, value: f64, timestamp: i64, step: i64) -> Metric {
    Metric {
        key: key.to_owned(),
        value,
        timestamp,
        step,
        model_id: None,
        dataset_name: None,
        dataset_digest: None,
        run_id: None,
    }
}

fn param(key: &str, value: &str) -> RunBatch {
    RunBatch { params: vec![KeyValue::new(key, value)], ..RunBatch::default() }
}

fn tag(key: &str, value: &str) -> RunBatch {
    RunBatch { tags: vec![KeyValue::new(key, value)], ..RunBatch::default() }
}

database::testing::on_both! {
    async fn an_experiments_name_stays_taken_and_its_runs_go_and_come_with_it(db: Database) {
        let fixture = registry(db).await;
        let registry = &fixture.registry;
        let run = fixture.run_in("clicks").await;
        let id = run.info.experiment_id.to_string();
        assert_eq!(run.info.artifact_uri, format!("mlflow-artifacts:/{id}/{}/artifacts", run.info.id));

        registry.delete_experiment(&id).await.unwrap();
        assert_eq!(registry.run(&run.info.id).await.unwrap().info.stage.as_str(), "deleted");
        let taken = NewExperiment { name: "clicks".to_owned(), ..NewExperiment::default() };
        let taken = registry.create_experiment(taken).await.unwrap_err();
        assert_eq!(taken.to_string(), "Experiment(name=clicks) already exists.");
        let refused = registry.create_run(NewRun { experiment_id: id.clone(), ..NewRun::default() }).await.unwrap_err();
        assert!(refused.to_string().contains("must be in the 'active' state"), "{refused}");
        assert!(matches!(registry.rename_experiment(&id, "x").await, Err(Error::InvalidState(_))));
        assert!(matches!(registry.delete_experiment(&id).await, Err(Error::NotFound(_))));

        registry.restore_experiment(&id).await.unwrap();
        assert_eq!(registry.run(&run.info.id).await.unwrap().info.stage.as_str(), "active");
        registry.rename_experiment(&id, "views").await.unwrap();
        assert_eq!(registry.experiment_by_name("views").await.unwrap().id, run.info.experiment_id);
    }

    async fn experiments_are_found_by_name_tag_and_stage(db: Database) {
        let fixture = registry(db).await;
        for (name, team) in [("a-one", "x"), ("a-two", "y"), ("b_one", "x")] {
            let tags = vec![KeyValue::new("team", team)];
            let new = NewExperiment { name: name.to_owned(), tags, ..NewExperiment::default() };
            fixture.registry.create_experiment(new).await.unwrap();
        }
        fixture.registry.delete_experiment("3").await.unwrap();
        let found = async |filter: &str, view: ViewType| {
            let search = ExperimentSearch {
                filter: filter.to_owned(),
                view,
                max_results: 10,
                order_by: vec!["name".to_owned()],
                page_token: None,
            };
            let page = fixture.registry.search_experiments(search).await.unwrap();
            page.items.into_iter().map(|experiment| experiment.name).collect::<Vec<_>>()
        };
        assert_eq!(found("name LIKE 'a%'", ViewType::ActiveOnly).await, ["a-one", "a-two"]);
        assert_eq!(found("name LIKE 'A%'", ViewType::ActiveOnly).await, [""; 0]);
        assert_eq!(found("name ILIKE 'A%'", ViewType::ActiveOnly).await, ["a-one", "a-two"]);
        assert_eq!(found("tags.team = 'x'", ViewType::All).await, ["a-one", "b_one"]);
        assert_eq!(found("tags.team IS NULL", ViewType::All).await, ["Default"]);
        assert_eq!(found("", ViewType::DeletedOnly).await, ["b_one"]);
        assert_eq!(found("experiment_id IN ('1', '2')", ViewType::All).await, ["a-one", "a-two"]);
        assert_eq!(found("experiment_id = '2'", ViewType::All).await, ["a-two"]);
        fixture.registry.set_experiment_tag("1", KeyValue::new("fruit", "Äpfel")).await.unwrap();
        for pattern in ["Ä%", "ÄPF%", "%PFEL"] {
            let filter = format!("tags.fruit ILIKE '{pattern}'");
            assert_eq!(found(&filter, ViewType::All).await, ["a-one"], "{pattern}");
        }
    }

    async fn an_experiment_has_room_for_fifty_custom_views(db: Database) {
        let fixture = registry(db).await;
        let view = |number: u32| KeyValue::new(format!("mlflow.customView.view.{number}"), "{}");
        let new = |count: u32| NewExperiment {
            name: "viewed".to_owned(),
            tags: (0..count).map(view).collect(),
            ..NewExperiment::default()
        };
        let told = "; the maximum number of custom views per experiment is 50. Delete an existing custom view before \
                    creating a new one.";
        let refused = fixture.registry.create_experiment(new(51)).await.unwrap_err().to_string();
        assert_eq!(refused, format!("Unable to create another custom view{told}"));
        let id = fixture.registry.create_experiment(new(50)).await.unwrap().to_string();
        fixture.registry.set_experiment_tag(&id, view(7)).await.unwrap();
        let refused = fixture.registry.set_experiment_tag(&id, view(50)).await.unwrap_err().to_string();
        assert_eq!(refused, format!("Unable to create another custom view for experiment {id}{told}"));
        fixture.registry.set_experiment_tag(&id, KeyValue::new("other", "x")).await.unwrap();
        fixture.registry.delete_experiment_tag(&id, &view(7).key).await.unwrap();
        fixture.registry.set_experiment_tag(&id, view(50)).await.unwrap();
    }

    async fn params_are_written_once(db: Database) {
        let fixture = registry(db).await;
        let run = fixture.run_in("e").await.info.id;
        let registry = &fixture.registry;
        registry.log_param(&run, KeyValue::new("depth", "3")).await.unwrap();
        registry.log_param(&run, KeyValue::new("depth", "3")).await.unwrap();
        registry.log_batch(&run, param("depth", "3")).await.unwrap();
        let changed = registry.log_param(&run, KeyValue::new("depth", "4")).await.unwrap_err();
        assert!(changed.to_string().starts_with("Changing param values is not allowed. Param with key='depth'"));
        let mut batch = param("depth", "4");
        batch.metrics.push(metric("m", 1.0, 1, 1));
        assert!(matches!(registry.log_batch(&run, batch).await, Err(Error::Invalid(_))));
        let twice = RunBatch {
            params: vec![KeyValue::new("q", "1"), KeyValue::new("q", "1")],
            ..RunBatch::default()
        };
        assert!(matches!(registry.log_batch(&run, twice).await, Err(Error::Invalid(_))));
        let run = registry.run(&run).await.unwrap();
        assert_eq!(run.params, [KeyValue::new("depth", "3")]);
        assert!(run.metrics.is_empty(), "nothing of a refused batch is kept");
    }

    async fn the_latest_metric_is_that_of_the_last_step_and_history_is_in_order_of_time(db: Database) {
        let fixture = registry(db).await;
        let run = fixture.run_in("e").await.info.id;
        let registry = &fixture.registry;
        for point in [metric("m", 1.0, 10, 2), metric("m", 9.0, 99, 1), metric("m", 2.0, 10, 2), metric("m", 0.5, 10, 2)] {
            registry.log_metric(&run, point).await.unwrap();
        }
        let latest = registry.run(&run).await.unwrap().metrics;
        assert_eq!((latest[0].value, latest[0].step, latest[0].timestamp), (2.0, 2, 10));

        let odd = vec![
            metric("nan", f64::NAN, 1, 1),
            metric("nan", f64::NAN, 1, 1),
            metric("inf", f64::INFINITY, 1, 1),
            metric("inf", f64::NEG_INFINITY, 2, 1),
        ];
        registry.log_batch(&run, RunBatch { metrics: odd, ..RunBatch::default() }).await.unwrap();
        let latest = registry.run(&run).await.unwrap().metrics;
        let value = |key: &str| latest.iter().find(|metric| metric.key == key).unwrap().value;
        assert!(value("nan").is_nan());
        assert_eq!(value("inf"), f64::MIN);

        let request = HistoryRequest { run_id: run.clone(), key: "m".to_owned(), ..HistoryRequest::default() };
        let all = registry.metric_history(request.clone()).await.unwrap();
        let values: Vec<_> = all.items.iter().map(|metric| metric.value).collect();
        assert_eq!((values.as_slice(), all.next), ([0.5, 1.0, 2.0, 9.0].as_slice(), None));
        let first = registry.metric_history(HistoryRequest { max_results: Some(3), ..request.clone() }).await.unwrap();
        let rest = HistoryRequest { max_results: Some(3), page_token: first.next, ..request };
        assert_eq!(registry.metric_history(rest).await.unwrap().items.len(), 1);
    }

    async fn a_thousand_metrics_fit_in_one_batch_and_no_more(db: Database) {
        let fixture = registry(db).await;
        let run = fixture.run_in("e").await.info.id;
        let metrics = |count: i64| RunBatch {
            metrics: (0..count).map(|step| metric(&format!("m{}", step % 300), step as f64, step, step)).collect(),
            ..RunBatch::default()
        };
        fixture.registry.log_batch(&run, metrics(1_000)).await.unwrap();
        let logged = fixture.registry.run(&run).await.unwrap().metrics;
        assert_eq!(logged.len(), 300);
        assert!(logged.iter().all(|metric| metric.value >= 700.0), "of each key the last one is the latest");
        let too_many = fixture.registry.log_batch(&run, metrics(1_001)).await.unwrap_err();
        assert!(too_many.to_string().contains("at most 1000 metrics. Got 1001"), "{too_many}");
        let mut half = metrics(1);
        half.metrics[0].dataset_name = Some("clicks".to_owned());
        let refused = fixture.registry.log_batch(&run, half.clone()).await.unwrap_err();
        assert!(refused.to_string().starts_with("Both dataset_name and dataset_digest must be provided"), "{refused}");
        half.metrics[0].dataset_digest = Some("d1".to_owned());
        fixture.registry.log_batch(&run, half).await.unwrap();
    }

    async fn a_runs_name_and_its_tag_are_the_same(db: Database) {
        let fixture = registry(db).await;
        let run = fixture.run_in("e").await;
        let registry = &fixture.registry;
        assert_eq!(run.tag("mlflow.runName"), run.info.name.as_deref());
        registry.log_batch(&run.info.id, tag("mlflow.runName", "by tag")).await.unwrap();
        assert_eq!(registry.run(&run.info.id).await.unwrap().info.name.as_deref(), Some("by tag"));
        let update = RunUpdate { name: Some("by update".to_owned()), ..RunUpdate::default() };
        registry.update_run(&run.info.id, update).await.unwrap();
        assert_eq!(registry.run(&run.info.id).await.unwrap().tag("mlflow.runName"), Some("by update"));
        let mut batch = tag("mlflow.runName", "by batch");
        batch.tags.extend([KeyValue::new("mlflow.runName", ""), KeyValue::new("t", "v")]);
        registry.log_batch(&run.info.id, batch).await.unwrap();
        let named = registry.run(&run.info.id).await.unwrap();
        assert_eq!(named.info.name.as_deref(), Some("by batch"));
        assert_eq!((named.tag("mlflow.runName"), named.tag("t")), (Some("by batch"), Some("v")), "none takes none away");
        registry.delete_tag(&run.info.id, "mlflow.runName").await.unwrap();
        assert!(matches!(registry.delete_tag(&run.info.id, "mlflow.runName").await, Err(Error::NotFound(_))));
    }

    async fn nothing_is_logged_on_a_deleted_run(db: Database) {
        let fixture = registry(db).await;
        let run = fixture.run_in("e").await.info.id;
        let registry = &fixture.registry;
        registry.delete_run(&run).await.unwrap();
        let refused = |result: Result<(), Error>| result.unwrap_err().to_string();
        let expected = format!("The run {run} must be in the 'active' state. Current state is deleted.");
        assert_eq!(refused(registry.log_metric(&run, metric("m", 1.0, 1, 1)).await), expected);
        assert_eq!(refused(registry.log_batch(&run, tag("a", "b")).await), expected);
        assert_eq!(refused(registry.log_inputs(&run, Vec::new(), Vec::new()).await), expected);
        registry.restore_run(&run).await.unwrap();
        registry.log_batch(&run, tag("a", "b")).await.unwrap();
    }

    async fn runs_are_found_by_what_was_logged_on_them(db: Database) {
        let fixture = registry(db).await;
        let registry = &fixture.registry;
        let first = fixture.run_in("e").await;
        let experiment = first.info.experiment_id.to_string();
        let new = |name: &str, started| NewRun {
            experiment_id: experiment.clone(),
            name: Some(name.to_owned()),
            started: Some(started),
            ..NewRun::default()
        };
        let rename = RunUpdate { name: Some("a".to_owned()), ..RunUpdate::default() };
        registry.update_run(&first.info.id, rename).await.unwrap();
        let b = registry.create_run(new("b", 2)).await.unwrap().info.id;
        let c = registry.create_run(new("c", 3)).await.unwrap().info.id;
        registry.log_metric(&first.info.id, metric("auc", 0.7, 1, 1)).await.unwrap();
        registry.log_metric(&b, metric("auc", f64::NAN, 1, 1)).await.unwrap();
        registry.log_batch(&b, param("depth", "3")).await.unwrap();
        registry.log_batch(&c, tag("team x", "Ranking")).await.unwrap();
        let dataset = Dataset {
            name: "clicks".to_owned(),
            digest: "d1".to_owned(),
            source_type: "local".to_owned(),
            source: "{}".to_owned(),
            schema: None,
            profile: None,
        };
        let input = DatasetInput { dataset, tags: vec![KeyValue::new("mlflow.data.context", "training")] };
        registry.log_inputs(&c, vec![input.clone()], Vec::new()).await.unwrap();
        registry.log_inputs(&c, vec![input], Vec::new()).await.unwrap();
        assert_eq!(registry.run(&c).await.unwrap().datasets.len(), 1, "the same dataset twice is one input");

        let found = async |filter: &str, order: &[&str]| {
            let search = RunSearch {
                experiment_ids: vec![experiment.clone()],
                filter: filter.to_owned(),
                max_results: 10,
                order_by: order.iter().map(|by| (*by).to_owned()).collect(),
                ..RunSearch::default()
            };
            let page = registry.search_runs(search).await.unwrap();
            page.items.into_iter().map(|run| run.info.name.unwrap()).collect::<Vec<_>>().join(" ")
        };
        check_searches(&found).await;

        let page = async |token: Option<String>| {
            let search = RunSearch {
                experiment_ids: vec![experiment.clone()],
                max_results: 2,
                page_token: token,
                ..RunSearch::default()
            };
            registry.search_runs(search).await.unwrap()
        };
        let first_page = page(None).await;
        assert_eq!(first_page.items.len(), 2);
        let second_page = page(first_page.next).await;
        assert_eq!((second_page.items.len(), second_page.next), (1, None));
    }

    async fn logged_models_are_made_finalized_searched_and_deleted(db: Database) {
        let fixture = registry(db).await;
        let registry = &fixture.registry;
        let run = fixture.run_in("e").await.info;
        let experiment = run.experiment_id.to_string();
        let new = NewLoggedModel {
            experiment_id: experiment.clone(),
            name: Some("ranker".to_owned()),
            source_run_id: Some(run.id.clone()),
            params: vec![KeyValue::new("depth", "3")],
            tags: vec![KeyValue::new("team", "x")],
            ..NewLoggedModel::default()
        };
        let model = registry.create_logged_model(new.clone()).await.unwrap();
        assert_eq!(model.artifact_uri, format!("mlflow-artifacts:/{experiment}/models/{}/artifacts", model.id));
        let other = registry.create_logged_model(NewLoggedModel { name: None, ..new }).await.unwrap();
        let ready = registry.finalize_logged_model(&model.id, LoggedModelStatus::Ready).await.unwrap();
        assert_eq!(ready.status, LoggedModelStatus::Ready);
        let mut point = metric("auc", 0.8, 1, 1);
        point.model_id = Some(model.id.clone());
        registry.log_metric(&run.id, point).await.unwrap();
        let output = ModelOutput { model_id: model.id.clone(), step: 2 };
        registry.log_outputs(&run.id, vec![output.clone()]).await.unwrap();
        assert_eq!(registry.run(&run.id).await.unwrap().model_outputs, [output]);

        let search = |filter: &str| LoggedModelSearch {
            experiment_ids: vec![experiment.clone()],
            filter: filter.to_owned(),
            max_results: Some(1),
            ..LoggedModelSearch::default()
        };
        for filter in ["metrics.auc > 0.5", "name = 'ranker'", "params.depth = '3' AND name LIKE 'rank%'"] {
            let found = registry.search_logged_models(search(filter)).await.unwrap();
            assert_eq!(found.items[0].id, model.id, "{filter}");
        }
        let page = registry.search_logged_models(search("")).await.unwrap();
        let next = LoggedModelSearch { page_token: page.next.clone(), ..search("") };
        assert_eq!(registry.search_logged_models(next).await.unwrap().items.len(), 1);
        let foreign = LoggedModelSearch { page_token: page.next, ..search("name = 'x'") };
        assert!(matches!(registry.search_logged_models(foreign).await, Err(Error::Invalid(_))));

        registry.delete_logged_model(&other.id).await.unwrap();
        assert!(matches!(registry.logged_model(&other.id, false).await, Err(Error::NotFound(_))));
        assert_eq!(registry.logged_model(&other.id, true).await.unwrap().id, other.id);
    }
}

/// Runs a, b and c: a has auc 0.7, b auc NaN and depth 3, c a tag and a dataset. `found` answers names, newest first.
async fn check_searches(found: &impl AsyncFn(&str, &[&str]) -> String) {
    for (filter, expected) in [
        ("", "c b a"),
        ("metrics.auc > 0.5", "a"),
        ("metrics.auc < 5", "a"),
        ("metrics.auc != 0.7", "b"),
        ("params.depth = '3'", "b"),
        ("params.depth IS NULL", "c a"),
        ("tags.`team x` LIKE 'Rank%'", "c"),
        ("tags.`team x` LIKE 'rank%'", ""),
        ("tags.`team x` ILIKE 'rank%'", "c"),
        ("datasets.name = 'clicks' AND datasets.context = 'training'", "c"),
        ("datasets.digest != 'd1'", ""),
        ("attributes.run_name = 'b'", "b"),
        ("attributes.start_time > 1 AND attributes.start_time <= 3", "c b"),
        ("status = 'RUNNING' AND run_id NOT IN ('x')", "c b a"),
    ] {
        assert_eq!(found(filter, &[]).await, expected, "{filter}");
    }
    assert_eq!(found("", &["metrics.auc DESC"]).await, "a b c", "NaN and then nothing come last");
    assert_eq!(found("", &["metrics.auc ASC"]).await, "a b c");
    assert_eq!(found("", &["attributes.run_name ASC"]).await, "a b c");
    assert_eq!(found("", &["params.depth", "start_time ASC"]).await, "b a c");
}
