"""`runs/…` but for what is logged on them, and `artifacts/list`."""


def play(t):
    t.post("experiments/create", {"name": "of runs"}, keep={"e": "experiment_id"})
    making(t)
    updating(t)
    deleting(t)


def making(t):
    tags = [{"key": "team", "value": "ranking"}, {"key": "mlflow.user", "value": "ada"}]
    run = {"experiment_id": "$e", "user_id": "ada", "start_time": 1000, "run_name": "one", "tags": tags}
    t.post("runs/create", run, keep={"one": "run.info.run_id"})
    t.get("runs/get", {"run_id": "$one"})
    t.get("runs/get", {"run_uuid": "$one"})
    for query in ({}, {"run_id": ""}, {"run_id": "nope"}, {"run_id": "a/../b"}, {"run_id": "x" * 300}, {"runId": "$one"}):
        t.get("runs/get", query)
    t.post("runs/create", {"experiment_id": "$e"})
    t.post("runs/create", {"experiment_id": "$e", "run_name": ""})
    t.post("runs/create", {"experiment_id": "$e", "run_name": "n", "tags": [{"key": "mlflow.runName", "value": "n"}]})
    t.post("runs/create", {"experiment_id": "$e", "run_name": "n", "tags": [{"key": "mlflow.runName", "value": "m"}]})
    t.post("runs/create", {"experiment_id": "$e", "run_name": "n", "tags": [{"key": "mlflow.runName", "value": ""}]})
    t.post("runs/create", {"experiment_id": "$e", "tags": [{"key": "mlflow.runName", "value": "tagged"}]})
    t.post("runs/create", {"experiment_id": "$e", "tags": [{"key": "mlflow.runName", "value": ""}]})
    t.post("runs/create", {"experiment_id": "$e", "run_name": "x" * 250})
    t.post("runs/create", {"experiment_id": "$e", "run_name": "ä\n'\""})
    t.post("runs/create", {"experiment_id": "$e", "start_time": 0})
    t.post("runs/create", {"experiment_id": "$e", "start_time": -5})
    for experiment in ("999999", "x", "", None, "-1"):
        t.post("runs/create", {"experiment_id": experiment, "start_time": 5})
    t.post("runs/create", {"start_time": 7})
    for tag in ({"key": "k" * 251, "value": "v"}, {"key": "a/../b", "value": "v"}, {"key": "k", "value": "v" * 8_001}, {"key": "k"}):
        t.post("runs/create", {"experiment_id": "$e", "start_time": 2, "tags": [tag]})
    t.post("runs/create", {"experiment_id": "$e", "start_time": 2, "tags": [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]}, text=False)
    t.vary("POST", "runs/create", run, text=False)


def updating(t):
    t.post("runs/update", {"run_id": "$one", "status": "FINISHED", "end_time": 2000})
    for status in ("RUNNING", "SCHEDULED", "FAILED", "KILLED", "nope", "", 1, 3, 99, None):
        t.post("runs/update", {"run_id": "$one", "status": status})
    t.post("runs/update", {"run_id": "$one", "end_time": 0})
    t.post("runs/update", {"run_id": "$one", "end_time": "3000"})
    t.post("runs/update", {"run_id": "$one", "end_time": -1})
    t.post("runs/update", {"run_id": "$one", "run_name": "two"})
    t.get("runs/get", {"run_id": "$one"})
    t.post("runs/update", {"run_id": "$one", "run_name": ""})
    t.post("runs/update", {"run_id": "$one"})
    t.post("runs/update", {"run_uuid": "$one", "run_name": "by uuid"})
    t.post("runs/update", {"run_id": "nope", "status": "FINISHED"})
    t.vary("POST", "runs/update", {"run_id": "$one", "status": "FINISHED", "end_time": 2000, "run_name": "two"}, text=False)
    t.get("runs/get", {"run_id": "$one"})


def deleting(t):
    t.post("runs/create", {"experiment_id": "$e", "start_time": 3000, "run_name": "doomed"}, keep={"gone": "run.info.run_id"})
    t.post("runs/log-batch", {"run_id": "$gone", "params": [{"key": "p", "value": "1"}], "tags": [{"key": "t", "value": "1"}]})
    t.vary("POST", "runs/delete", {"run_id": "$gone"}, wrong=("", None, [], {}))
    t.post("runs/delete", {"run_id": "$gone"})
    t.post("runs/delete", {"run_id": "$gone"})
    t.post("runs/delete", {"run_id": "nope"})
    t.get("runs/get", {"run_id": "$gone"})
    for path, body in (
        ("runs/log-metric", {"key": "a", "value": 1, "timestamp": 1}),
        ("runs/log-parameter", {"key": "a", "value": "1"}),
        ("runs/set-tag", {"key": "a", "value": "1"}),
        ("runs/delete-tag", {"key": "t"}),
        ("runs/log-batch", {"metrics": [], "params": [], "tags": []}),
        ("runs/log-batch", {"metrics": [{"key": "a", "value": 1, "timestamp": 1}]}),
        ("runs/update", {"status": "FINISHED"}),
        ("runs/log-inputs", {"datasets": []}),
        ("runs/outputs", {"models": [{"model_id": "m-1", "step": 0}]}),
    ):
        t.post(path, {"run_id": "$gone", **body})
    t.get("metrics/get-history", {"run_id": "$gone", "metric_key": "a"})
    t.post("runs/restore", {"run_id": "$gone"})
    t.post("runs/restore", {"run_id": "$gone"})
    t.post("runs/restore", {"run_id": "nope"})
    t.vary("POST", "runs/restore", {"run_id": "$gone"}, wrong=("", None, [], {}))
    t.get("runs/get", {"run_id": "$gone"})
