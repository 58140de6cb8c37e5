"""What is logged on runs: metrics, params, tags, inputs and outputs."""


def play(t):
    t.post("experiments/create", {"name": "of logging"}, keep={"e": "experiment_id"})
    t.post("runs/create", {"experiment_id": "$e", "start_time": 1, "run_name": "logs"}, keep={"r": "run.info.run_id"})
    t.post("runs/create", {"experiment_id": "$e", "start_time": 2, "run_name": "other"}, keep={"s": "run.info.run_id"})
    # What has a wrong type is logged by one server alone, and read on no run that is compared.
    t.post("runs/create", {"experiment_id": "$e", "start_time": 3, "run_name": "odd"}, keep={"odd": "run.info.run_id"})
    metrics(t)
    history(t)
    params(t)
    tags(t)
    batches(t)
    inputs(t)
    log_model(t)


def metrics(t):
    metric = {"run_id": "$r", "key": "auc", "value": 0.5, "timestamp": 1000, "step": 1}

    def run(value):
        wrong = value is None or isinstance(value, (bool, list)) or value in ("x", "inf", "nan", "1e400", 1.5, 2**63, 10**400)
        return "$odd" if wrong else "$r"

    t.post("runs/log-metric", metric)
    t.post("runs/log-metric", metric)
    for value in ("NaN", "nan", "Infinity", "-Infinity", "inf", "1.5", "1e3", 1, -0.0, 1e308, "1e400", 5e-324, "x", True, [], 10**400):
        t.post("runs/log-metric", {**metric, "run_id": run(value), "key": "values", "value": value}, text=value != 10**400)
    for timestamp in (0, -1, "5", 1.0, 1.5, 2**62, 2**63, "x", 1e3):
        t.post("runs/log-metric", {**metric, "run_id": run(timestamp), "key": "times", "timestamp": timestamp}, text=timestamp != 2**63)
    for step in (0, -3, "7", 2**62, 2**63, 1.5, None, "x"):
        t.post("runs/log-metric", {**metric, "run_id": run(step), "key": "steps", "step": step}, text=step != 2**63)
    for key in ("a/../b", "a//b", "/a", ".", "..", "a/", "a b", "a*b", "k" * 250, "k" * 251, "ä", "a:b", "a\nb"):
        t.post("runs/log-metric", {**metric, "key": key})
    t.post("runs/log-metric", {**metric, "run_id": "nope"})
    t.post("runs/log-metric", {"run_uuid": "$r", "key": "by uuid", "value": 1, "timestamp": 1})
    t.post("runs/log-metric", {**metric, "key": "on data", "dataset_name": "d", "dataset_digest": "1"})
    t.post("runs/log-metric", {**metric, "key": "on model", "model_id": "m-nope"}, text=False)
    t.vary("POST", "runs/log-metric", {**metric, "run_id": "$odd", "key": "varied", "dataset_name": "d", "dataset_digest": "1"})
    t.get("runs/get", {"run_id": "$r"})


def history(t):
    for step, value in enumerate((1.0, "NaN", "Infinity", 0.5, -2)):
        t.post("runs/log-metric", {"run_id": "$r", "key": "h", "value": value, "timestamp": 5 - step, "step": step})
    t.get("metrics/get-history", {"run_id": "$r", "metric_key": "h"})
    t.get("metrics/get-history", {"run_id": "$r", "metric_key": "h", "max_results": 2}, keep={"page": "next_page_token"})
    t.get("metrics/get-history", {"run_id": "$r", "metric_key": "h", "max_results": 2, "page_token": "$page"})
    for most in (0, -1, 5, 6, "x", 25_000, 25_001, 1_000_000, ""):
        t.get("metrics/get-history", {"run_id": "$r", "metric_key": "h", "max_results": most}, text=most not in ("x", ""))
    t.get("metrics/get-history", {"run_id": "$r", "metric_key": "h", "page_token": "x"})
    t.get("metrics/get-history", {"run_id": "$r", "metric_key": "h", "max_results": 2, "page_token": "x"})
    t.get("metrics/get-history", {"run_id": "$r", "metric_key": "none"})
    t.get("metrics/get-history", {"run_id": "nope", "metric_key": "h"})
    t.get("metrics/get-history", {"run_id": "$r"})
    t.get("metrics/get-history", {"metric_key": "h"})
    t.get("metrics/get-history", {"run_uuid": "$r", "metric_key": "h"})
    t.get("metrics/get-history", {"run_id": ["$s", "$r"], "metric_key": ["h", "x"]})
    t.get("metrics/get-history", {"run_id": "$r", "metric_key": "values"})
    t.get("metrics/get-history", {"run_id": "$r", "metric_key": "on data"})
    t.get("metrics/get-history-bulk-interval", {"run_ids": ["$r", "$s"], "metric_key": "h"})
    t.get("metrics/get-history-bulk-interval", {"run_ids": "$r", "metric_key": "h", "start_step": 1, "end_step": 3, "max_results": 2},
          meant="its tests of before 3.17 want points at the same steps in every run, not spread over each run's own")
    t.get("metrics/get-history-bulk-interval", {"run_ids": "$r", "metric_key": "h", "start_step": 3, "end_step": 1})
    t.get("metrics/get-history-bulk-interval", {"run_ids": "$r", "metric_key": "h", "start_step": 3})


def params(t):
    param = {"run_id": "$r", "key": "depth", "value": "3"}
    t.post("runs/log-parameter", param)
    t.post("runs/log-parameter", param)
    t.post("runs/log-parameter", {**param, "value": "4"})
    t.post("runs/log-parameter", {**param, "key": "empty", "value": ""})
    t.post("runs/log-parameter", {**param, "key": "long", "value": "v" * 6_001})
    t.post("runs/log-parameter", {**param, "key": "long", "value": "v" * 6_002})
    t.post("runs/log-parameter", {**param, "key": "quotes", "value": "it's \"so\"\n"})
    t.post("runs/log-parameter", {**param, "key": "quotes", "value": "other"})
    t.post("runs/log-parameter", {**param, "key": "case", "value": "A"})
    t.post("runs/log-parameter", {**param, "key": "Case", "value": "B"})
    for key in ("a/../b", "a//b", ".", "a b", "a*b", "k" * 250, "k" * 251, "a\nb"):
        t.post("runs/log-parameter", {**param, "key": key})
    t.post("runs/log-parameter", {**param, "run_id": "nope"})
    t.vary("POST", "runs/log-parameter", {**param, "key": "varied"})


def tags(t):
    tag = {"run_id": "$r", "key": "team", "value": "ranking"}
    t.post("runs/set-tag", tag)
    t.post("runs/set-tag", {**tag, "value": "search"})
    t.post("runs/set-tag", {**tag, "key": "long", "value": "v" * 8_001})
    t.post("runs/set-tag", {**tag, "key": "mlflow.runName", "value": "renamed by tag"})
    t.post("runs/set-tag", {**tag, "key": "mlflow.runName", "value": ""})
    t.get("runs/get", {"run_id": "$r"})
    for key in ("a/../b", "a//b", ".", "a b", "a*b", "k" * 250, "k" * 251):
        t.post("runs/set-tag", {**tag, "key": key})
    t.post("runs/set-tag", {**tag, "run_id": "nope"})
    t.vary("POST", "runs/set-tag", tag)
    t.post("runs/delete-tag", {"run_id": "$r", "key": "team"})
    t.post("runs/delete-tag", {"run_id": "$r", "key": "team"})
    t.post("runs/delete-tag", {"run_id": "nope", "key": "team"})
    t.post("runs/delete-tag", {"run_id": "$r", "key": "mlflow.runName"})
    t.vary("POST", "runs/delete-tag", {"run_id": "$r", "key": "team"})
    t.get("runs/get", {"run_id": "$r"})


def batches(t):
    good = {
        "run_id": "$s",
        "metrics": [{"key": "m", "value": 1.5, "timestamp": 1, "step": 2}, {"key": "m", "value": "NaN", "timestamp": 2, "step": 2}],
        "params": [{"key": "p", "value": "1"}, {"key": "q", "value": "2"}],
        "tags": [{"key": "t", "value": "1"}, {"key": "t", "value": "2"}],
    }
    t.post("runs/log-batch", good)
    t.post("runs/log-batch", good)
    t.get("runs/get", {"run_id": "$s"})
    t.vary("POST", "runs/log-batch", good)
    run = {"run_id": "$s"}
    t.post("runs/log-batch", {**run, "params": [{"key": "p", "value": "9"}, {"key": "new", "value": "1"}]})
    t.post("runs/log-batch", {**run, "params": [{"key": "p", "value": "9"}, {"key": "q", "value": "9"}]}, text=False)
    t.post("runs/log-batch", {**run, "params": [{"key": "d", "value": "1"}, {"key": "d", "value": "1"}]})
    t.post("runs/log-batch", {**run, "params": [{"key": "d", "value": "1"}, {"key": "d", "value": "2"}]})
    for count in (1_000, 1_001):
        t.post("runs/log-batch", {**run, "metrics": [{"key": f"many{i}", "value": i, "timestamp": 1} for i in range(count)]})
    for name in ("params", "tags"):
        for count in (100, 101):
            t.post("runs/log-batch", {**run, name: [{"key": f"many{i}", "value": "v"} for i in range(count)]})
    metrics = [{"key": f"over{i}", "value": i, "timestamp": 1} for i in range(950)]
    t.post("runs/log-batch", {**run, "metrics": metrics, "tags": [{"key": f"o{i}", "value": "v"} for i in range(60)]})
    t.post("runs/create", {"experiment_id": "$e", "start_time": 4, "run_name": "long"}, keep={"long": "run.info.run_id"})
    t.post("runs/log-batch", {"run_id": "$long", "tags": [{"key": f"o{i}", "value": "v" * 20_000} for i in range(60)]})
    t.post("runs/log-batch", {"run_id": "$long", "params": [{"key": f"p{i}", "value": "\u00e4" * 12_000} for i in range(100)]})
    t.get("runs/get", {"run_id": "$long"})
    metric = {"key": "k", "value": 1, "timestamp": 1, "step": 0}
    for field in metric:
        missing = {name: value for name, value in metric.items() if name != field}
        t.post("runs/log-batch", {**run, "metrics": [metric, missing]})
        for value in (None, "", "x", [], {}, True, 1.5):
            t.post("runs/log-batch", {"run_id": "$odd", "metrics": [{**metric, field: value}]})
    for name in ("params", "tags"):
        for entry in ({"key": "a/../b", "value": "v"}, {"key": "k" * 251, "value": "v"}, {"key": "", "value": "v"}, {"value": "v"}, {"key": "nv"}, {"key": "five", "value": 5}, {"key": 5, "value": "v"}, "x", 5, None, []):
            t.post("runs/log-batch", {"run_id": "$odd", name: [{"key": "ok", "value": "v"}, entry]})
    for key in ("a/../b", "k" * 251, "a*b", "."):
        t.post("runs/log-batch", {**run, "metrics": [{**metric, "key": key}]})
    t.post("runs/log-batch", {**run, "metrics": [{**metric, "timestamp": -1}]})
    t.post("runs/log-batch", {**run, "params": [{"key": "cut", "value": "v" * 6_001}], "tags": [{"key": "cut", "value": "v" * 8_001}]})
    t.post("runs/log-batch", {"run_id": "nope", "metrics": []})
    t.post("runs/log-batch", {"run_id": "a/b", "metrics": []})
    t.post("runs/log-batch", {"run_uuid": "$s"})
    t.post("runs/log-batch", {**run, "runId": "$r"})
    t.post("runs/log-batch", {**run, "runId": None})
    t.post("runs/log-batch", {**run, "metrics": [{**metric, "model_id": "", "modelId": ""}]})
    t.post("runs/log-metric", {**run, **metric, "dataset_name": "d", "datasetName": "d"})
    t.post("runs/log-batch", {**run, "some_thing": 1, "someThing": 2})
    t.post("runs/log-batch", ["$odd", [], [], []], text=False)
    for name, entry in (("metrics", ["listed", 1, 5]), ("params", ["listed", "v"]), ("tags", ["listed", "v"])):
        t.post("runs/log-batch", {"run_id": "$odd", name: [entry]}, text=False)
    for half in ({"dataset_name": "d"}, {"dataset_digest": "1"}, {"dataset_name": "d", "dataset_digest": ""}, {"dataset_name": "d", "dataset_digest": "1"}):
        t.post("runs/log-batch", {**run, "metrics": [{**metric, "key": "halves", **half}]})
        t.post("runs/log-metric", {**run, **metric, "key": "halves", **half})
    t.post("runs/log-batch", {"run_id": "a/b", "metrics": [{**metric, "key": "a/../b", "dataset_name": "d"}]})
    t.post("runs/log-batch", {**run, "tags": [{"key": "mlflow.runName", "value": "by batch"}]})
    t.get("runs/get", {"run_id": "$s"})
    t.post("runs/log-batch", {**run, "tags": [{"key": "mlflow.runName", "value": ""}, {"key": "beside", "value": "v"}]})
    t.post("runs/log-batch", {**run, "tags": [{"key": "mlflow.runName", "value": "twice"}, {"key": "mlflow.runName", "value": ""}]})
    t.get("runs/get", {"run_id": "$s"})


def inputs(t):
    dataset = {"name": "clicks", "digest": "d1", "source_type": "local", "source": "{}", "schema": "{}", "profile": "{}"}
    one = {"dataset": dataset, "tags": [{"key": "mlflow.data.context", "value": "train"}]}
    t.post("runs/log-inputs", {"run_id": "$r", "datasets": [one]})
    t.post("runs/log-inputs", {"run_id": "$r", "datasets": [one]})
    t.post("runs/log-inputs", {"run_id": "$r", "datasets": [{"dataset": {**dataset, "digest": "d2"}}]})
    t.post("runs/log-inputs", {"run_id": "$r", "datasets": [{"dataset": {"name": "bare", "digest": "d", "source_type": "t", "source": "s"}}]})
    for field, length in (("name", 500), ("digest", 36), ("source", 65_535), ("schema", 1_048_575)):
        t.post("runs/log-inputs", {"run_id": "$r", "datasets": [{"dataset": {**dataset, field: "x" * (length + 1)}}]})
    for field in dataset:
        t.post("runs/log-inputs", {"run_id": "$r", "datasets": [{"dataset": {n: v for n, v in dataset.items() if n != field}}]}, text=False)
    t.post("runs/log-inputs", {"run_id": "$r", "datasets": [{"dataset": dataset, "tags": [{"key": "k" * 256, "value": "v"}]}]})
    t.post("runs/log-inputs", {"run_id": "$r", "datasets": [{"dataset": dataset, "tags": [{"key": "k", "value": "v" * 501}]}]})
    t.post("runs/log-inputs", {"run_id": "$odd", "datasets": [{}]})
    t.post("runs/log-inputs", {"run_id": "$odd", "datasets": [5]}, text=False)
    t.post("runs/log-inputs", {"run_id": "$r"})
    t.post("runs/log-inputs", {"run_id": "nope", "datasets": [one]})
    t.post("runs/log-inputs", {"run_id": "a/b", "datasets": [one]})
    t.post("runs/log-inputs", {"run_id": "$r", "models": [{"model_id": "m-in"}]})
    t.post("runs/log-inputs", {"run_id": "$odd", "models": [{}]}, text=False)
    t.post("runs/outputs", {"run_id": "$r", "models": [{"model_id": "m-out", "step": 3}]})
    t.post("runs/outputs", {"run_id": "$r", "models": [{"model_id": "m-out", "step": 3}]})
    t.post("runs/outputs", {"run_id": "$r", "models": []})
    t.post("runs/outputs", {"run_id": "nope", "models": [{"model_id": "m-out"}]})
    t.vary("POST", "runs/outputs", {"run_id": "$r", "models": [{"model_id": "m-out2", "step": 0}]})
    t.vary("POST", "runs/log-inputs", {"run_id": "$r", "datasets": [one], "models": []})
    t.get("runs/get", {"run_id": "$r"})


def log_model(t):
    model = '{"artifact_path": "m", "flavors": {"x": {"config": 1, "y": 2}}, "utc_time_created": "t", "run_id": "r", "metadata": {"a": 1}}'
    t.post("runs/log-model", {"run_id": "$r", "model_json": model})
    t.post("runs/log-model", {"run_id": "$r", "model_json": model})
    for text in ("{", "5", "[]", "{}", '{"artifact_path": "m"}', "null"):
        t.post("runs/log-model", {"run_id": "$r", "model_json": text}, text=text != '{"artifact_path": "m"}' and text != "{}")
    t.post("runs/log-model", {"run_id": "nope", "model_json": model})
    t.vary("POST", "runs/log-model", {"run_id": "$r", "model_json": model})
    t.get("runs/get", {"run_id": "$r"})
