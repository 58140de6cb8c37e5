"""Today's requests, by NVIDIA's own client: each carries ids and what only the request knows, never a feature.

    traffic.py --protocol http --address 127.0.0.1:8000 --outcomes 127.0.0.1:8000 --requests 500
    traffic.py --protocol grpc --address 127.0.0.1:8001
    traffic.py --malformed
    traffic.py --version 2                          a version that nobody gets otherwise; needs a token in CROSSTIE_TOKEN

With `--outcomes` the clicks and purchases that followed are posted against the predictions' ids. `--malformed` sends
requests that must be refused, and collects what each was told. The last line printed is JSON.
"""

import argparse
import json
import os
import pathlib
import sys
import time
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
from server import call

KINDS = {
    "user_id": "INT64",
    "item_id": "INT64",
    "customer_id": "BYTES",
    "hour_of_day": "INT64",
    "device": "BYTES",
}
NUMPY = {"INT64": np.int64, "BYTES": object}
OUTCOMES_AT_ONCE = 500


def main():
    options = parse_options()
    gateway = Grpc(options) if options.protocol == "grpc" else Http(options)
    rows = pq.read_table(options.data / "traffic.parquet").to_pandas()
    if options.malformed:
        print(json.dumps({"errors": malformed(gateway, rows)}))
        return
    wanted = options.requests * options.rows
    start = np.random.default_rng(options.seed).integers(0, len(rows))
    rows = rows.iloc[(start + np.arange(wanted)) % len(rows)].reset_index(drop=True)
    print(json.dumps(drive(gateway, rows, options)))


def parse_options():
    parser = argparse.ArgumentParser(description="Sends today's requests and posts what became of them.")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("data"))
    parser.add_argument("--protocol", choices=["http", "grpc"], default="http")
    parser.add_argument("--address", help="HOST:PORT of the gateway (default: 127.0.0.1, port 8000 or 8001)")
    parser.add_argument("--outcomes", help="HOST:PORT to post outcomes to (default: nowhere)")
    parser.add_argument("--model", default="click-ranker")
    parser.add_argument("--version", default="", help="name this version instead of taking what the gateway picks")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--rows", type=int, default=1, help="rows of each request (default: 1)")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--malformed", action="store_true")
    options = parser.parse_args()
    options.address = options.address or f"127.0.0.1:{8001 if options.protocol == 'grpc' else 8000}"
    return options


class Http:
    def __init__(self, options):
        import tritonclient.http as client

        self.client, self.model, self.version = client, options.model, getattr(options, "version", "")
        self.connection = client.InferenceServerClient(options.address, concurrency=1)

    def infer(self, inputs):
        tensors = []
        for name, (kind, values) in inputs.items():
            tensor = self.client.InferInput(name, list(values.shape), kind)
            tensor.set_data_from_numpy(values)
            tensors.append(tensor)
        answer = self.connection.infer(self.model, tensors, model_version=self.version, headers=authorization())
        response = answer.get_response()
        return answer.as_numpy("probabilities"), response["model_version"], response["parameters"]["prediction_id"]


class Grpc:
    def __init__(self, options):
        import tritonclient.grpc as client

        self.client, self.model, self.version = client, options.model, getattr(options, "version", "")
        self.connection = client.InferenceServerClient(options.address)

    def infer(self, inputs):
        tensors = []
        for name, (kind, values) in inputs.items():
            tensor = self.client.InferInput(name, list(values.shape), kind)
            tensor.set_data_from_numpy(values)
            tensors.append(tensor)
        answer = self.connection.infer(self.model, tensors, model_version=self.version, headers=authorization())
        response = answer.get_response()
        prediction = response.parameters["prediction_id"].string_param
        return answer.as_numpy("probabilities"), response.model_version, prediction


def authorization():
    token = os.environ.get("CROSSTIE_TOKEN")
    return {"authorization": f"Bearer {token}"} if token else None


def tensors(rows):
    return {name: (kind, rows[name].to_numpy(NUMPY[kind]).reshape(-1, 1)) for name, kind in KINDS.items()}


def drive(gateway, rows, options):
    versions, seconds, predictions, scores, outcomes, failures = Counter(), [], [], [], [], []
    for request in range(options.requests):
        part = rows.iloc[request * options.rows : (request + 1) * options.rows]
        inputs = tensors(part)
        began = time.perf_counter()
        try:
            probabilities, version, prediction = gateway.infer(inputs)
        except Exception as error:  # any failed request counts, whatever failed
            failures.append(str(error))
            continue
        seconds.append(time.perf_counter() - began)
        versions[version] += 1
        predictions.append(prediction)
        scores.extend(float(score) for score in probabilities[:, 1])
        for row, (clicked, purchased) in enumerate(zip(part["clicked"], part["purchased"], strict=True)):
            for event, happened in [("click", clicked), ("purchase", purchased)]:
                if happened:
                    outcomes.append({"prediction_id": f"{prediction}:{row}", "event": event, "value": 1.0})
    report = {
        "requests": options.requests,
        "errors": len(failures),
        "versions": versions,
        "outcomes": post(outcomes, options.outcomes) if options.outcomes else 0,
        "mean_score": float(np.mean(scores)) if scores else None,
        "p50_ms": percentile(seconds, 50),
        "p95_ms": percentile(seconds, 95),
        "p99_ms": percentile(seconds, 99),
        "prediction_ids": predictions,
    }
    if failures:
        report["first_error"] = failures[0]
        print(failures[0], file=sys.stderr)
    return report


def post(outcomes, address):
    accepted = 0
    for start in range(0, len(outcomes), OUTCOMES_AT_ONCE):
        batch = {"outcomes": outcomes[start : start + OUTCOMES_AT_ONCE]}
        accepted += call("/crosstie/v1/outcomes", batch, server=f"http://{address}")["accepted"]
    return accepted


def percentile(seconds, share):
    return float(np.percentile(seconds, share) * 1000) if seconds else None


def malformed(gateway, rows):
    """Requests that are wrong in one input each, and what they were told, by that input."""
    good = tensors(rows.iloc[:2])

    def without(name):
        return {key: value for key, value in good.items() if key != name}

    def replaced(name, kind, values):
        return {**good, name: (kind, values)}

    wrong = {
        "user_id": replaced("user_id", "BYTES", np.array([["one"], ["two"]], object)),
        "hour_of_day": without("hour_of_day"),
        "device": replaced("device", "BYTES", np.array([["phone"]], object)),
        "customer_id": replaced("customer_id", "BYTES", np.array([["acme", "globex"], ["acme", "globex"]], object)),
        "colour": {**good, "colour": ("BYTES", np.array([["red"], ["red"]], object))},
        # Not malformed, but unknown: an item without a price cannot be ranked, and nobody makes one up.
        "item_id": replaced("item_id", "INT64", np.array([[10**9], [10**9 + 1]], np.int64)),
    }
    told = {}
    for name, inputs in wrong.items():
        try:
            gateway.infer(inputs)
            told[name] = "it was answered"
        except Exception as error:  # the client's own exception, whatever the protocol
            told[name] = str(error)
    return told


if __name__ == "__main__":
    main()
