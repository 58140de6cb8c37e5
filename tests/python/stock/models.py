"""Models: logged, registered, loaded by number and alias, copied, searched."""

from checks import held, refused

import mlflow
import numpy
import pandas
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

client = MlflowClient()
experiment = mlflow.set_experiment("stock models")
data = pandas.DataFrame({"x": [1.0, 2.0, 3.0]})
PINNED = ["scikit-learn"]


def fitted(slope):
    return LinearRegression(fit_intercept=False).fit(data[["x"]], slope * data["x"])


def predicts(uri):
    return [round(float(value), 6) for value in mlflow.pyfunc.load_model(uri).predict(data)]


def log(slope, **more):
    return mlflow.sklearn.log_model(fitted(slope), name="model", signature=infer_signature(data, numpy.array([1.0])),
                                    pip_requirements=PINNED, **more)


for slope in (1, 2, 3):
    with mlflow.start_run(run_name=f"slope {slope}") as run:
        mlflow.log_metric("slope", slope)
        logged = log(slope, registered_model_name="line", params={"slope": slope})
held("versions", [(v.version, v.status, v.current_stage) for v in client.search_model_versions("name = 'line'")])
held("models:/line/3", predicts("models:/line/3"), [3.0, 6.0, 9.0])
held("models:/line/1", predicts("models:/line/1"), [1.0, 2.0, 3.0])
held("models:/line/latest", predicts("models:/line/latest"), [3.0, 6.0, 9.0])
held("a logged model by its id", predicts(f"models:/{logged.model_id}"), [3.0, 6.0, 9.0])
held("a run's model", predicts(f"runs:/{run.info.run_id}/model"), [3.0, 6.0, 9.0])
client.set_registered_model_alias("line", "champion", "2")
held("models:/line@champion", predicts("models:/line@champion"), [2.0, 4.0, 6.0])
client.set_registered_model_alias("line", "champion", 3)
held("moved", predicts("models:/line@champion"), [3.0, 6.0, 9.0])
held("the model's aliases", client.get_registered_model("line").aliases)
held("the version's aliases", client.get_model_version_by_alias("line", "champion").aliases, ["champion"])
client.delete_registered_model_alias("line", "champion")
refused("no such alias", lambda: mlflow.pyfunc.load_model("models:/line@champion"))
refused("no such version", lambda: mlflow.pyfunc.load_model("models:/line/9"))

with mlflow.start_run(run_name="later") as later:
    model = log(4)
by_run = mlflow.register_model(f"runs:/{later.info.run_id}/model", "registered later", tags={"from": "run"})
by_id = mlflow.register_model(f"models:/{model.model_id}", "registered later")
held("registered", [(v.name, v.version, v.run_id == later.info.run_id) for v in (by_run, by_id)])
held("its tags", client.get_model_version("registered later", "1").tags, {"from": "run"})
held("both load", (predicts("models:/registered later/1"), predicts("models:/registered later/2")),
     ([4.0, 8.0, 12.0], [4.0, 8.0, 12.0]))

copied = client.copy_model_version("models:/line/2", "production line")
again = client.copy_model_version("models:/line/2", "production line")
held("copies", [(c.name, c.version, c.source, c.run_id != "") for c in (copied, again)],
     [("production line", "1", "models:/line/2", True), ("production line", "2", "models:/line/2", True)])
held("a copy loads", predicts("models:/production line/1"), [2.0, 4.0, 6.0])
held("a copy of a copy", client.copy_model_version("models:/production line/1", "archive").source,
     "models:/production line/1")
held("loads, too", predicts("models:/archive/1"), [2.0, 4.0, 6.0])
refused("a copy of nothing", lambda: client.copy_model_version("models:/line/9", "nowhere"))

client.update_registered_model("line", description="a line")
client.set_registered_model_tag("line", "team", "geometry")
client.update_model_version("line", "1", description="flat")
client.set_model_version_tag("line", "1", "checked", "yes")
client.delete_model_version_tag("line", "1", "checked")
held("described", (client.get_registered_model("line").description, client.get_registered_model("line").tags,
                   client.get_model_version("line", "1").description, client.get_model_version("line", "1").tags),
     ("a line", {"team": "geometry"}, "flat", {}))
client.transition_model_version_stage("line", "1", "Staging")
client.transition_model_version_stage("line", "2", "Staging", archive_existing_versions=True)
held("stages", [(v.version, v.current_stage) for v in client.search_model_versions("name = 'line'")])
held("latest of stages", [(v.version, v.current_stage) for v in client.get_latest_versions("line", ["Staging", "Archived"])])
held("search for models", [m.name for m in client.search_registered_models("name LIKE '%line%'", order_by=["name ASC"])])
held("by a tag", [m.name for m in client.search_registered_models("tags.team = 'geometry'")], ["line"])
client.rename_registered_model("archive", "attic")
held("renamed", client.get_model_version("attic", "1").name, "attic")
client.delete_model_version("line", "3")
refused("a deleted version", lambda: client.get_model_version("line", "3"))
client.delete_registered_model("attic")
refused("a deleted model", lambda: client.get_registered_model("attic"))

models = client.search_logged_models([experiment.experiment_id], "params.slope = '2'")
held("logged models by param", [(m.name, m.params["slope"]) for m in models], [("model", "2")])
found = mlflow.search_logged_models([experiment.experiment_id], output_format="list",
                                    order_by=[{"field_name": "creation_timestamp", "ascending": True}])
held("logged models", [(m.name, str(m.status), m.params) for m in found])
mine = found[0].model_id
mlflow.set_logged_model_tags(mine, {"stage": "old"})
mlflow.delete_logged_model_tag(mine, "stage")
mlflow.set_logged_model_tags(mine, {"stage": "older"})
held("tags of a logged model", mlflow.get_logged_model(mine).tags["stage"], "older")
with mlflow.start_run(run_name="evaluated"):
    mlflow.log_metric("error", 0.25, model_id=mine)
held("a metric of a logged model", sorted((m.key, m.value) for m in mlflow.get_logged_model(mine).metrics))
outputs = client.get_run(later.info.run_id).outputs.model_outputs
held("outputs of a run", [o.model_id == model.model_id for o in outputs], [True])
mlflow.initialize_logged_model(name="by hand", model_type="agent")
held("made by hand", [str(m.status) for m in client.search_logged_models([experiment.experiment_id], "name = 'by hand'")])
