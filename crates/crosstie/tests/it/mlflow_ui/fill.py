"""Fills a registry with the stock client: what a team has after a while, of every kind that MLflow's web UI shows.

The first argument is the server's address. What was made is printed as JSON, for the visitor of the pages to look for.
"""

import json
import logging
import os
import sys
import warnings

os.environ["MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"] = "false"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
# Says that no git is at hand, and that it is a beta: nothing that a test could act on.
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
warnings.filterwarnings("ignore")
logging.getLogger("mlflow").setLevel(logging.ERROR)

import mlflow
import numpy
import pandas
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

RUNS = 30
STEPS = 40


def features():
    random = numpy.random.default_rng(7)
    frame = pandas.DataFrame({"clicks_7d": random.random(80), "price": random.random(80) * 100})
    return frame, (frame["clicks_7d"] > 0.5).astype(int)


def many_runs(client, experiment):
    """Runs with everything that a row of the table shows."""
    ids = []
    for index in range(RUNS):
        with mlflow.start_run(experiment_id=experiment, run_name=f"candidate-{index:02d}") as run:
            mlflow.log_params({"depth": index % 5 + 2, "x": "left" if index % 2 else "right", "learning_rate": 0.1 / (index + 1)})
            mlflow.set_tags({"team": "ranking", "region": "eu" if index % 3 else "us"})
            mlflow.log_metric("auc", 0.3 + index / 50)
            if index < 4:
                for step in range(STEPS):
                    mlflow.log_metrics({"loss": 1 / (step + 1 + index), "val/loss": 1.2 / (step + 1)}, step=step)
            ids.append(run.info.run_id)
    return ids


def rich_run(experiment, frame, labels):
    """One run with an artifact of every kind, datasets and a logged model."""
    with mlflow.start_run(experiment_id=experiment, run_name="everything") as run:
        mlflow.set_tag("mlflow.note.content", "The run that *has everything*.")
        mlflow.log_param("x", "left")
        mlflow.log_metric("auc", 0.97)
        for step in range(STEPS):
            mlflow.log_metrics({"loss": 1 / (step + 1), "val/loss": 1.2 / (step + 1)}, step=step)
        training = mlflow.data.from_pandas(frame, source="clicks.parquet", name="clicks")
        holdout = mlflow.data.from_pandas(frame.head(20), source="holdout.parquet", name="holdout")
        mlflow.log_input(training, context="training")
        mlflow.log_input(holdout, context="validation")
        picture = numpy.zeros((32, 48, 3), dtype=numpy.uint8)
        picture[:, :24] = (200, 30, 30)
        mlflow.log_image(picture, "pictures/red.png")
        for step in range(3):
            mlflow.log_image(picture, key="attention", step=step)
        mlflow.log_table({"question": ["why?", "how?"], "answer": ["because", "like so"]}, "tables/answers.json")
        mlflow.log_text("plain words of a text artifact", "notes/words.txt")
        mlflow.log_dict({"threshold": 0.42, "nested": {"deep": [1, 2, 3]}}, "notes/settings.yaml")
        mlflow.log_dict({"threshold": 0.42}, "notes/settings.json")
        mlflow.log_text("# Heading\n\nSome *markdown* here.", "notes/readme.md")
        mlflow.log_text("<h1>Rendered report</h1>", "reports/report.html")
        mlflow.log_text("city,clicks\nParis,3\nOslo,4\n", "tables/clicks.csv")
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        figure, axes = pyplot.subplots()
        axes.plot([1, 2, 3], [3, 1, 2])
        mlflow.log_figure(figure, "pictures/figure.png")
        model = LogisticRegression().fit(frame, labels)
        signature = infer_signature(frame, model.predict(frame))
        logged = mlflow.sklearn.log_model(
            model, name="ranker", signature=signature, input_example=frame.head(2), params={"C": "1.0"}, pip_requirements=["scikit-learn"]
        )
        mlflow.log_metric("f1", 0.88, model_id=logged.model_id, dataset=training)
        mlflow.log_metric("f1", 0.91, step=1, model_id=logged.model_id, dataset=training)
        return run.info.run_id, logged.model_id


def registered(client, run_id, model_id):
    """Registered models with versions, aliases, stages, tags and descriptions; and a prompt."""
    client.create_registered_model("click-ranker", tags={"task": "ranking"}, description="Ranks what to show.")
    versions = []
    for number in range(3):
        version = mlflow.register_model(f"models:/{model_id}", "click-ranker", tags={"attempt": str(number)})
        versions.append(version.version)
    client.update_model_version("click-ranker", "1", description="The first of its kind.")
    client.set_registered_model_alias("click-ranker", "champion", "2")
    client.set_registered_model_alias("click-ranker", "challenger", "3")
    client.transition_model_version_stage("click-ranker", "1", "Archived")
    client.transition_model_version_stage("click-ranker", "2", "Production")
    client.transition_model_version_stage("click-ranker", "3", "Staging")
    client.create_registered_model("empty-model")
    client.create_registered_model("odd <name> & co")
    mlflow.genai.register_prompt(name="greeting", template="Say hello to {{name}}.", commit_message="first words")
    mlflow.genai.register_prompt(name="greeting", template="Say good day to {{name}}.", commit_message="politer")
    return versions


def main():
    mlflow.set_tracking_uri(sys.argv[1])
    client = MlflowClient()
    experiment = client.create_experiment("ranking", tags={"mlflow.note.content": "Where rankers are *tried*."})
    other = client.create_experiment("pricing")
    gone = client.create_experiment("abandoned")
    client.delete_experiment(gone)
    frame, labels = features()
    runs = many_runs(client, experiment)
    everything, model_id = rich_run(experiment, frame, labels)
    with mlflow.start_run(experiment_id=experiment, run_name="parent") as parent:
        for index in range(3):
            with mlflow.start_run(experiment_id=experiment, run_name=f"child-{index}", nested=True):
                mlflow.log_metric("auc", 0.1 * index)
    deleted = client.create_run(experiment, run_name="thrown-away").info.run_id
    client.set_terminated(deleted)
    client.delete_run(deleted)
    failed = client.create_run(experiment, run_name="failed-one").info.run_id
    client.set_terminated(failed, status="FAILED")
    versions = registered(client, everything, model_id)
    made = {
        "experiment": experiment,
        "other": other,
        "runs": runs,
        "everything": everything,
        "parent": parent.info.run_id,
        "deleted": deleted,
        "failed": failed,
        "logged_model": model_id,
        "versions": versions,
    }
    print(json.dumps(made))


main()
