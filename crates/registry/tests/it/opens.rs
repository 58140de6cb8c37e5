//! The real MLflow on a database that this crate made and wrote to.

use database::Database;
use registry::{Dataset, DatasetInput, KeyValue, Metric, RunBatch};
use runtime::Tasks;

use crate::fixture::{editor, mlflow_python, registry};

/// Reads everything back with MLflow's own store, and writes a run beside it.
const READ: &str = "
import json, logging, math, sys
logging.disable(logging.CRITICAL)
from mlflow import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1], registry_uri=sys.argv[1])
run = client.get_run(sys.argv[2])
version = client.get_model_version('ranker', '1')
found = client.search_runs([run.info.experiment_id], \"metrics.auc > 0.5 and params.depth = '3' and datasets.name = 'clicks'\")
added = client.create_run(run.info.experiment_id, run_name='theirs')
client.log_metric(added.info.run_id, 'auc', 0.9)
client.set_registered_model_alias('ranker', 'theirs', '1')
print(json.dumps({
    'name': run.info.run_name, 'auc': run.data.metrics['auc'], 'nan': math.isnan(run.data.metrics['nan']),
    'depth': run.data.params['depth'], 'tag': run.data.tags['team'],
    'dataset': run.inputs.dataset_inputs[0].dataset.digest, 'context': run.inputs.dataset_inputs[0].tags[0].value,
    'found': [run.info.run_id for run in found], 'history': [m.value for m in client.get_metric_history(sys.argv[2], 'auc')],
    'version': [version.run_id, version.aliases, version.current_stage], 'added': added.info.run_id,
    'experiments': sorted(e.name for e in client.search_experiments()),
}))
";

fn metric(key: &str, value: f64, step: i64) -> Metric {
    Metric {
        key: key.to_owned(),
        value,
        timestamp: step,
        step,
        model_id: None,
        dataset_name: None,
        dataset_digest: None,
        run_id: None,
    }
}

#[tokio::test]
async fn mlflow_opens_our_store_and_we_see_what_it_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db").display().to_string();
    let db = Database::connect(&format!("sqlite:{path}"), &Tasks::new()).await.unwrap();
    let fixture = registry(db.clone()).await;
    let run = fixture.run_in("clicks").await;
    let id = &run.info.id;
    let batch = RunBatch {
        metrics: vec![metric("auc", 0.6, 1), metric("auc", 0.7, 2), metric("nan", f64::NAN, 1)],
        params: vec![KeyValue::new("depth", "3")],
        tags: vec![KeyValue::new("team", "ranking"), KeyValue::new("mlflow.runName", "ours")],
    };
    fixture.registry.log_batch(id, batch).await.unwrap();
    let dataset = Dataset {
        name: "clicks".to_owned(),
        digest: "d1".to_owned(),
        source_type: "local".to_owned(),
        source: "{}".to_owned(),
        schema: None,
        profile: None,
    };
    let input = DatasetInput { dataset, tags: vec![KeyValue::new("mlflow.data.context", "training")] };
    fixture.registry.log_inputs(id, vec![input], Vec::new()).await.unwrap();
    fixture.version_of("ranker", &run).await;
    fixture.registry.set_alias(&editor(), "ranker", "production", "1").await.unwrap();

    let Some(output) = mlflow_python(READ, &[&format!("sqlite:///{path}"), id]) else { return };
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let added = seen["added"].as_str().unwrap().to_owned();
    let expected = serde_json::json!({
        "name": "ours", "auc": 0.7, "nan": true, "depth": "3", "tag": "ranking", "dataset": "d1", "context": "training",
        "found": [id], "history": [0.6, 0.7], "version": [id, ["production"], "None"], "added": added,
        "experiments": ["Default", "clicks"],
    });
    assert_eq!(seen, expected);

    let theirs = fixture.registry.run(&added).await.unwrap();
    assert_eq!((theirs.info.name.as_deref(), theirs.metrics[0].value), (Some("theirs"), 0.9));
    assert_eq!(fixture.registry.version("ranker", "1").await.unwrap().aliases, ["production", "theirs"]);
}
