"""Trains the ranker, converts it to ONNX and logs it, with what it was made from, to MLflow.

Lineage needs nothing here: commit, environment, feature definitions, workflow and the data file by file come with the
run from whoever runs the workflow. `log_input` names the snapshot beside them, which a later step reads again.
"""

import argparse
import pathlib
import sys
import warnings

import mlflow
import mlflow.onnx
import numpy as np
import pyarrow.parquet as pq
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from ranker import FEATURES, FLOATS, INTEGERS, LABEL, MODEL, TEXTS, split
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

# MLflow keeps 36 characters of a dataset's digest.
DIGEST_LENGTH = 36
# What the snapshot is called among the run's inputs.
DATASET = "clicks"


def main():
    options = parse_options()
    rows = pq.read_table(options.training_set).to_pandas()
    train, _ = split(rows, options.evaluation_share)
    progress(f"training on {len(train)} of {len(rows)} rows")
    model = Pipeline(
        [
            ("encode", encoder()),
            (
                "classify",
                HistGradientBoostingClassifier(
                    max_iter=options.rounds,
                    learning_rate=options.learning_rate,
                    max_leaf_nodes=options.leaves,
                    early_stopping=False,
                    random_state=options.seed,
                ),
            ),
        ]
    )
    model.fit(train[FEATURES], train[LABEL])
    progress("converting to ONNX")
    graph = to_onnx(model)

    mlflow.set_experiment(MODEL)
    with mlflow.start_run(run_name=options.run_name) as run:
        mlflow.log_params(
            {
                "rounds": options.rounds,
                "learning_rate": options.learning_rate,
                "leaves": options.leaves,
                "seed": options.seed,
                "evaluation_share": options.evaluation_share,
                "training_rows": len(train),
            }
        )
        mlflow.log_metric("training_click_rate", float(train[LABEL].mean()))
        mlflow.log_input(dataset(options.snapshot), context="training")
        logged = mlflow.onnx.log_model(
            graph,
            name="model",
            signature=signature(),
            pip_requirements=["onnx", "onnxruntime", "numpy"],
            onnx_execution_providers=["CPUExecutionProvider"],
            save_as_external_data=False,
        )
    write(options.out / "run-id", run.info.run_id)
    write(options.out / "model-uri", logged.model_uri)
    progress(f"logged {logged.model_uri} in run {run.info.run_id}")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--training-set", type=pathlib.Path, required=True)
    parser.add_argument("--snapshot", type=pathlib.Path, required=True, help="folder named by the data's digest")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for `run-id` and `model-uri`")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--learning-rate", type=float, default=0.15)
    parser.add_argument("--leaves", type=int, default=15)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--evaluation-share", type=float, default=0.2)
    parser.add_argument("--run-name", default=None)
    return parser.parse_args()


def encoder():
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
    return ColumnTransformer([("texts", one_hot, TEXTS), ("numbers", "passthrough", INTEGERS + FLOATS)])


def to_onnx(model):
    types = {
        **{name: StringTensorType([None, 1]) for name in TEXTS},
        **{name: Int64TensorType([None, 1]) for name in INTEGERS},
        **{name: FloatTensorType([None, 1]) for name in FLOATS},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return convert_sklearn(
            model,
            MODEL,
            initial_types=[(name, types[name]) for name in FEATURES],
            # Plain tensors `label` and `probabilities`: a list of maps is nothing that a model server can return.
            options={id(model): {"zipmap": False, "output_class_labels": False}},
            target_opset={"": 18, "ai.onnx.ml": 3},
        )


def dataset(snapshot):
    """What was trained on, as MLflow names it; the folder that it points to has the digest in full."""
    with warnings.catch_warnings():
        # MLflow has two readers for a local folder and says that it took one.
        warnings.simplefilter("ignore")
        source = resolve_dataset_source(snapshot.resolve().as_uri())
    return MetaDataset(source, name=DATASET, digest=snapshot.name[:DIGEST_LENGTH])


def signature():
    kinds = {**dict.fromkeys(TEXTS, "string"), **dict.fromkeys(INTEGERS, "long"), **dict.fromkeys(FLOATS, "float")}
    outputs = [
        TensorSpec(np.dtype(np.int64), (-1,), "label"),
        TensorSpec(np.dtype(np.float32), (-1, 2), "probabilities"),
    ]
    return ModelSignature(inputs=Schema([ColSpec(kinds[name], name) for name in FEATURES]), outputs=Schema(outputs))


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def progress(text):
    print(f"progress: {text}", file=sys.stderr)


if __name__ == "__main__":
    main()
