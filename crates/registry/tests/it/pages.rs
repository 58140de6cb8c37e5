//! Pages of a search in order of a metric: runs that have it come off an index, the others from elsewhere, and wherever a
//! page begins it must go on where the last one ended.

use database::Database;
use registry::{Metric, NewRun, Run, RunSearch, Service};

use crate::fixture::registry;

/// What each run has of the metric that is ordered by, and of another one. Two are equal, one is no number.
const RUNS: [(&str, Option<f64>, Option<f64>); 8] = [
    ("a", Some(0.5), Some(1.0)),
    ("b", Some(0.9), None),
    ("c", None, Some(2.0)),
    ("d", Some(0.9), Some(3.0)),
    ("e", Some(f64::NAN), Some(4.0)),
    ("f", Some(-1.0), Some(5.0)),
    ("g", None, None),
    ("h", Some(0.1), Some(6.0)),
];

async fn make_runs(registry: &Service, experiment: &str) {
    for ((name, auc, loss), started) in RUNS.into_iter().zip(1..) {
        let name = Some(name.to_owned());
        let new = NewRun { experiment_id: experiment.to_owned(), started: Some(started), name, ..NewRun::default() };
        let run = registry.create_run(new).await.unwrap().info.id;
        for (key, value) in [("auc", auc), ("loss", loss)] {
            let Some(value) = value else { continue };
            let metric = Metric {
                key: key.to_owned(),
                value,
                timestamp: 1,
                step: 1,
                model_id: None,
                dataset_name: None,
                dataset_digest: None,
                run_id: None,
            };
            registry.log_metric(&run, metric).await.unwrap();
        }
    }
}

fn names(runs: Vec<Run>) -> String {
    runs.into_iter().map(|run| run.info.name.unwrap()).collect()
}

/// The names of what a search finds, page after page.
async fn found(registry: &Service, search: RunSearch) -> String {
    let (mut found, mut search) = (String::new(), search);
    loop {
        let page = registry.search_runs(search.clone()).await.unwrap();
        found.push_str(&names(page.items));
        search.page_token = page.next;
        if search.page_token.is_none() {
            return found;
        }
    }
}

async fn check_pages(registry: &Service, experiment: &str) {
    for (filter, order, expected) in [
        ("", "metrics.auc DESC", "dbahfegc"),
        ("", "metrics.auc ASC", "fhadbegc"),
        ("metrics.auc > 0.1", "metrics.auc DESC", "dba"),
        ("metrics.auc != 0.9", "metrics.auc DESC", "ahfe"),
        ("metrics.loss >= 2 AND metrics.loss < 6", "metrics.auc DESC", "dfec"),
        ("attributes.start_time > 2 AND metrics.loss > 0", "metrics.auc ASC", "fhdec"),
        ("run_name != 'd'", "metrics.auc DESC", "bahfegc"),
    ] {
        for size in [1, 2, 3, 5, 8, 20] {
            let search = RunSearch {
                experiment_ids: vec![experiment.to_owned()],
                filter: filter.to_owned(),
                max_results: size,
                order_by: vec![order.to_owned()],
                ..RunSearch::default()
            };
            assert_eq!(found(registry, search).await, expected, "{filter:?} by {order}, {size} per page");
        }
    }
}

database::testing::on_both! {
    async fn pages_in_order_of_a_metric_go_on_where_the_last_one_ended(db: Database) {
        let fixture = registry(db).await;
        let registry = &fixture.registry;
        let experiment = fixture.run_in("e").await.info;
        registry.delete_run(&experiment.id).await.unwrap();
        let experiment = experiment.experiment_id.to_string();
        make_runs(registry, &experiment).await;
        check_pages(registry, &experiment).await;
        // Among many runs of others, the few are sorted and not read off the index.
        let others = fixture.run_in("others").await.info.experiment_id.to_string();
        for _ in 0..6 {
            make_runs(registry, &others).await;
        }
        check_pages(registry, &experiment).await;
    }
}
