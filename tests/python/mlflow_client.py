"""The stock MLflow client against a running server: `python mlflow_client.py http://127.0.0.1:5000`.

Every step is asserted; the last line says how many held. It makes experiments and models with names of its own, so it can
be run against a server that holds others.
"""

import math
import pathlib
import sys
import tempfile
import uuid

import mlflow
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, DataType, Schema, TensorSpec

HELD = []


def held(what, condition=True):
    assert condition, what
    HELD.append(what)
    print(f"ok  {what}")


def refused(what, code, call, text=""):
    try:
        call()
    except MlflowException as error:
        held(what, error.error_code == code and text in str(error))
    else:
        raise AssertionError(f"{what}: was not refused")


class Doubler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [2 * value for value in model_input["x"]]


def onnx_model():
    """A graph that doubles its input; None where the onnx package is not installed."""
    try:
        import onnx
        from onnx import TensorProto, helper
    except ImportError:
        return None
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "double", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def log_model(name):
    """Logs an ONNX model if that is possible, else a pyfunc; either way with a signature."""
    model = onnx_model()
    if model is not None:
        import numpy

        signature = ModelSignature(
            inputs=Schema([TensorSpec(numpy.dtype("float32"), (-1, 1), "x")]),
            outputs=Schema([TensorSpec(numpy.dtype("float32"), (-1, 1), "y")]),
        )
        return "onnx", mlflow.onnx.log_model(model, name=name, signature=signature, registered_model_name=name)
    signature = ModelSignature(inputs=Schema([ColSpec(DataType.double, "x")]))
    logged = mlflow.pyfunc.log_model(
        name=name,
        python_model=Doubler(),
        signature=signature,
        registered_model_name=name,
        pip_requirements=[],
    )
    return "python_function", logged


def experiments(client, name):
    experiment = client.create_experiment(name, tags={"team": "ranking"})
    refused("a name that is taken is refused", "RESOURCE_ALREADY_EXISTS", lambda: client.create_experiment(name))
    found = client.search_experiments(filter_string=f"name = '{name}' AND tags.team = 'ranking'")
    held("experiments are found by name and tag", [e.experiment_id for e in found] == [experiment])
    client.delete_experiment(experiment)
    held("a deleted experiment says so", client.get_experiment(experiment).lifecycle_stage == "deleted")
    client.restore_experiment(experiment)
    client.rename_experiment(experiment, f"{name}-renamed")
    held("it is restored and renamed", client.get_experiment_by_name(f"{name}-renamed").experiment_id == experiment)
    refused("an unknown experiment is not found", "RESOURCE_DOES_NOT_EXIST", lambda: client.get_experiment("987654"))
    return f"{name}-renamed"


def one_run(client, experiment, folder):
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name="first") as active:
        run_id = active.info.run_id
        mlflow.log_params({"depth": 3, "rate": 0.1})
        mlflow.log_metrics({"auc": 0.7, "odd": math.nan}, step=1)
        mlflow.log_metric("auc", 0.8, step=2)
        mlflow.set_tags({"team": "ranking", "note": "x" * 5000})
        dataset = mlflow.data.meta_dataset.MetaDataset(
            mlflow.data.http_dataset_source.HTTPDatasetSource("http://example.com/clicks.parquet"),
            name="clicks",
            digest="d1",
        )
        mlflow.log_input(dataset, context="training")
        (folder / "plots").mkdir()
        (folder / "plots" / "roc.txt").write_text("0 0\n1 1\n")
        (folder / "big.bin").write_bytes(bytes(range(256)) * 40_000)
        mlflow.log_artifacts(str(folder), artifact_path="out")
        mlflow.log_text("hello", "notes/hello.txt")
        kind, logged = log_model(f"model-{uuid.uuid4().hex[:8]}")
    run = client.get_run(run_id)
    held("the run is finished and has its name", (run.info.status, run.info.run_name) == ("FINISHED", "first"))
    held("params are as logged", run.data.params["depth"] == "3" and run.data.params["rate"] == "0.1")
    held("the latest metric is that of the last step", run.data.metrics["auc"] == 0.8)
    held("NaN survives", math.isnan(run.data.metrics["odd"]))
    held("history is complete", [m.value for m in client.get_metric_history(run_id, "auc")] == [0.7, 0.8])
    inputs = run.inputs.dataset_inputs[0]
    held("the dataset is an input", (inputs.dataset.name, inputs.dataset.digest) == ("clicks", "d1"))
    held("with its context", inputs.tags[0].value == "training")
    held("the logged model is an output", run.outputs.model_outputs[0].model_id == logged.model_id)
    return run_id, kind, logged


def artifacts(client, run_id, folder):
    listed = [(f.path, f.is_dir, f.file_size) for f in client.list_artifacts(run_id, "out")]
    held("artifacts are listed", listed == [("out/big.bin", False, 10_240_000), ("out/plots", True, None)])
    local = pathlib.Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="out", dst_path=str(folder)))
    held("ten megabytes come back whole", (local / "big.bin").read_bytes() == bytes(range(256)) * 40_000)
    held("text comes back", mlflow.artifacts.load_text(f"runs:/{run_id}/notes/hello.txt") == "hello")
    try:
        client.list_artifacts(run_id, "../..")
    except requests.HTTPError as error:
        held("a path that leaves the run is refused", error.response.status_code == 400)
    else:
        raise AssertionError("a path that leaves the run was not refused")


def searches(client, experiment, run_id):
    ids = [client.get_experiment_by_name(experiment).experiment_id]
    for query, expected in [
        ("metrics.auc > 0.75 AND params.depth = '3' AND tags.team LIKE 'rank%'", [run_id]),
        ("datasets.name = 'clicks' AND attributes.run_name = 'first'", [run_id]),
        ("metrics.auc > 0.85", []),
    ]:
        found = client.search_runs(ids, query, order_by=["metrics.auc DESC"])
        held(f"runs are found by {query}", [run.info.run_id for run in found] == expected)
    refused("OR is refused", "INVALID_PARAMETER_VALUE", lambda: client.search_runs(ids, "metrics.a > 1 OR metrics.a < 0"))
    refused(
        "a param is written once",
        "INVALID_PARAMETER_VALUE",
        lambda: client.log_param(run_id, "depth", 4),
        "Changing param values is not allowed",
    )
    models = mlflow.search_logged_models(experiment_ids=ids, output_format="list")
    held("logged models are found", [model.source_run_id for model in models] == [run_id])


def registry(client, kind, logged, run_id):
    name = client.search_model_versions(f"run_id = '{run_id}'")[0].name
    version = client.get_model_version(name, "1")
    held("registering makes version 1 of the run", (version.run_id, version.status) == (run_id, "READY"))
    client.set_model_version_tag(name, "1", "checked", "yes")
    client.set_registered_model_tag(name, "owner", "ranking")
    client.update_model_version(name, "1", description="doubles")
    client.set_registered_model_alias(name, "champion", "1")
    held("an alias leads to its version", client.get_model_version_by_alias(name, "champion").version == "1")
    refused(
        "a reserved alias is refused",
        "INVALID_PARAMETER_VALUE",
        lambda: client.set_registered_model_alias(name, "latest", "1"),
    )
    copy = client.copy_model_version(f"models:/{name}/1", f"{name}-copy")
    held("a version is copied", copy.version == "1" and copy.run_id == run_id)
    again = mlflow.register_model(f"models:/{logged.model_id}", name)
    held("the next version has the next number", str(again.version) == "2")
    by_tag = client.search_model_versions(f"name = '{name}' AND tags.checked = 'yes'")
    held("versions are found by tag", [str(found.version) for found in by_tag] == ["1"])
    held("models are found by tag", name in [m.name for m in client.search_registered_models("tags.owner = 'ranking'")])
    client.transition_model_version_stage(name, "2", "Staging")
    held("stages still work", [v.version for v in client.get_latest_versions(name, ["Staging"])] == ["2"])
    client.delete_model_version(name, "2")
    refused("a deleted version is gone", "RESOURCE_DOES_NOT_EXIST", lambda: client.get_model_version(name, "2"))
    for source in [f"models:/{name}@champion", f"models:/{name}-copy/1", f"runs:/{run_id}/{name}"]:
        load_back(kind, source)
    client.rename_registered_model(name, f"{name}-renamed")
    held("renaming keeps alias and tags", client.get_registered_model(f"{name}-renamed").aliases == {"champion": "1"})
    client.delete_registered_model(f"{name}-renamed")
    client.delete_registered_model(f"{name}-copy")


def load_back(kind, source):
    if kind == "onnx":
        import onnx

        local = mlflow.artifacts.download_artifacts(source)
        graph = onnx.load(next(pathlib.Path(local).glob("*.onnx"))).graph
        held(f"{source.split(':')[0]}: loads back as ONNX", graph.name == "double")
        return
    model = mlflow.pyfunc.load_model(source)
    import pandas

    held(f"{source.split(':')[0]}: loads back and predicts", list(model.predict(pandas.DataFrame({"x": [1.0]}))) == [2.0])


def main():
    mlflow.set_tracking_uri(sys.argv[1])
    client = MlflowClient()
    experiment = experiments(client, f"client-{uuid.uuid4().hex[:8]}")
    with tempfile.TemporaryDirectory() as up, tempfile.TemporaryDirectory() as down:
        run_id, kind, logged = one_run(client, experiment, pathlib.Path(up))
        artifacts(client, run_id, down)
    searches(client, experiment, run_id)
    registry(client, kind, logged, run_id)
    client.delete_run(run_id)
    held("a deleted run says so", client.get_run(run_id).info.lifecycle_stage == "deleted")
    refused("nothing is logged on it", "INVALID_PARAMETER_VALUE", lambda: client.log_metric(run_id, "auc", 1))
    client.restore_run(run_id)
    print(f"{len(HELD)} checks held with mlflow {mlflow.__version__} ({kind} model)")


if __name__ == "__main__":
    main()
