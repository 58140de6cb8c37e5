"""What the story does with the stock MLflow client, beside the project's own steps. The last line of output is JSON.

    registry.py metrics MODEL VERSION           metrics of the run behind a version
    registry.py by-hand MODEL VERSION           register the files of VERSION again, from a run that says nothing of itself
    registry.py newest MODEL                    the version that was registered last
    registry.py alias MODEL ALIAS               the version that an alias names, or null
    registry.py forbidden MODEL VERSION         try what only a release may do, and tell what was answered
    registry.py write FILE                      log to runs until the server is gone; each acknowledged write is a line of FILE
    registry.py written FILE                    compare the lines of FILE with what the server has
"""

import json
import os
import sys
import tempfile

# A refusal is an answer here, not a reason to try again for minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

client = MlflowClient()


def metrics(model, version):
    run = client.get_run(client.get_model_version(model, version).run_id)
    return {"metrics": run.data.metrics, "params": run.data.params}


def by_hand(model, version):
    run = client.create_run(client.create_experiment("by hand"), run_name="by hand").info
    with tempfile.TemporaryDirectory() as folder:
        files = mlflow.artifacts.download_artifacts(f"models:/{model}/{version}", dst_path=folder)
        client.log_artifacts(run.run_id, files, "model")
    made = client.create_model_version(model, f"{run.artifact_uri}/model", run.run_id, description="registered by hand")
    return {"version": int(made.version)}


def newest(model):
    found = client.search_model_versions(f"name='{model}'")
    return {"version": max(int(version.version) for version in found)}


def alias(model, name):
    try:
        return {"version": int(client.get_model_version_by_alias(model, name).version)}
    except MlflowException:
        return {"version": None}


def forbidden(model, version):
    attempts = {
        "set alias": lambda: client.set_registered_model_alias(model, "production", version),
        "delete alias": lambda: client.delete_registered_model_alias(model, "production"),
        "delete version": lambda: client.delete_model_version(model, version),
        "rename model": lambda: client.rename_registered_model(model, model + "-renamed"),
        "delete model": lambda: client.delete_registered_model(model),
    }
    answers = {}
    for name, attempt in attempts.items():
        try:
            attempt()
            answers[name] = {"refused": False, "message": "it was done"}
        except MlflowException as error:
            answers[name] = {"refused": True, "message": error.message}
    return answers


def write(file):
    experiment = client.create_experiment(f"written until killed {os.getpid()}")
    acknowledged = 0
    with open(file, "w", encoding="utf-8") as lines:
        try:
            while True:
                run = client.create_run(experiment).info.run_id
                for step in range(20):
                    client.log_metric(run, "loss", float(step), step=step)
                    client.log_param(run, f"p{step}", step)
                    print(run, step, file=lines, flush=True)
                    acknowledged += 1
        except Exception as error:  # whatever a client sees when its server is killed
            return {"acknowledged": acknowledged, "ended": type(error).__name__}


def written(file):
    last = {}
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            run, step = line.split()
            last[run] = int(step)
    missing = []
    for run, step in last.items():
        data = client.get_run(run).data
        for n in range(step + 1):
            if f"p{n}" not in data.params:
                missing.append(f"{run} p{n}")
        if data.metrics.get("loss", -1) < step:
            missing.append(f"{run} loss at {step}")
    return {"runs": len(last), "acknowledged": sum(step + 1 for step in last.values()), "missing": missing}


commands = {
    "metrics": metrics,
    "by-hand": by_hand,
    "newest": newest,
    "alias": alias,
    "forbidden": forbidden,
    "write": write,
    "written": written,
}
print(json.dumps(commands[sys.argv[1]](*sys.argv[2:])))
