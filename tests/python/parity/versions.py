"""`model-versions/…`, stages and aliases."""

V = "model-versions"
R = "registered-models"


def play(t):
    t.post("experiments/create", {"name": "of versions"}, keep={"e": "experiment_id"})
    t.post("runs/create", {"experiment_id": "$e", "start_time": 1, "run_name": "trains"}, keep={"r": "run.info.run_id"})
    t.post("logged-models", {"experiment_id": "$e", "name": "logged", "source_run_id": "$r"}, keep={"m": "model.info.model_id"})
    for name in ("v", "w", "empty"):
        t.post(f"{R}/create", {"name": name})
    making(t)
    sources(t)
    copying(t)
    changing(t)
    stages(t)
    aliases(t)
    searching(t)
    deleting(t)


def making(t):
    version = {"name": "v", "source": "runs:/$r/model", "run_id": "$r", "run_link": "http://x", "description": "d", "tags": [{"key": "t", "value": "1"}]}
    t.post(f"{V}/create", version)
    t.get(f"{V}/get", {"name": "v", "version": "1"})
    t.get(f"{V}/get-download-uri", {"name": "v", "version": "1"})
    t.post(f"{V}/create", {"name": "v", "source": "models:/$m", "model_id": "$m"})
    t.get(f"{V}/get", {"name": "v", "version": "2"})
    t.get(f"{V}/get-download-uri", {"name": "v", "version": "2"})
    t.get("logged-models/$m")
    t.post(f"{V}/create", {"name": "nope", "source": "s3://b/m"})
    t.post(f"{V}/create", {"name": "a/b", "source": "s3://b/m"})
    for tag in ({"key": "k" * 251, "value": "v"}, {"key": "a/../b", "value": "v"}, {"key": "k", "value": "v" * 100_001}, {"key": "mlflow.prompt.text", "value": "v" * 100_001}, {"value": "v"}):
        t.post(f"{V}/create", {"name": "v", "source": "s3://b/m", "tags": [tag]})
    for field in version:
        t.post(f"{V}/create", {**{name: value for name, value in version.items() if name != field}, "name": "w"}, text=False)
        t.delete(f"{R}/delete", {"name": "w"})
        t.post(f"{R}/create", {"name": "w"})


def sources(t):
    for source in (
        "s3://b/m", "s3://b/../m", "s3://b/a/..%2fm", "s3://b/%2e%2e/m", "s3://b/m?x=../y", "gs://b/m#../x", "http://h/m", "ftp://h/m", "dbfs:/m", "hdfs://h/m", "mlflow-artifacts:/x/m", "mlflow-artifacts:/$e/$r/artifacts/m", "mlflow-artifacts:/$e/$r/artifacts/../m", "mlflow-artifacts:/$e/$r/artifacts/%2e%2e/m", "mlflow-artifacts:/$e/$r/artifacts",
        "/etc/passwd", "file:///etc/passwd", "./x", "x", "../x", "file:x", "file://h/x", "FILE:///etc", "runs:/$r/m", "runs:/$r/../m", "runs:/$r", "runs:/nope/m", "runs:///$r/m", "runs://h/$r/m", "models:/$m", "models:/m-nope", "models:/$m/x", "models:/nope/1", "models:/v/1", "models:/v/99", "models:/v/latest", "models:/v/Production", "models:/v@nope", "models:/", "models:/v", "models://h/v/1", "models:/v/LATEST", "models:/v/1/x", "models:/v/ ", "models:/v/", "models:/a@b@nope", "models:/v@", "s3://b", "s3://b/", "s3://b/./m", "s3://b/m/.", "s3://b//m", "s3://b/m/%2e/x", "mlflow-artifacts:x", "unknown:/x", "s3://b/%00", "s3://b/m\n", " s3://b/m", "dummy-source", "prompt-template", "x" * 501,
    ):  # fmt: skip
        for more in ({}, {"run_id": "$r"}, {"model_id": "$m"}, {"run_id": "nope"}, {"model_id": "m-nope"}):
            t.post(f"{V}/create", {"name": "w", "source": source, **more})
            # Where one side refuses, the numbers would differ from then on.
            t.delete(f"{R}/delete", {"name": "w"})
            t.post(f"{R}/create", {"name": "w"})


def copying(t):
    t.post(f"{R}/create", {"name": "copied"})
    t.post(f"{V}/create", {"name": "copied", "source": "models:/v/1"})
    t.post(f"{V}/create", {"name": "copied", "source": "models:/v/1", "run_id": "$r"})
    t.post(f"{V}/create", {"name": "copied", "source": "models:/v/1", "run_id": "other"})
    t.post(f"{V}/create", {"name": "copied", "source": "models:/copied/1"})
    t.post(f"{R}/alias", {"name": "v", "alias": "champion", "version": "1"})
    t.post(f"{V}/create", {"name": "copied", "source": "models:/v@champion"})
    t.post(f"{R}/create", {"name": "a@b"})
    t.post(f"{V}/create", {"name": "a@b", "source": "s3://b/m"})
    t.post(f"{R}/alias", {"name": "a@b", "alias": "champion", "version": "1"})
    t.post(f"{V}/create", {"name": "copied", "source": "models:/a@b@champion"})
    t.post(f"{V}/create", {"name": "copied", "source": "models:/v/Latest"})
    t.post(f"{V}/create", {"name": "copied", "source": "models:/a prompt/1"})
    for number in range(1, 8):
        t.get(f"{V}/get", {"name": "copied", "version": str(number)})
        t.get(f"{V}/get-download-uri", {"name": "copied", "version": str(number)})


def changing(t):
    for query in ({"name": "v", "version": "99"}, {"name": "v", "version": "x"}, {"name": "v", "version": ""}, {"name": "v"}, {"version": "1"}, {"name": "nope", "version": "1"}, {"name": "a/b", "version": "1"}, {"name": "v", "version": "0"}, {"name": "v", "version": "-1"}, {"name": "v", "version": "1.0"}, {"name": "v", "version": "1 x"}, {"name": "v", "version": "99999999999999999999"}):
        t.get(f"{V}/get", query)
        t.get(f"{V}/get-download-uri", query)
        t.patch(f"{V}/update", {**query, "description": "x"})
        t.post(f"{V}/set-tag", {**query, "key": "k", "value": "v"})
        t.delete(f"{V}/delete-tag", {**query, "key": "k"})
        t.delete(f"{V}/delete", query)
        t.post(f"{V}/transition-stage", {**query, "stage": "Staging"})
        t.post(f"{R}/alias", {**query, "alias": "x"})
    t.patch(f"{V}/update", {"name": "v", "version": "1", "description": "new"})
    t.patch(f"{V}/update", {"name": "v", "version": "1", "description": ""})
    t.patch(f"{V}/update", {"name": "v", "version": "1"})
    t.patch(f"{V}/update", {"name": "v", "version": 1, "description": "number"}, text=False)
    t.vary("PATCH", f"{V}/update", {"name": "v", "version": "1", "description": "new"}, text=False)
    tag = {"name": "v", "version": "1", "key": "k", "value": "v"}
    t.post(f"{V}/set-tag", tag)
    for key in ("a/../b", ".", "a b", "a*b", "k" * 250, "k" * 251):
        t.post(f"{V}/set-tag", {**tag, "key": key})
    for key in ("k", "mlflow.prompt.text"):
        t.post(f"{V}/set-tag", {**tag, "key": key, "value": "v" * 100_001})
    t.vary("POST", f"{V}/set-tag", tag, text=False)
    t.delete(f"{V}/delete-tag", {"name": "v", "version": "1", "key": "k"})
    t.delete(f"{V}/delete-tag", {"name": "v", "version": "1", "key": "k"})
    t.vary("DELETE", f"{V}/delete-tag", {"name": "v", "version": "1", "key": "k"}, text=False)
    t.get(f"{V}/get", {"name": "v", "version": "1"})


def stages(t):
    move = {"name": "v", "version": "1", "stage": "Staging", "archive_existing_versions": False}
    for stage in ("Staging", "production", "ARCHIVED", "None", "none", "nope", ""):
        t.post(f"{V}/transition-stage", {**move, "stage": stage})
    t.post(f"{V}/transition-stage", {**move, "stage": "Production", "archive_existing_versions": True})
    t.post(f"{V}/transition-stage", {**move, "version": "2", "stage": "Production", "archive_existing_versions": True})
    t.get(f"{V}/get", {"name": "v", "version": "1"})
    for stage in ("None", "Archived", "archived"):
        t.post(f"{V}/transition-stage", {**move, "stage": stage, "archive_existing_versions": True})
    t.post(f"{V}/transition-stage", {**move, "archive_existing_versions": "true"}, text=False)
    t.post(f"{V}/transition-stage", {"name": "v", "version": "1", "stage": "Staging"})
    t.vary("POST", f"{V}/transition-stage", move, text=False)
    t.get(f"{R}/get", {"name": "v"})
    for query in ({"stages": "Production"}, {"stages": ["Staging", "production"]}, {"stages": "nope"}, {"stages": ""}, {"stages": "Archived"}, {"stages": ["Production", "Production"]}):
        t.get(f"{R}/get-latest-versions", {"name": "v", **query})
    t.post(f"{R}/get-latest-versions", {"name": "v", "stages": ["Production"]})
    t.post(f"{R}/get-latest-versions", {"name": "v", "stages": "Production"}, text=False)
    t.get(f"{R}/get-latest-versions", {"name": "empty"})


def aliases(t):
    alias = {"name": "v", "alias": "champion", "version": "1"}
    t.post(f"{R}/alias", alias)
    t.post(f"{R}/alias", {**alias, "version": "2"})
    t.get(f"{R}/alias", {"name": "v", "alias": "champion"})
    for name in ("latest", "LATEST", "v1", "V22", "v", "v1x", "a b", "a/b", "a.b", "ä", "a:b", "", "x" * 255, "x" * 256, "Champion", "1", "-"):
        t.post(f"{R}/alias", {**alias, "alias": name})
        t.get(f"{R}/alias", {"name": "v", "alias": name})
        t.delete(f"{R}/alias", {"name": "v", "alias": name})
    t.get(f"{R}/alias", {"name": "empty", "alias": "latest"})
    t.get(f"{R}/alias", {"name": "nope", "alias": "champion"})
    t.get(f"{R}/alias", {"name": "v"})
    t.delete(f"{R}/alias", {"name": "nope", "alias": "champion"})
    t.post(f"{R}/alias", {**alias, "name": "nope"})
    t.vary("POST", f"{R}/alias", alias, text=False)
    t.vary("DELETE", f"{R}/alias", {"name": "v", "alias": "champion"}, text=False)
    t.post(f"{R}/alias", {"name": "v", "alias": "zeta", "version": "2"})
    t.post(f"{R}/alias", {"name": "v", "alias": "alpha", "version": "2"})
    t.get(f"{R}/get", {"name": "v"})
    t.get(f"{V}/get", {"name": "v", "version": "2"})
    t.get(f"{V}/search", {"filter": "name = 'v'", "order_by": "version_number"})
    t.call("DELETE", f"{R}/alias", query={"name": "v", "alias": "alpha"})


FILTERS = [
    "name = 'v'", "name != 'v'", "name LIKE 'v%'", "name LIKE 'V'", "name ILIKE 'V'", "name IN ('v', 'copied')", "name NOT IN ('v')", "run_id = '$r'", "run_id IN ('$r')", "run_id IN ('$r', 'x')", "run_id NOT IN ('$r')", "run_id != '$r'", "run_id LIKE '%'", "source_path = 's3://b/m'", "source_path LIKE 'models:%'", "source_path ILIKE 'MODELS:%'", "source_path IN ('s3://b/m')", "source = 's3://b/m'",
    "version_number = 1", "version_number > 1", "version_number = '1'", "version_number <= 2 AND name = 'v'", "version_number LIKE '1'", "version_number IN (1)", "version = '1'", "version = 1", "version_number > 1.5", "tags.t = '1'", "tags.t != '1'", "tags.t LIKE '%'", "tags.`t` = '1'", "tags.t = '1' AND name = 'v'", "tags.t = '1' AND tags.u = '2'", "tags.t IS NULL", "tags.t IN ('1')", "current_stage = 'None'", "stage = 'None'", "status = 'READY'", "user_id = 'x'", "creation_timestamp > 0", "last_updated_timestamp > 0", "aliases = 'champion'", "attribute.name = 'v'", "attributes.run_id = '$r'", "name = 'v' OR name = 'w'", "name", "name = v", "name > 'a'", "", "metrics.a > 1", "things.a = 'x'", "colour = 'red'", "run_id IN ()", "run_id IN ('x'", "run_id IN (x)", "run_id IS NULL", "tags.`mlflow.prompt.is_prompt` = 'true'", "name = 'v' AND tags.`mlflow.prompt.is_prompt` = 'true'", "name = 'v' AND tags.`mlflow.prompt.is_prompt` != 'true'", "model_id = '$m'", "name='v'",
]  # fmt: skip

ORDERS = ["name", "name DESC", "version_number", "version_number DESC", "creation_timestamp", "creation_timestamp DESC", "last_updated_timestamp", "last_updated_timestamp ASC", "timestamp", "run_id", "source_path", "current_stage", "tags.t", "colour", "version", "`name` ASC", "name UP", ""]


def searching(t):
    for filter in FILTERS:
        t.get(f"{V}/search", {"filter": filter, "order_by": ["name", "version_number"]})
    for order in ORDERS:
        more = [field for field in ("name", "version_number") if not order.replace("`", "").startswith(field)]
        t.get(f"{V}/search", {"filter": "name IN ('v', 'copied')", "order_by": [order, *more]})
    t.get(f"{V}/search", {"filter": "name = 'v'", "order_by": ["name", "name DESC"]})
    page = {"filter": "name = 'copied'", "max_results": 2, "order_by": "version_number"}
    t.get(f"{V}/search", page, keep={"page": "next_page_token"})
    t.get(f"{V}/search", {**page, "page_token": "$page"})
    for token in ("x", "", "e30=", "eyJvZmZzZXQiOiAtMX0=", "eyJvZmZzZXQiOiA5OTk5fQ=="):
        t.get(f"{V}/search", {**page, "page_token": token})
    for most in (0, -1, 1, 200_000, 200_001, "x", ""):
        t.get(f"{V}/search", {**page, "max_results": most}, text=most not in ("x", ""))


def deleting(t):
    t.vary("DELETE", f"{V}/delete", {"name": "v", "version": "2"}, wrong=("", None, [], {}), text=False)
    t.delete(f"{V}/delete", {"name": "v", "version": "2"})
    t.delete(f"{V}/delete", {"name": "v", "version": "2"})
    t.get(f"{V}/get", {"name": "v", "version": "2"})
    t.get(f"{R}/alias", {"name": "v", "alias": "zeta"})
    t.get(f"{R}/get", {"name": "v"})
    t.post(f"{V}/create", {"name": "v", "source": "s3://b/m"})
    t.get(f"{V}/search", {"filter": "name = 'v'", "order_by": "version_number"})
    t.post(f"{V}/create", {"name": "copied", "source": "models:/v/2"})
    t.call("DELETE", f"{V}/delete", query={"name": "v", "version": "3"})
