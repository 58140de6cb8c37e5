"""Runs: nested, searched, deleted and restored, with params, metrics, tags and datasets."""

import sys

from checks import held, refused

import mlflow
import pandas
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType

client = MlflowClient()
experiment = mlflow.set_experiment("stock runs")
held("experiment", client.get_experiment_by_name("stock runs").experiment_id, experiment.experiment_id)

with mlflow.start_run(run_name="parent", tags={"kind": "parent"}) as parent:
    mlflow.log_params({"depth": 3, "rate": 0.1})
    for step in range(5):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    for number in range(3):
        with mlflow.start_run(run_name=f"child {number}", nested=True) as child:
            mlflow.log_param("number", number)
            mlflow.log_metric("auc", 0.5 + number / 10)
            with mlflow.start_run(run_name=f"grandchild {number}", nested=True):
                mlflow.set_tag("level", "2")

parent_id = parent.info.run_id
read = client.get_run(parent_id)
held("parent's params", read.data.params, {"depth": "3", "rate": "0.1"})
held("parent's last loss", read.data.metrics, {"loss": 0.2})
held("history", [(m.step, round(m.value, 3)) for m in client.get_metric_history(parent_id, "loss")],
     [(0, 1.0), (1, 0.5), (2, 0.333), (3, 0.25), (4, 0.2)])
children = mlflow.search_runs([experiment.experiment_id], f"tags.mlflow.parentRunId = '{parent_id}'",
                              order_by=["metrics.auc DESC"])
held("children, best first", list(children["tags.mlflow.runName"]), ["child 2", "child 1", "child 0"])
held("columns of children", sorted(c for c in children.columns if c.startswith(("metrics.", "params."))),
     ["metrics.auc", "params.number"])
held("parent of a child", mlflow.get_parent_run(child.info.run_id).info.run_name, "parent")

batch = client.create_run(experiment.experiment_id, run_name="batch")
client.log_batch(batch.info.run_id,
                 metrics=[Metric("m", float(step), 1000 + step, step) for step in range(1000)])
client.log_batch(batch.info.run_id, params=[Param(f"p{n}", str(n)) for n in range(100)],
                 tags=[RunTag(f"t{n}", str(n)) for n in range(100)])
client.log_metric(batch.info.run_id, "nan", float("nan"))
client.log_metric(batch.info.run_id, "inf", float("inf"))
client.set_terminated(batch.info.run_id, "FAILED")
read = client.get_run(batch.info.run_id)
held("batch", (len(read.data.params), read.data.metrics["m"], read.data.metrics["inf"], read.info.status),
     (100, 999.0, sys.float_info.max, "FAILED"))
held("NaN", str(read.data.metrics["nan"]), "nan")
held("long history", len(client.get_metric_history(batch.info.run_id, "m")), 1000)
refused("a param has one value", lambda: client.log_param(batch.info.run_id, "p1", "other"))
held("tags", len([t for t in read.data.tags if t.startswith("t")]), 100)
client.delete_tag(batch.info.run_id, "t1")
held("a tag is gone", "t1" not in client.get_run(batch.info.run_id).data.tags)
refused("no such tag", lambda: client.delete_tag(batch.info.run_id, "t1"))

frame = pandas.DataFrame({"x": [1, 2, 3], "y": [0.1, 0.2, 0.3]})
with mlflow.start_run(run_name="with data") as run:
    mlflow.log_input(mlflow.data.from_pandas(frame, source="https://data.test/x.csv", name="clicks", targets="y"),
                     context="training", tags={"split": "a"})
    mlflow.log_input(mlflow.data.from_pandas(frame[:2], name="holdout"), context="test")
inputs = client.get_run(run.info.run_id).inputs.dataset_inputs
held("datasets", sorted((i.dataset.name, i.dataset.digest, {t.key: t.value for t in i.tags}["mlflow.data.context"])
                        for i in inputs))
held("schema of a dataset", sorted(i.dataset.schema for i in inputs)[-1])
found = client.search_runs([experiment.experiment_id], "datasets.name = 'clicks' AND dataset.context = 'training'")
held("runs with that dataset", [r.info.run_name for r in found], ["with data"])
source = mlflow.data.get_source(sorted(inputs, key=lambda i: i.dataset.name)[0])
held("source of a dataset", type(source).__name__, "HTTPDatasetSource")

for text in ["metrics.auc > 0.55 and params.number = '1'", "attributes.status = 'FAILED'",
             "tags.level = '2' and attributes.run_name LIKE 'grand%'", "params.depth IS NOT NULL",
             "attributes.run_name ILIKE 'CHILD%' and metrics.auc <= 0.6"]:
    runs = client.search_runs([experiment.experiment_id], text, order_by=["attributes.run_name ASC"])
    held(f"search {text}", [r.info.run_name for r in runs])
pages, token = [], None
while True:
    page = client.search_runs([experiment.experiment_id], max_results=4, page_token=token,
                              order_by=["attributes.run_name ASC"])
    pages.append([r.info.run_name for r in page])
    token = page.token
    if not token:
        break
held("pages", pages)
refused("search by nonsense", lambda: client.search_runs([experiment.experiment_id], "metrics.a ~ 1"))

client.delete_run(parent_id)
names = lambda view: sorted(r.info.run_name for r in client.search_runs([experiment.experiment_id], run_view_type=view))  # noqa: E731
held("deleted", names(ViewType.DELETED_ONLY), ["parent"])
refused("no metric for the deleted", lambda: client.log_metric(parent_id, "loss", 1.0))
client.restore_run(parent_id)
held("restored", (names(ViewType.DELETED_ONLY), client.get_run(parent_id).info.lifecycle_stage), ([], "active"))
client.delete_experiment(experiment.experiment_id)
held("a deleted experiment's runs", client.get_run(parent_id).info.lifecycle_stage, "deleted")
refused("its name is taken", lambda: client.create_experiment("stock runs"))
client.restore_experiment(experiment.experiment_id)
held("restored with its runs", client.get_run(parent_id).info.lifecycle_stage, "active")
client.update_run(parent_id, name="renamed")
held("renamed", client.get_run(parent_id).info.run_name, "renamed")
