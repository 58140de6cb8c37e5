"""`logged-models/…`"""


def play(t):
    t.post("experiments/create", {"name": "of logged models"}, keep={"e": "experiment_id"})
    t.post("runs/create", {"experiment_id": "$e", "start_time": 1, "run_name": "trains"}, keep={"r": "run.info.run_id"})
    making(t)
    changing(t)
    searching(t)
    deleting(t)


def making(t):
    model = {"experiment_id": "$e", "name": "one", "model_type": "Agent", "source_run_id": "$r", "params": [{"key": "p", "value": "1"}], "tags": [{"key": "t", "value": "1"}]}
    t.post("logged-models", model, keep={"one": "model.info.model_id"})
    t.get("logged-models/$one")
    t.post("logged-models", {"experiment_id": "$e"})
    for name in ("", "a/b", "a:b", "a.b", "a%b", "a\"b", "a'b", " ", "ä", "x" * 500, "a\nb"):
        t.post("logged-models", {"experiment_id": "$e", "name": name})
    for experiment in ("999999", "x", "", None):
        t.post("logged-models", {"experiment_id": experiment, "name": "n"})
    t.post("logged-models", {"experiment_id": "$e", "name": "tags", "tags": [{"key": "k" * 251, "value": "v"}]})
    t.post("logged-models", {"experiment_id": "$e", "name": "params", "params": [{"key": "k", "value": "v" * 6_001}]})
    t.post("logged-models", {"experiment_id": "$e", "name": "params", "params": [{"key": "k" * 251, "value": "v"}]})
    t.post("logged-models", {"experiment_id": "$e", "name": "params", "params": [{"key": f"k{i}", "value": "v"} for i in range(101)]})
    t.post("logged-models", {"experiment_id": "$e", "name": "twice", "params": [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]}, text=False)
    t.vary("POST", "logged-models", model, text=False)
    for id in ("m-nope", "m-" + "0" * 32, "x", "a%2Fb"):
        t.get(f"logged-models/{id}")
        t.patch(f"logged-models/{id}", {"model_id": id, "status": "LOGGED_MODEL_READY"})
        t.delete(f"logged-models/{id}")
        t.post(f"logged-models/{id}/params", {"model_id": id, "params": [{"key": "k", "value": "v"}]})
        t.patch(f"logged-models/{id}/tags", {"model_id": id, "tags": [{"key": "k", "value": "v"}]})
        t.delete(f"logged-models/{id}/tags/k")
        t.get(f"logged-models/{id}/artifacts/directories")


def changing(t):
    t.post("logged-models", {"experiment_id": "$e", "name": "odd"}, keep={"odd": "model.info.model_id"})
    for status in ("LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED", "LOGGED_MODEL_PENDING", "LOGGED_MODEL_STATUS_UNSPECIFIED", "READY", "", 2, 3, 9, None, []):
        t.patch("logged-models/$one", {"model_id": "$one", "status": status}, text=False)
    t.patch("logged-models/$one", {"model_id": "$one", "status": "LOGGED_MODEL_READY"})
    t.patch("logged-models/$one", {})
    t.patch("logged-models/$one", {"model_id": "other", "status": "LOGGED_MODEL_READY"})
    t.post("logged-models/$one/params", {"model_id": "$one", "params": [{"key": "q", "value": "2"}]})
    t.post("logged-models/$one/params", {"model_id": "$one", "params": [{"key": "q", "value": "2"}]}, text=False)
    t.post("logged-models/$one/params", {"model_id": "$one", "params": [{"key": "q", "value": "3"}]}, text=False)
    t.post("logged-models/$one/params", {"model_id": "$one", "params": []})
    t.post("logged-models/$one/params", {})
    for entry in ({"key": "a/../b", "value": "v"}, {"key": "k" * 251, "value": "v"}, {"key": "long", "value": "v" * 6_001}, {"key": "n"}, 5):
        id = "$odd" if entry == 5 else "$one"
        t.post(f"logged-models/{id}/params", {"model_id": id, "params": [entry]}, text=entry != 5)
    t.patch("logged-models/$one/tags", {"model_id": "$one", "tags": [{"key": "t", "value": "2"}, {"key": "u", "value": ""}]})
    t.patch("logged-models/$one/tags", {"model_id": "$one", "tags": []})
    t.patch("logged-models/$one/tags", {})
    for entry in ({"key": "a/../b", "value": "v"}, {"key": "k" * 251, "value": "v"}, {"key": "long", "value": "v" * 8_001}, {"key": "n"}, 5):
        id = "$odd" if entry == 5 else "$one"
        t.patch(f"logged-models/{id}/tags", {"model_id": id, "tags": [entry]}, text=entry != 5)
    t.delete("logged-models/$one/tags/u")
    t.delete("logged-models/$one/tags/u")
    t.delete("logged-models/$one/tags/a%20b")
    metric = {"run_id": "$r", "key": "auc", "value": 0.5, "timestamp": 10, "step": 1, "model_id": "$one", "dataset_name": "d", "dataset_digest": "1"}
    t.post("runs/log-metric", metric)
    t.post("runs/log-metric", {**metric, "value": 0.7, "step": 2})
    t.post("runs/log-metric", {**metric, "value": "NaN", "key": "nan"})
    t.post("runs/log-batch", {"run_id": "$r", "metrics": [{**metric, "key": "batch", "value": 3}]})
    t.get("logged-models/$one")
    t.get("runs/get", {"run_id": "$r"})
    t.get("logged-models/$one/artifacts/directories")
    t.get("logged-models/$one/artifacts/directories", {"artifact_directory_path": "a"})
    t.get("logged-models/$one/artifacts/directories", {"artifact_directory_path": "../x"})


FILTERS = [
    "", "name = 'm1'", "name != 'm1'", "name LIKE 'm%'", "name ILIKE 'M%'", "name IN ('m1', 'm2')", "name NOT IN ('m1')", "attributes.name = 'm1'", "attribute.name = 'm1'", "model_id = '$m1'", "model_id IN ('$m1')", "model_type = 'Agent'", "source_run_id = '$r'", "status = 'READY'", "status = 'LOGGED_MODEL_READY'", "status != 'PENDING'",
    "creation_timestamp > 0", "creation_time > 0", "last_updated_timestamp > 0", "creation_timestamp_ms > 0", "creation_timestamp > '0'", "experiment_id = '0'", "artifact_location LIKE '%'", "status_message = 'x'",
    "metrics.auc > 0.5", "metrics.auc >= 0.5", "metrics.auc = 0.5", "metrics.auc != 0.5", "metrics.none > 1", "metrics.`auc` > 0", "metrics.auc > '0'", "params.depth = '1'", "params.depth != '1'", "params.depth LIKE '%'", "params.depth = 1", "params.depth IS NULL", "tags.team = 'a'", "tags.team ILIKE 'A'", "tags.team != 'a'", "tags.team IN ('a')", "tags.none IS NULL",
    "name = 'm1' AND metrics.auc > 0", "name = 'm1' OR name = 'm2'", "colour = 'red'", "things.a = 'x'", "name", "name = m1", "datasets.name = 'd'", "name > 'a'", "last_updated_timestamp_ms > 0", "lifecycle_stage = 'active'",
]  # fmt: skip

ORDERS = [
    {"field_name": "name"}, {"field_name": "name", "ascending": False}, {"field_name": "metrics.auc"}, {"field_name": "metrics.auc", "ascending": False}, {"field_name": "metrics.auc", "dataset_name": "d2"}, {"field_name": "metrics.auc", "dataset_name": "d1", "dataset_digest": "1"}, {"field_name": "metrics.none"},
    {"field_name": "creation_timestamp"}, {"field_name": "creation_time", "ascending": False}, {"field_name": "last_updated_timestamp"}, {"field_name": "model_type"}, {"field_name": "status"}, {"field_name": "params.depth"}, {"field_name": "tags.team"}, {"field_name": "colour"}, {"field_name": ""}, {}, {"field_name": "metrics"}, {"field_name": "model_id"}, {"field_name": "metrics.auc", "dataset_digest": "1"}, {"field_name": "name", "ascending": "false"}, "name", 5,
]  # fmt: skip


def searching(t):
    t.post("experiments/create", {"name": "of model search"}, keep={"s": "experiment_id"})
    t.post("runs/create", {"experiment_id": "$s", "start_time": 1, "run_name": "trains"}, keep={"r": "run.info.run_id"})
    for index in range(5):
        made = {"experiment_id": "$s", "name": f"m{index}", "model_type": "Agent" if index % 2 else "", "source_run_id": "$r", "params": [{"key": "depth", "value": str(index % 2)}], "tags": [{"key": "team", "value": "ab"[index % 2]}]}
        t.post("logged-models", made, keep={f"m{index}": "model.info.model_id"})
        if index != 4:
            metric = {"run_id": "$r", "key": "auc", "value": [0.5, 0.9, "NaN", 0.1][index], "timestamp": index, "step": 1, "model_id": f"$m{index}", "dataset_name": f"d{index % 2}", "dataset_digest": "1"}
            t.post("runs/log-metric", metric)
    t.patch("logged-models/$m1", {"model_id": "$m1", "status": "LOGGED_MODEL_READY"})
    by_name = [{"field_name": "name"}]
    for filter in FILTERS:
        t.post("logged-models/search", {"experiment_ids": ["$s"], "filter": filter, "order_by": by_name})
    for order in ORDERS:
        t.post("logged-models/search", {"experiment_ids": ["$s"], "order_by": [order, *(by_name if order != by_name[0] else [])], "filter": "name = 'm1'" if "model_id" in str(order) else "name != 'm2'"}, text=order not in ("name", 5))
    t.post("logged-models/search", {"experiment_ids": ["$s"], "order_by": [{"field_name": "metrics.auc"}, {"field_name": "name"}]})
    for ids in ([], None, ["999999"], ["x"], "$s", [""]):
        t.post("logged-models/search", {"experiment_ids": ids}, text=ids not in (["x"], "$s"))
    for datasets in ([{"dataset_name": "d1"}], [{"dataset_name": "d1", "dataset_digest": "1"}], [{"dataset_name": "d1", "dataset_digest": "2"}], [{"dataset_digest": "1"}], [{}], [{"dataset_name": "d0"}, {"dataset_name": "d1"}]):
        t.post("logged-models/search", {"experiment_ids": ["$s"], "datasets": datasets, "order_by": by_name})
        t.post("logged-models/search", {"experiment_ids": ["$s"], "datasets": datasets, "order_by": by_name, "filter": "metrics.auc > 0.4"})
    page = {"experiment_ids": ["$s"], "max_results": 2, "order_by": by_name, "filter": "name LIKE 'm%'"}
    t.call("POST", "logged-models/search", page, keep={"page": "next_page_token"})
    t.post("logged-models/search", {**page, "page_token": "$page"}, keep={"page2": "next_page_token"})
    t.post("logged-models/search", {**page, "page_token": "$page2"})
    t.post("logged-models/search", {**page, "page_token": "$page", "filter": ""})
    t.post("logged-models/search", {**page, "page_token": "$page", "experiment_ids": ["$e"]})
    t.post("logged-models/search", {**page, "page_token": "$page", "order_by": [{"field_name": "name", "ascending": False}]})
    for token in ("x", "", "e30=", "eyJvZmZzZXQiOiAyfQ=="):
        t.post("logged-models/search", {**page, "page_token": token}, text=token not in ("x", "e30=", "eyJvZmZzZXQiOiAyfQ=="))
    for most in (0, -1, 1, 50, 51, 100, 101, 1000, "2", "x", None):
        t.post("logged-models/search", {**page, "max_results": most}, text=most != "x")
    t.post("experiments/create", {"name": "of model pages"}, keep={"paged": "experiment_id"})
    for index in range(51):
        t.post("logged-models", {"experiment_id": "$paged", "name": f"page{index:02}"})
    many = {"experiment_ids": ["$paged"], "order_by": by_name}
    t.post("logged-models/search", many, keep={"later": "next_page_token"})
    t.post("logged-models/search", {**many, "page_token": "$later"})
    for most in (0, 50, 51, None):
        t.post("logged-models/search", {**many, "max_results": most})


def deleting(t):
    t.delete("logged-models/$one")
    t.get("logged-models/$one")
    t.get("logged-models/$one", {"allow_deleted": "true"})
    t.get("logged-models/$one", {"allow_deleted": "false"})
    t.get("logged-models/$one", {"allow_deleted": "x"})
    t.delete("logged-models/$one")
    t.patch("logged-models/$one", {"model_id": "$one", "status": "LOGGED_MODEL_READY"})
    t.patch("logged-models/$one/tags", {"model_id": "$one", "tags": [{"key": "t", "value": "9"}]})
    t.post("logged-models/$one/params", {"model_id": "$one", "params": [{"key": "deleted", "value": "9"}]})
    t.delete("logged-models/$one/tags/t")
    t.post("experiments/delete", {"experiment_id": "$s"})
    t.post("logged-models", {"experiment_id": "$s", "name": "late"})
    t.get("logged-models/$m1")
    t.post("logged-models/search", {"experiment_ids": ["$s"]})
