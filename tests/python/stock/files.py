"""Files of runs: texts, dicts, figures, images by step, tables, folders; and the system's metrics."""

import os

from checks import held, tree

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as pyplot  # noqa: E402
import mlflow  # noqa: E402
import numpy  # noqa: E402
import pandas  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from PIL import Image  # noqa: E402

client = MlflowClient()
mlflow.set_experiment("stock files")

with mlflow.start_run(run_name="files") as run:
    mlflow.log_text("hällo", "notes/hello.txt")
    mlflow.log_dict({"a": [1, 2], "b": None}, "conf/a.json")
    mlflow.log_dict({"a": [1, 2]}, "conf/a.yaml")
    figure, axes = pyplot.subplots()
    axes.plot([1, 2, 3])
    mlflow.log_figure(figure, "plots/line.png")
    pixels = numpy.zeros((4, 6, 3), dtype=numpy.uint8)
    for step in (0, 5):
        pixels[:, :, 0] = 40 * step
        mlflow.log_image(pixels, key="red", step=step)
    mlflow.log_image(Image.new("RGB", (3, 2)), "images/black.png")
    mlflow.log_table({"question": ["a", "b"], "score": [0.1, 0.2]}, "tables/eval.json")
    mlflow.log_table(pandas.DataFrame({"question": ["c"], "score": [0.3]}), "tables/eval.json")
    os.makedirs("folder/inner")
    for name in ("one.txt", "inner/two.txt", "inner/sp ace+%25ü.txt"):
        with open(f"folder/{name}", "w") as file:
            file.write(name)
    mlflow.log_artifacts("folder", "copied")
    mlflow.log_artifact("folder/one.txt")

run_id = run.info.run_id
files = tree(client, run_id)
held("files", [path for path in files if not path.startswith("images/red")])
images = [path.removeprefix("images/") for path in files if path.startswith("images/red")]
held("images of steps", sorted({(path.split("+")[0], path.split("+")[2]) for path in images}), [("red", "0"), ("red", "5")])
held("each with a small one", (len(images), len([path for path in images if "compressed" in path])), (4, 2))
at_five = next(path for path in files if "+step+5+" in path and "compressed" not in path)
loaded = mlflow.artifacts.load_image(f"runs:/{run_id}/{at_five}")
held("an image", (loaded.size, loaded.getpixel((0, 0))), ((6, 4), (200, 0, 0)))
held("a text", mlflow.artifacts.load_text(f"runs:/{run_id}/notes/hello.txt"), "hällo")
held("a dict", mlflow.artifacts.load_dict(f"runs:/{run_id}/conf/a.json"), {"a": [1, 2], "b": None})
held("a figure", mlflow.artifacts.load_image(f"runs:/{run_id}/plots/line.png").size)
table = mlflow.load_table("tables/eval.json", run_ids=[run_id])
held("a table", (list(table["question"]), [round(score, 6) for score in table["score"]]), (["a", "b", "c"], [0.1, 0.2, 0.3]))
table = mlflow.load_table("tables/eval.json", extra_columns=["run_id"])
held("a table with its run", set(table["run_id"]) == {run_id})
held("it is said which tables there are", client.get_run(run_id).data.tags["mlflow.loggedArtifacts"])
folder = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="copied")
# MLflow reads what looks encoded in a name as if it were.
with open(os.path.join(folder, "inner/sp ace+%ü.txt")) as file:
    held("a strange name", file.read(), "inner/sp ace+%25ü.txt")
held("by the name that it had", mlflow.artifacts.load_text(f"runs:/{run_id}/copied/inner/sp ace+%25ü.txt"))
for name in ("a%2fb.txt", "a%252fc.txt", "%41.txt", "a;b&c=d@[e]{f}~'$!,.txt", "100%.txt", "..a", "日本.txt", "a#b.txt", "a?b.txt"):
    with open(name, "w") as file:
        file.write(name)
    mlflow.log_artifact(name, f"names/{name.encode().hex()}", run_id=run_id)
    found = tree(client, run_id, f"names/{name.encode().hex()}")
    held(f"a file {name!r} and what it is called", ([os.path.relpath(path, "names") for path in found],
         [mlflow.artifacts.load_text(f"runs:/{run_id}/{path}") for path in found]))
for path in ("%2e%2e/x", "%252e%252e/x", "..%2fx", "a#b"):
    try:
        client.list_artifacts(run_id, path)
    except Exception as error:  # of requests, not MLflow's
        held(f"no listing of {path}", "Invalid path" in str(error))
    else:
        raise AssertionError(f"{path} was listed")
held("a listing", [(f.path, f.is_dir, f.file_size) for f in client.list_artifacts(run_id, "copied")],
     [("copied/inner", True, None), ("copied/one.txt", False, 7)])
held("of what is not there", client.list_artifacts(run_id, "nothing"), [])

mlflow.set_system_metrics_sampling_interval(0.2)
mlflow.set_system_metrics_samples_before_logging(1)
with mlflow.start_run(run_name="measured", log_system_metrics=True) as measured:
    import time

    deadline = time.time() + 60
    keys = set()
    # At least two samples: the first has no throughput.
    while time.time() < deadline:
        time.sleep(0.2)
        keys = {key for key in client.get_run(measured.info.run_id).data.metrics if key.startswith("system/")}
        if len(client.get_metric_history(measured.info.run_id, "system/cpu_utilization_percentage")) >= 3:
            break
held("system metrics", sorted(key for key in keys if "gpu" not in key))
history = client.get_metric_history(measured.info.run_id, "system/cpu_utilization_percentage")
held("by step", [metric.step for metric in history][:3], [0, 1, 2])
