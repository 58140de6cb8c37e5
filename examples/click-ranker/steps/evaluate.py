"""Scores the logged model on the days that it has not seen, and keeps those rows with the run.

By convention the run then has, as artifacts, `evaluation/evaluation.parquet` (keys, time, label `clicked`, every
feature as used, and the `score`, which live answers are compared with) and `evaluation/metrics.json`. The release's
`quality` gate scores the same rows again from there, so nobody has to believe these numbers.
"""

import argparse
import json
import pathlib
import sys
import tempfile

import mlflow
import mlflow.onnx
import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq
from ranker import FEATURES, KEYS, LABEL, SEGMENT, TIME, split, tensors
from sklearn.metrics import log_loss, roc_auc_score


def main():
    options = parse_options()
    _, rows = split(pq.read_table(options.training_set).to_pandas(), options.evaluation_share)
    if len(rows) > options.rows:
        rows = rows.sample(options.rows, random_state=options.seed).sort_index()
    model = mlflow.onnx.load_model(options.model_uri)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    scores = session.run(["probabilities"], tensors(rows))[0][:, 1]
    labels = rows[LABEL].to_numpy()
    metrics = {
        "auc": float(roc_auc_score(labels, scores)),
        "log_loss": float(log_loss(labels, scores)),
        "click_rate": float(labels.mean()),
        "mean_score": float(scores.mean()),
    }
    segments = by_segment(rows, scores)
    metrics["auc_worst_customer"] = min(segment["auc"] for segment in segments.values())

    with mlflow.start_run(run_id=options.run_id), tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        mlflow.log_metrics(metrics)
        mlflow.set_tag("crosstie.label", LABEL)
        table = pa.Table.from_pandas(rows[[*KEYS, TIME, LABEL, *FEATURES]], preserve_index=False)
        table = table.append_column("score", pa.array(scores, pa.float64()))
        pq.write_table(table, folder / "evaluation.parquet", compression="zstd")
        report = {"rows": len(rows), "label": LABEL, "score": "probabilities[1]", **metrics, "customers": segments}
        (folder / "metrics.json").write_text(json.dumps(report, indent=2) + "\n")
        mlflow.log_artifacts(str(folder), "evaluation")
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "auc").write_text(f"{metrics['auc']:.6f}\n")
    print(f"progress: AUC {metrics['auc']:.4f} on {len(rows)} rows", file=sys.stderr)


def by_segment(rows, scores):
    """The AUC of each customer who has both clicks and none."""
    segments = {}
    for customer, places in rows.reset_index(drop=True).groupby(SEGMENT).groups.items():
        labels = rows[LABEL].to_numpy()[places]
        if len(np.unique(labels)) == 2:
            segments[customer] = {"rows": len(places), "auc": float(roc_auc_score(labels, scores[places]))}
    return segments


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--training-set", type=pathlib.Path, required=True)
    parser.add_argument("--run-id", required=True)
    parser.add_argument("--model-uri", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for `auc`")
    parser.add_argument("--rows", type=int, default=20_000, help="at most this many rows (default: 20000)")
    parser.add_argument("--evaluation-share", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


if __name__ == "__main__":
    main()
