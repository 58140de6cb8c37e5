"""`experiments/…`"""


def play(t):
    making(t)
    finding(t)
    tagging(t)
    deleting(t)
    searching(t)


def making(t):
    t.post("experiments/create", {"name": "first"}, keep={"first": "experiment_id"})
    tags = [{"key": "team", "value": "ranking"}, {"key": "empty", "value": ""}, {"key": "absent"}]
    t.post("experiments/create", {"name": "second", "tags": tags, "artifact_location": "mlflow-artifacts:/elsewhere"}, keep={"second": "experiment_id"})
    t.post("experiments/create", {"name": "first"})
    t.post("experiments/create", {"name": "x" * 500})
    t.post("experiments/create", {"name": "x" * 501})
    for name in (" ", "a/b", "ä", "a\nb", "../x", "."):
        t.post("experiments/create", {"name": name})
    t.post("experiments/create", {"name": "runs", "artifact_location": "runs:/x"})
    for index, location in enumerate(("x#y", "s3://b/x#y", "s3://b/x?y", "mlflow-artifacts:/a/../b", "s3://b/../x", "file:///a/..", "s3://b/%2e%2e/x", "", "s3://b/x#", "x;y", "/x/y;z", "s3://b/x;y", "mlflow-artifacts:/a;b", "s3://b/x?../y", "s3://b/x?%2e%2e", "s3://b/x?a=1", "s3://b/" + "x" * 2_042)):
        t.post("experiments/create", {"name": f"location {index}", "artifact_location": location})
    t.post("experiments/create", {"name": "long", "artifact_location": "s3://b/" + "x" * 250})
    t.post("experiments/create", {"name": "tags", "tags": [{"key": "k" * 251, "value": "v"}]})
    t.post("experiments/create", {"name": "tags", "tags": [{"key": "k", "value": "v" * 20_001}]})
    t.post("experiments/create", {"name": "tags", "tags": [{"key": "a/../b", "value": "v"}]})
    t.post("experiments/create", {"name": "tags2", "tags": [{"value": "v"}]}, text=False)
    views = [{"key": f"mlflow.customView.view.{number}", "value": "{}"} for number in range(51)]
    t.post("experiments/create", {"name": "views", "tags": views})
    t.post("experiments/create", {"name": "views", "tags": views[:50]}, keep={"views": "experiment_id"})
    for key in (views[7]["key"], views[50]["key"], "mlflow.customView.view", "mlflow.customView"):
        t.post("experiments/set-experiment-tag", {"experiment_id": "$views", "key": key, "value": "{}"})
    t.post("experiments/delete-experiment-tag", {"experiment_id": "$views", "key": views[7]["key"]})
    t.post("experiments/set-experiment-tag", {"experiment_id": "$views", "key": views[50]["key"], "value": "{}"})
    t.vary("POST", "experiments/create", {"name": "varied", "artifact_location": "mlflow-artifacts:/v", "tags": []})


def finding(t):
    for id in ("$first", "$second", "0", "999999", "-1", "x", "", " 0", "1.0", "99999999999999999999"):
        t.get("experiments/get", {"experiment_id": id})
    t.get("experiments/get")
    t.get("experiments/get", {"experiment_id": ["0", "$first"]})
    t.get("experiments/get", {"experimentId": "0"})
    for name in ("first", "nobody", "", "Default"):
        t.get("experiments/get-by-name", {"experiment_name": name})
    t.post("experiments/update", {"experiment_id": "$first", "new_name": "renamed"})
    t.post("experiments/update", {"experiment_id": "$first", "new_name": "renamed"})
    t.post("experiments/update", {"experiment_id": "$first", "new_name": "second"})
    t.post("experiments/update", {"experiment_id": "$first", "new_name": "x" * 501})
    t.post("experiments/update", {"experiment_id": "999999", "new_name": "y"})
    t.post("experiments/update", {"experiment_id": "x", "new_name": "y"})
    t.vary("POST", "experiments/update", {"experiment_id": "$first", "new_name": "renamed"})
    t.get("experiments/get", {"experiment_id": "$first"})


def tagging(t):
    tag = {"experiment_id": "$first", "key": "k", "value": "v"}
    t.post("experiments/set-experiment-tag", tag)
    t.post("experiments/set-experiment-tag", {**tag, "value": "v2"})
    t.post("experiments/set-experiment-tag", {**tag, "key": "k" * 250})
    t.post("experiments/set-experiment-tag", {**tag, "key": "k" * 251})
    t.post("experiments/set-experiment-tag", {**tag, "value": "v" * 20_001})
    for key in ("a/../b", "a//b", "/a", "a b", "a:b", "a*b", "ä", "a\nb", ".", "..", "a/"):
        t.post("experiments/set-experiment-tag", {**tag, "key": key})
    t.post("experiments/set-experiment-tag", {**tag, "experiment_id": "999999"})
    t.vary("POST", "experiments/set-experiment-tag", tag)
    t.get("experiments/get", {"experiment_id": "$first"})
    t.post("experiments/delete-experiment-tag", {"experiment_id": "$first", "key": "k"})
    t.post("experiments/delete-experiment-tag", {"experiment_id": "$first", "key": "k"})
    t.post("experiments/delete-experiment-tag", {"experiment_id": "999999", "key": "k"})
    t.vary("POST", "experiments/delete-experiment-tag", {"experiment_id": "$first", "key": "k"})
    t.post("experiments/set-experiment-tag", {**tag, "key": "fruit", "value": "\u00c4pfel"})


def deleting(t):
    t.post("experiments/create", {"name": "doomed"}, keep={"doomed": "experiment_id"})
    t.post("runs/create", {"experiment_id": "$doomed", "start_time": 1}, keep={"inside": "run.info.run_id"})
    t.vary("POST", "experiments/delete", {"experiment_id": "$doomed"}, wrong=("", None, [], {}))
    t.post("experiments/delete", {"experiment_id": "$doomed"})
    t.post("experiments/delete", {"experiment_id": "$doomed"})
    t.post("experiments/delete", {"experiment_id": "999999"})
    t.get("experiments/get", {"experiment_id": "$doomed"})
    t.get("experiments/get-by-name", {"experiment_name": "doomed"})
    t.get("runs/get", {"run_id": "$inside"})
    t.post("experiments/create", {"name": "doomed"})
    t.post("experiments/update", {"experiment_id": "$doomed", "new_name": "z"})
    t.post("experiments/update", {"experiment_id": "$first", "new_name": "doomed"})
    t.post("experiments/set-experiment-tag", {"experiment_id": "$doomed", "key": "k", "value": "v"})
    t.post("experiments/delete-experiment-tag", {"experiment_id": "$doomed", "key": "k"})
    t.post("runs/create", {"experiment_id": "$doomed"})
    t.post("runs/log-metric", {"run_id": "$inside", "key": "a", "value": 1, "timestamp": 1})
    t.post("experiments/restore", {"experiment_id": "$first"})
    t.post("experiments/restore", {"experiment_id": "$doomed"})
    t.post("experiments/restore", {"experiment_id": "$doomed"})
    t.post("experiments/restore", {"experiment_id": "999999"})
    t.vary("POST", "experiments/restore", {"experiment_id": "$doomed"}, wrong=("", None, [], {}))
    t.get("runs/get", {"run_id": "$inside"})
    t.post("experiments/delete", {"experiment_id": "$doomed"})


FILTERS = [
    "name = 'second'", "name != 'second'", "name LIKE 'sec%'", "name LIKE 'SEC%'", "name ILIKE 'SEC%'",
    "attribute.name = 'second'", "attr.name = 'second'", "attributes.name = 'second'", "`name` = 'second'", "\"name\" = 'second'",
    "tags.team = 'ranking'", "tag.team = 'ranking'", "tags.team != 'x'", "tags.`team` LIKE 'rank%'", "tags.\"team\" ILIKE 'RANK%'",
    "tags.team IS NULL", "tags.team IS NOT NULL", "tags.team IN ('ranking')", "name IN ('second')", "name IS NULL",
    "experiment_id = '0'", "experiment_id IN ('0', '1')", "experiment_id NOT IN ('0')", "experiment_id = 0", "experiment_id > '0'",
    "creation_time > 0", "creation_time > '0'", "creation_time LIKE 'x'", "last_update_time < 99999999999999", "creation_time > 1.5",
    "creation_time = 0", "creation_time != 0", "creation_time >= 0 AND name = 'second'", "name = 'second' and tags.team = 'ranking'",
    "name = 'second' OR name = 'x'", "name", "name =", "= 'x'", "name = second", "name == 'second'", "name > 'a'", "metrics.a > 1",
    "params.a = 'x'", "colour = 'red'", "tags.team", "name = 'a' AND", "AND", "name = 'it''s'", "name = \"second\"", "name = `second`",
    "name = 'second';", "name = 'a'; name = 'b'", "(name = 'second')", "lifecycle_stage = 'active'", "artifact_location = 'x'", "name LIKE '%e_o%'",
    "name = 5", "tags.team = 5", "name = ('second')", "name IN ()", "name IN 'second'", "name NOT LIKE 'x'", "datasets.name = 'x'", "  ", "name='second'AND tags.team='ranking'", "tags.fruit ILIKE '\u00c4%'", "tags.fruit ILIKE '\u00c4PF%'", "tags.fruit ILIKE '\u00e4pf%'", "tags.fruit LIKE '\u00c4%'",
]  # fmt: skip

ORDERS = [
    ["name"], ["name ASC"], ["name DESC"], ["name asc", "experiment_id desc"], ["experiment_id DESC"], ["creation_time", "name"], ["last_update_time DESC", "name"],
    ["attribute.name"], ["`name`"], ["tags.team"], ["colour"], ["name UP"], ["name ASC DESC"], [""], ["metrics.a"], ["lifecycle_stage"], ["experiment_id ASC", "name"], ["name", "name DESC"], ["name DESC", "name ASC"],
]  # fmt: skip


def searching(t):
    for filter in FILTERS:
        t.post("experiments/search", {"max_results": 100, "filter": filter, "order_by": ["experiment_id"]})
    for order_by in ORDERS:
        t.post("experiments/search", {"max_results": 100, "order_by": order_by, "filter": "name LIKE '%o%'"})
    for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL", "x", "", 1, 2, 3, 9):
        t.post("experiments/search", {"max_results": 100, "view_type": view, "order_by": ["experiment_id"]})
    for most in (0, -1, 1, 50_000, 50_001, "2", "x", None, 1.5, True):
        t.post("experiments/search", {"max_results": most, "order_by": ["experiment_id"], "filter": "name LIKE 'x%'"})
    t.post("experiments/search", {})
    t.get("experiments/search")
    t.get("experiments/search", {"max_results": 2, "order_by": ["name DESC", "experiment_id"], "filter": "name LIKE '%o%'"})
    t.get("experiments/search", {"max_results": "x"})
    t.get("experiments/search", {"max_results": 3, "view_type": "ALL", "order_by": "experiment_id"})
    page = {"max_results": 2, "order_by": ["experiment_id"]}
    t.post("experiments/search", page, keep={"page": "next_page_token"})
    t.post("experiments/search", {**page, "page_token": "$page"})
    for token in ("x", "", "e30=", "eyJvZmZzZXQiOiAtMX0=", "eyJvZmZzZXQiOiAieCJ9", "bm8=", "eyJvZmZzZXQiOiA5OTk5fQ=="):
        t.post("experiments/search", {**page, "page_token": token})
    t.vary("POST", "experiments/search", {"max_results": 3, "filter": "name = 'second'", "order_by": ["name"], "page_token": ""}, text=False)
