"""Autologging of scikit-learn and LightGBM: what it logs without a line for it."""

from checks import held, tree

import matplotlib

matplotlib.use("Agg")
import lightgbm  # noqa: E402
import mlflow  # noqa: E402
import numpy  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from sklearn.ensemble import RandomForestClassifier  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.datasets import make_classification  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

client = MlflowClient()
experiment = mlflow.set_experiment("stock autologging")
x, y = make_classification(200, 5, random_state=0)


def shows(what, run_id):
    run = client.get_run(run_id)
    held(f"{what}: status", run.info.status, "FINISHED")
    held(f"{what}: params", run.data.params)
    held(f"{what}: metrics", {key: round(value, 6) for key, value in sorted(run.data.metrics.items())
                              if not key.endswith("time")})
    held(f"{what}: tags", {key: value for key, value in run.data.tags.items()
                           if key in ("estimator_name", "estimator_class", "mlflow.autologging")})
    held(f"{what}: datasets", sorted((i.dataset.name, i.dataset.digest, i.tags[0].value)
                                     for i in run.inputs.dataset_inputs))
    held(f"{what}: files", tree(client, run_id))
    models = client.search_logged_models([experiment.experiment_id], f"source_run_id = '{run_id}'")
    held(f"{what}: models", [(m.name, str(m.status), sorted(m.params) == sorted(run.data.params) or sorted(m.params))
                             for m in models])
    return run


mlflow.sklearn.autolog(log_datasets=True, log_post_training_metrics=True)
with mlflow.start_run(run_name="forest") as run:
    forest = RandomForestClassifier(n_estimators=5, max_depth=3, random_state=0).fit(x, y)
    score = forest.score(x[:50], y[:50])
shows("forest", run.info.run_id)
held("forest: score", round(client.get_run(run.info.run_id).data.metrics["RandomForestClassifier_score-2"]
                            if "RandomForestClassifier_score-2" in client.get_run(run.info.run_id).data.metrics
                            else score, 6))
models = client.search_logged_models([experiment.experiment_id], f"source_run_id = '{run.info.run_id}'")
loaded = mlflow.sklearn.load_model(f"models:/{models[0].model_id}")
held("forest: loads", bool(numpy.array_equal(loaded.predict(x), forest.predict(x))))
held("forest: signature", str(mlflow.models.get_model_info(f"models:/{models[0].model_id}").signature))
with mlflow.start_run(run_name="pipeline") as run:
    make_pipeline(StandardScaler(), LogisticRegression(C=0.5)).fit(x, y)
shows("pipeline", run.info.run_id)
with mlflow.start_run(run_name="grid") as run:
    GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0, 10.0]}, cv=3).fit(x, y)
parent = client.get_run(run.info.run_id)
held("grid: best", {key: value for key, value in parent.data.params.items() if key.startswith("best_")})
children = client.search_runs([experiment.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}'",
                              order_by=["params.C ASC"])
held("grid: children", [(c.data.params["C"], round(c.data.metrics["mean_test_score"], 6)) for c in children])
held("grid: files", tree(client, run.info.run_id))
mlflow.sklearn.autolog(disable=True)

mlflow.lightgbm.autolog(log_datasets=True)
names = [f"feature {number}" for number in range(5)]
training = lightgbm.Dataset(x[:150], y[:150], feature_name=[name.replace(" ", "_") for name in names])
holdout = lightgbm.Dataset(x[150:], y[150:], reference=training)
with mlflow.start_run(run_name="boosted") as run:
    booster = lightgbm.train({"objective": "binary", "num_leaves": 4, "metric": ["auc", "binary_logloss"], "verbose": -1,
                              "seed": 0, "num_threads": 1, "deterministic": True}, training, num_boost_round=8,
                             valid_sets=[holdout], valid_names=["holdout"],
                             callbacks=[lightgbm.early_stopping(3, verbose=False)])
shows("boosted", run.info.run_id)
history = client.get_metric_history(run.info.run_id, "holdout-auc")
held("boosted: a step for each round", [metric.step for metric in history][:4], [0, 1, 2, 3])
held("boosted: importance", mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/feature_importance_split.json"))
models = client.search_logged_models([experiment.experiment_id], f"source_run_id = '{run.info.run_id}'")
version = mlflow.register_model(f"models:/{models[0].model_id}", "boosted")
loaded = mlflow.pyfunc.load_model(f"models:/boosted/{version.version}")
held("boosted: loads", bool(numpy.allclose(loaded.predict(x), booster.predict(x))))
with mlflow.start_run(run_name="classifier") as run:
    lightgbm.LGBMClassifier(n_estimators=4, num_leaves=4, verbose=-1, random_state=0, n_jobs=1).fit(x, y)
shows("classifier", run.info.run_id)
