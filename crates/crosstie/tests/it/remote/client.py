"""What a team does with a managed MLflow: trains, registers, and looks at it, with the stock client.

Called with a tracking URI, a step, and the step's arguments as JSON; answers JSON.
"""

import json
import sys
import tempfile
from pathlib import Path

import mlflow
import pandas as pd
from mlflow import MlflowClient

MODEL = "ranker"


def trained(client, declaration):
    """A run that says where it comes from as any run may, with a model among its artifacts."""
    with mlflow.start_run(run_name="trained elsewhere") as run:
        frame = pd.DataFrame({"user_id": [1, 2, 3], "label": [0, 1, 1]})
        dataset = mlflow.data.from_pandas(frame, source="https://data.example/clicks.parquet", name="clicks")
        mlflow.log_input(dataset, context="training")
        mlflow.log_params({"depth": 3})
        mlflow.log_metric("auc", 0.75)
        mlflow.set_tags({
            "mlflow.source.git.commit": "0123456789012345678901234567890123456789",
            "mlflow.source.git.dirty": "false",
            "crosstie.features": "{}",
        })
        mlflow.log_text("mlflow==3.17.2\n", "crosstie/environment.txt")
        mlflow.log_text("user_id,label\n1,0\n", "evaluation/notes.csv")
        mlflow.log_text(declaration, "model/http.yaml")
        mlflow.log_text("more", "model/nested/deeper/more file.txt")
    return run.info


def register(client, declarations):
    """Three versions: of a run's artifacts, of a logged model, and a copy of the first."""
    mlflow.set_experiment("elsewhere")
    client.create_registered_model(MODEL)
    first = trained(client, declarations[0])
    client.create_model_version(MODEL, first.artifact_uri + "/model", first.run_id)

    second = trained(client, declarations[1])
    logged = client.create_logged_model(second.experiment_id, name="ranker", source_run_id=second.run_id)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "http.yaml").write_text(declarations[1])
        client.log_model_artifacts(logged.model_id, folder)
    client.finalize_logged_model(logged.model_id, "READY")
    client.create_model_version(MODEL, f"models:/{logged.model_id}", second.run_id, model_id=logged.model_id)

    client.copy_model_version(f"models:/{MODEL}/1", MODEL)
    # Where nobody can follow without credentials for that store.
    client.create_model_version(MODEL, "dbfs:/models/ranker", second.run_id)
    return {"run": first.run_id, "uri": first.artifact_uri}


def look(client, version):
    """What a client finds."""
    found = client.get_model_version(MODEL, version)
    run = client.get_run(found.run_id)
    folder = mlflow.artifacts.download_artifacts(f"models:/{MODEL}/{version}")
    names = sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())
    return {
        "versions": sorted(int(found.version) for found in client.search_model_versions(f"name='{MODEL}'")),
        "auc": run.data.metrics["auc"],
        "files": names,
        "runs": len(mlflow.search_runs(experiment_names=["elsewhere"])),
    }


def write(client, run):
    """What a client may not do, and what it is told."""
    try:
        client.log_metric(run, "auc", 1.0)
    except mlflow.exceptions.MlflowException as error:
        return {"told": str(error)}
    return {"told": None}


def alias(client, version):
    """Whom the alias names, or sets it."""
    if version is not None:
        client.set_registered_model_alias(MODEL, "production", version)
    return {"version": client.get_registered_model(MODEL).aliases.get("production")}


mlflow.set_tracking_uri(sys.argv[1])
step = {"register": register, "look": look, "write": write, "alias": alias}[sys.argv[2]]
print(json.dumps(step(MlflowClient(), json.loads(sys.argv[3]))))
