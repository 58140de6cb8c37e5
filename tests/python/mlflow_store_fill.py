"""Fills a server with everything that an MLflow store can hold and Crosstie speaks, through the stock client:
`python mlflow_store_fill.py http://127.0.0.1:5000 PREFIX`. Names begin with PREFIX, so that a store can be filled twice, by
one server and then by the other.
"""

import math
import pathlib
import sys
import tempfile
import time

import mlflow
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelParameter,
    LoggedModelStatus,
    Metric,
    Param,
    RunTag,
)

URL, PREFIX = sys.argv[1], sys.argv[2]
mlflow.set_tracking_uri(URL)
client = MlflowClient(tracking_uri=URL, registry_uri=URL)


def dataset(name, context):
    source = Dataset(f"{PREFIX}-{name}", "8a3f", "local", '{"uri": "/data/clicks.csv"}', '{"columns": []}', '{"rows": 3}')
    return DatasetInput(source, [InputTag("mlflow.data.context", context), InputTag("shard", "7")])


def experiments():
    kept = client.create_experiment(f"{PREFIX}-clicks", tags={"team": "ränking", "empty": ""})
    client.set_experiment_tag(kept, "mlflow.note.content", "A note,\nof two lines")
    client.rename_experiment(kept, f"{PREFIX}-clicks, renamed")
    gone = client.create_experiment(f"{PREFIX}-gone")
    client.create_run(gone, run_name="gone with its experiment")
    client.delete_experiment(gone)
    back = client.create_experiment(f"{PREFIX}-back")
    client.delete_experiment(back)
    client.restore_experiment(back)
    return kept


def runs(experiment):
    run = client.create_run(experiment, run_name="first", start_time=1_700_000_000_000, tags={"mlflow.user": "ada"})
    id = run.info.run_id
    now = int(time.time() * 1000)
    values = [0.5, 0.75, math.nan, math.inf, -math.inf, 1e-300, -0.0]
    metrics = [Metric("auc", value, now + step, step) for step, value in enumerate(values)]
    metrics += [Metric("nan", math.nan, 1, -3), Metric("inf", math.inf, 1, 0), Metric("a/b c", 3.0, 2, 9_000_000_000)]
    params = [Param("depth", "3"), Param("long", "x" * 5_000), Param("empty", ""), Param("ключ", "значение")]
    client.log_batch(id, metrics, params, [RunTag("team", "ranking"), RunTag("gone", "1"), RunTag("long", "y" * 4_000)])
    client.log_metric(id, "auc", 0.8, timestamp=now, step=100)
    client.delete_tag(id, "gone")
    client.log_inputs(id, [dataset("clicks", "training"), dataset("views", "evaluation")])
    client.log_text(id, "kept", "notes/ä b.txt")
    client.log_dict(id, {"depth": 3}, "config.json")
    client.set_terminated(id, status="FINISHED", end_time=1_700_000_100_000)
    child = client.create_run(experiment, run_name="child", tags={"mlflow.parentRunId": id})
    client.set_terminated(child.info.run_id, status="FAILED")
    client.update_run(child.info.run_id, status="KILLED", name="child, renamed")
    deleted = client.create_run(experiment, run_name="deleted")
    client.log_text(deleted.info.run_id, "still there", "kept.txt")
    client.delete_run(deleted.info.run_id)
    restored = client.create_run(experiment, run_name="restored")
    client.delete_run(restored.info.run_id)
    client.restore_run(restored.info.run_id)
    return id


def logged_models(experiment, run):
    made = client.create_logged_model(
        experiment,
        name="ranker",
        source_run_id=run,
        tags={"kind": "tree", "gone": "1"},
        params={"leaves": "31"},
        model_type="lightgbm",
    )
    client.log_model_params(made.model_id, {"rate": "0.1"})
    client.delete_logged_model_tag(made.model_id, "gone")
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "MLmodel").write_text("flavors: {}\n")
        client.log_model_artifacts(made.model_id, folder)
    client.finalize_logged_model(made.model_id, LoggedModelStatus.READY)
    client.log_outputs(run, [LoggedModelOutput(made.model_id, step=2)])
    client.log_inputs(run, models=[LoggedModelInput(made.model_id)])
    client.log_metric(run, "auc_of_model", 0.9, step=1, model_id=made.model_id, dataset_name=f"{PREFIX}-clicks", dataset_digest="8a3f")
    failed = client.create_logged_model(experiment, name="failed")
    client.finalize_logged_model(failed.model_id, LoggedModelStatus.FAILED)
    deleted = client.create_logged_model(experiment, name="deleted")
    client.delete_logged_model(deleted.model_id)
    client.create_logged_model(experiment, name="pending", params={"p": "1"})
    return made.model_id


def registry(run, logged):
    name = f"{PREFIX}-ranker"
    client.create_registered_model(name, tags={"team": "ranking", "gone": "1"}, description="Ranks")
    client.delete_registered_model_tag(name, "gone")
    root = client.get_run(run).info.artifact_uri
    client.create_model_version(name, f"{root}/notes", run_id=run, tags={"k": "v", "gone": "1"}, description="first")
    client.create_model_version(name, f"models:/{logged}", run_id=run, model_id=logged)
    client.create_model_version(name, f"runs:/{run}/notes", run_id=run)
    client.create_model_version(name, "s3://elsewhere/model")
    client.delete_model_version_tag(name, "1", "gone")
    client.update_model_version(name, "2", description="second, changed")
    client.transition_model_version_stage(name, "1", "Staging")
    client.transition_model_version_stage(name, "2", "Production")
    client.transition_model_version_stage(name, "3", "Production", archive_existing_versions=True)
    client.set_registered_model_alias(name, "champion", "2")
    client.set_registered_model_alias(name, "challenger", "3")
    client.set_registered_model_alias(name, "gone", "3")
    client.delete_registered_model_alias(name, "gone")
    client.delete_model_version(name, "4")
    client.rename_registered_model(name, f"{name} 2")
    client.copy_model_version(f"models:/{name} 2/2", f"{PREFIX}-copied")
    client.create_registered_model(f"{PREFIX}-deleted")
    client.delete_registered_model(f"{PREFIX}-deleted")


def prompts():
    name = f"{PREFIX}-greeting"
    client.register_prompt(name, "Hello {{name}}", commit_message="first", tags={"tone": "warm"})
    client.register_prompt(name, "Good morning {{name}}", commit_message="second")
    client.set_prompt_alias(name, "live", 1)
    client.set_prompt_tag(name, "team", "ranking")


def webhooks():
    """None is ever called: all are disabled. The address is a public one, since servers refuse others and look names up."""
    from mlflow.entities.webhook import WebhookEvent, WebhookStatus

    for number, secret in enumerate(["shh", None]):
        client.create_webhook(
            name=f"{PREFIX}-hook-{number}",
            url=f"https://93.184.216.34/{PREFIX}/{number}",
            events=[WebhookEvent.from_str("model_version.created"), WebhookEvent.from_str("registered_model.created")],
            description="tells CI",
            secret=secret,
            status=WebhookStatus.DISABLED,
        )
    gone = client.create_webhook(name=f"{PREFIX}-gone", url="https://93.184.216.34/gone", events=["model_version.created"], status=WebhookStatus.DISABLED)
    client.delete_webhook(gone.webhook_id)


experiment = experiments()
run = runs(experiment)
logged = logged_models(experiment, run)
registry(run, logged)
prompts()
if "webhooks" in sys.argv:
    webhooks()
print("filled")
