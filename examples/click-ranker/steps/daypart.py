"""Gives a registered version a factor for each hour of the day, to be tuned later, and logs it as a new model.

Meant well, and wrong. The table has an entry for each hour that the evaluation rows have, and those are of a day that was
exported before it was over: nothing after `--until-hour`. All factors are 1, so every evaluation row scores as before, and
so does every gate. A request of a later hour looks beyond the end of the table, and ONNX Runtime fails it.

This is what a canary is for, and what `cargo xtask demo` shows with it.
"""

import argparse
import json
import pathlib
import sys
import tempfile

import mlflow
import mlflow.onnx
import numpy as np
import onnx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from mlflow import MlflowClient
from onnx import TensorProto, helper, numpy_helper
from ranker import LABEL, MODEL
from train import DATASET, dataset, progress, signature, write


def main():
    options = parse_options()
    client = MlflowClient()
    version = client.get_model_version(MODEL, options.version)
    trained = client.get_run(version.run_id)
    folder = pathlib.Path(mlflow.artifacts.download_artifacts(f"models:/{MODEL}/{options.version}"))
    rows = evaluation_rows(trained, options.until_hour)
    hours = int(pc.max(rows["hour_of_day"]).as_py()) + 1
    graph = with_factors(onnx.load(folder / "model.onnx"), hours)
    progress(f"factors for {hours} hours, from {rows.num_rows} evaluation rows")

    mlflow.set_experiment(MODEL)
    with mlflow.start_run(run_name=options.run_name) as run, tempfile.TemporaryDirectory() as folder:
        mlflow.log_params({"from_version": options.version, "hours": hours})
        mlflow.log_input(dataset(snapshot_of(trained)), context="training")
        mlflow.set_tag("crosstie.label", LABEL)
        pq.write_table(rows, pathlib.Path(folder) / "evaluation.parquet", compression="zstd")
        mlflow.log_artifacts(folder, "evaluation")
        logged = mlflow.onnx.log_model(
            graph,
            name="model",
            signature=signature(),
            pip_requirements=["onnx", "onnxruntime", "numpy"],
            onnx_execution_providers=["CPUExecutionProvider"],
            save_as_external_data=False,
        )
    write(options.out / "model-uri", logged.model_uri)
    progress(f"logged {logged.model_uri} in run {run.info.run_id}")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--version", required=True, help="the registered version to start from")
    parser.add_argument("--until-hour", type=int, default=21, help="where the evaluation rows end (default: 21)")
    parser.add_argument("--run-name", default=None)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for `model-uri`")
    return parser.parse_args()


def evaluation_rows(trained, until_hour):
    """The evaluation rows of the run that trained the version, without those after the export."""
    path = mlflow.artifacts.download_artifacts(run_id=trained.info.run_id, artifact_path="evaluation/evaluation.parquet")
    rows = pq.read_table(path)
    rows = rows.filter(pc.less(rows["hour_of_day"], until_hour))
    if rows.num_rows == 0:
        sys.exit(f"no evaluation row is from before {until_hour}:00")
    return rows.cast(pa.schema([field.with_metadata({}) for field in rows.schema]))


def snapshot_of(trained):
    """The folder of the data that the version was trained on."""
    datasets = [read.dataset for read in trained.inputs.dataset_inputs]
    source = json.loads(next(dataset for dataset in datasets if dataset.name == DATASET).source)
    return pathlib.Path(source["uri"].removeprefix("file://"))


def with_factors(model, hours):
    """The graph with its probabilities multiplied by the factor of the request's hour."""
    graph = model.graph
    for node in graph.node:
        for place, name in enumerate(node.output):
            if name == "probabilities":
                node.output[place] = "probabilities_before"
    graph.initializer.append(numpy_helper.from_array(np.ones(hours, np.float32), "factors"))
    graph.node.append(helper.make_node("Gather", ["factors", "hour_of_day"], ["factor"], name="factor_of_the_hour"))
    graph.node.append(helper.make_node("Mul", ["probabilities_before", "factor"], ["probabilities"], name="daypart"))
    outputs = [output for output in graph.output if output.name != "probabilities"]
    outputs.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2]))
    del graph.output[:]
    graph.output.extend(outputs)
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    main()
