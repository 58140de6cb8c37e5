"""Scores logged predictions again, by onnxruntime in Python, from the features that were logged with them.

    check_score.py --rows 200                        the newest predictions of the log
    crosstie explain ID --json | check_score.py -    one prediction, as it is explained

What was served must be what anybody computes from what was logged. The last line printed is JSON: how many rows, and
the largest difference; more than `--tolerance` is a failure.
"""

import argparse
import json
import pathlib
import sys

import mlflow
import numpy as np
import onnxruntime
from server import address, call

KINDS = {"tensor(string)": object, "tensor(int64)": np.int64, "tensor(float)": np.float32, "tensor(double)": np.float64}


def main():
    parser = argparse.ArgumentParser(description="Compares logged scores with onnxruntime's.")
    parser.add_argument("explained", nargs="?", help="`-` or a file with the JSON of `crosstie explain`")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--model", default="click-ranker")
    parser.add_argument("--version", help="only this version's predictions")
    parser.add_argument("--tolerance", type=float, default=1e-6)
    options = parser.parse_args()

    mlflow.set_tracking_uri(address())
    if options.explained:
        text = sys.stdin.read() if options.explained == "-" else pathlib.Path(options.explained).read_text()
        predictions = [json.loads(text)]
    else:
        predictions = call(f"/crosstie/v1/predictions?model={options.model}&limit={options.rows}")["predictions"]
        if options.version:
            wanted = f"{options.model}/{options.version}"
            predictions = [prediction for prediction in predictions if prediction["version"] == wanted]
    by_version = {}
    for prediction in predictions:
        by_version.setdefault(prediction["version"], []).append(prediction)
    differences = {version: compare(version, rows) for version, rows in by_version.items()}
    largest = max((float(np.max(values)) for values in differences.values()), default=None)
    print(json.dumps({"rows": len(predictions), "versions": sorted(by_version), "largest_difference": largest}))
    if largest is None or largest > options.tolerance:
        sys.exit(1)


def compare(version, predictions):
    """The differences of all rows of one version, which is written `click-ranker/1`."""
    folder = pathlib.Path(mlflow.artifacts.download_artifacts(f"models:/{version}"))
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    logged = [features(prediction) for prediction in predictions]
    inputs = {
        spec.name: np.array([row[spec.name] for row in logged], KINDS[spec.type]).reshape(-1, 1)
        for spec in session.get_inputs()
    }
    again = session.run(["probabilities"], inputs)[0]
    served = np.array([outputs(prediction)["probabilities"] for prediction in predictions], np.float32)
    return np.abs(again - served.reshape(again.shape))


def features(prediction):
    """By the model's inputs, which are called as features are after the colon."""
    return {feature["name"].split(":")[-1]: plain(feature["value"]) for feature in prediction["features"]}


def outputs(prediction):
    named = prediction["outputs"]
    named = named.items() if isinstance(named, dict) else named
    return {name: [plain(value) for value in values] for name, values in named}


def plain(value):
    """The value itself; the log writes it with its type, as `{"int64": 3}`, and `explain` without."""
    if isinstance(value, dict):
        (value,) = value.values()
    return None if value == "null" else value


if __name__ == "__main__":
    main()
