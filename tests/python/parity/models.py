"""`registered-models/…`"""

R = "registered-models"


def play(t):
    making(t)
    changing(t)
    tagging(t)
    searching(t)
    deleting(t)


def making(t):
    t.post(f"{R}/create", {"name": "ranker", "description": "d", "tags": [{"key": "team", "value": "ranking"}, {"key": "empty", "value": ""}]})
    t.post(f"{R}/create", {"name": "ranker"})
    t.post(f"{R}/create", {"name": "ranker", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]})
    t.post(f"{R}/create", {"name": "bare"})
    t.get(f"{R}/get", {"name": "bare"})
    for name in ("", " ", "a/b", "a:b", "a.b", "..", ".", "ä", "a b", "x" * 256, "it's", "a%b", "Ranker"):
        t.post(f"{R}/create", {"name": name})
    t.post(f"{R}/create", {"name": "tags", "tags": [{"key": "k" * 251, "value": "v"}]})
    t.post(f"{R}/create", {"name": "tags", "tags": [{"key": "k", "value": "v" * 100_001}]})
    t.post(f"{R}/create", {"name": "tags", "tags": [{"key": "a/../b", "value": "v"}]})
    t.post(f"{R}/create", {"name": "tags2", "tags": [{"value": "v"}]}, text=False)
    t.vary("POST", f"{R}/create", {"name": "varied", "description": "d", "tags": []}, text=False)
    t.post(f"{R}/create", {"name": "a prompt", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]})
    t.post(f"{R}/create", {"name": "a prompt"})
    t.post(f"{R}/create", {"name": "a prompt", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]})
    for query in ({"name": "ranker"}, {"name": "nope"}, {"name": ""}, {}, {"name": "a/b"}, {"name": ["ranker", "bare"]}, {"name": "a prompt"}):
        t.get(f"{R}/get", query)
        t.get(f"{R}/get-latest-versions", query)
        t.post(f"{R}/get-latest-versions", query)


def changing(t):
    t.patch(f"{R}/update", {"name": "bare", "description": "new"})
    t.patch(f"{R}/update", {"name": "bare", "description": ""})
    t.patch(f"{R}/update", {"name": "bare"})
    t.patch(f"{R}/update", {"name": "nope", "description": "new"})
    t.vary("PATCH", f"{R}/update", {"name": "bare", "description": "new"}, text=False)
    t.post(f"{R}/create", {"name": "old"})
    t.post("model-versions/create", {"name": "old", "source": "s3://b/m"})
    t.post(f"{R}/alias", {"name": "old", "alias": "champion", "version": "1"})
    t.post(f"{R}/rename", {"name": "old", "new_name": "young"})
    t.get(f"{R}/get", {"name": "young"})
    t.get(f"{R}/get", {"name": "old"})
    t.post(f"{R}/rename", {"name": "young", "new_name": "young"})
    t.post(f"{R}/rename", {"name": "young", "new_name": "ranker"})
    t.post(f"{R}/rename", {"name": "nope", "new_name": "x"})
    for name in ("", "a/b", "a:b", " "):
        t.post(f"{R}/rename", {"name": "young", "new_name": name})
    t.vary("POST", f"{R}/rename", {"name": "young", "new_name": "younger"}, text=False)
    t.get(f"{R}/search", {"order_by": "name"})


def tagging(t):
    tag = {"name": "ranker", "key": "k", "value": "v"}
    t.post(f"{R}/set-tag", tag)
    t.post(f"{R}/set-tag", {**tag, "value": "v2"})
    for key in ("a/../b", "a//b", ".", "a b", "a*b", "k" * 250, "k" * 251, ""):
        t.post(f"{R}/set-tag", {**tag, "key": key})
    t.post(f"{R}/set-tag", {**tag, "value": "v" * 100_000})
    t.post(f"{R}/set-tag", {**tag, "value": "v" * 100_001})
    t.post(f"{R}/set-tag", {**tag, "value": "v"})
    t.post(f"{R}/set-tag", {**tag, "name": "nope"})
    t.vary("POST", f"{R}/set-tag", tag, text=False)
    t.delete(f"{R}/delete-tag", {"name": "ranker", "key": "k"})
    t.delete(f"{R}/delete-tag", {"name": "ranker", "key": "k"})
    t.delete(f"{R}/delete-tag", {"name": "ranker", "key": "a/../b"})
    t.delete(f"{R}/delete-tag", {"name": "nope", "key": "k"})
    t.vary("DELETE", f"{R}/delete-tag", {"name": "ranker", "key": "k"}, text=False)
    t.call("DELETE", f"{R}/delete-tag", query={"name": "ranker", "key": "team"})
    t.get(f"{R}/get", {"name": "ranker"})


FILTERS = [
    "", "name = 'ranker'", "name != 'ranker'", "name LIKE 'r%'", "name LIKE 'R%'", "name ILIKE 'R%'", "name IN ('ranker')", "name NOT IN ('ranker')", "attribute.name = 'ranker'", "`name` = 'ranker'", "name = \"ranker\"", "name = ranker", "name = 5", "name > 'a'", "name = 'it''s'", "name = \"it's\"",
    "tags.empty = ''", "tags.team = 'ranking'", "tag.team = 'ranking'", "tags.team != 'x'", "tags.team LIKE 'r%'", "tags.team ILIKE 'R%'", "tags.team IS NULL", "tags.team IN ('ranking')", "tags.`empty` = ''", "name = 'ranker' AND tags.empty = ''", "tags.empty = '' AND tags.k = 'v'", "name = 'a' OR name = 'b'", "description = 'd'", "creation_timestamp > 0", "last_updated_timestamp > 0", "aliases.champion = '1'", "run_id = 'x'", "colour = 'red'", "name", "name =", "things.a = 'x'", "metrics.a > 1",
    "tags.`mlflow.prompt.is_prompt` = 'true'", "tags.`mlflow.prompt.is_prompt` != 'true'", "tags.`mlflow.prompt.is_prompt` = 'false'", "tags.mlflow.prompt.is_prompt = 'True'", "tags.`mlflow.prompt.is_prompt` != 'false'", "tags.`mlflow.prompt.is_prompt` LIKE 'true'", "name LIKE 'a%' AND tags.`mlflow.prompt.is_prompt` = 'true'", "name LIKE '%a%'", "name = 'ranker';", "name LIKE '%_n%'",
]  # fmt: skip

ORDERS = ["name", "name ASC", "name DESC", "timestamp", "last_updated_timestamp DESC", "last_updated_timestamp", "creation_timestamp", "description", "colour", "tags.team", "`name` DESC", "attribute.name", "name UP", "", "name, timestamp"]


def searching(t):
    for filter in FILTERS:
        t.get(f"{R}/search", {"filter": filter, "order_by": "name"})
    for order in ORDERS:
        t.get(f"{R}/search", {"filter": "name ILIKE '%r'", "order_by": [order, "name"] if "name" not in order else [order]})
    t.get(f"{R}/search", {"order_by": ["name", "name DESC"]})
    t.get(f"{R}/search")
    t.get(f"{R}/search", {"max_results": 2}, keep={"page": "next_page_token"})
    t.get(f"{R}/search", {"max_results": 2, "page_token": "$page"})
    for token in ("x", "", "e30=", "eyJvZmZzZXQiOiAtMX0=", "eyJvZmZzZXQiOiA5OTk5fQ=="):
        t.get(f"{R}/search", {"page_token": token})
    for most in (0, -1, 1, 1_000, 1_001, "x", ""):
        t.get(f"{R}/search", {"max_results": most}, text=most not in ("x", ""))
    t.call("POST", f"{R}/search", {}, text=False)


def deleting(t):
    t.delete(f"{R}/delete", {"name": "nope"})
    t.vary("DELETE", f"{R}/delete", {"name": "bare"}, wrong=("", None, [], {}))
    t.delete(f"{R}/delete", {"name": "bare"})
    t.get(f"{R}/get", {"name": "bare"})
    t.post(f"{R}/create", {"name": "bare"})
    t.call("DELETE", f"{R}/delete", query={"name": "bare"})
    t.post(f"{R}/create", {"name": "with versions"})
    t.post("model-versions/create", {"name": "with versions", "source": "s3://b/m"})
    t.post(f"{R}/alias", {"name": "with versions", "alias": "a", "version": "1"})
    t.delete(f"{R}/delete", {"name": "with versions"})
    t.get("model-versions/get", {"name": "with versions", "version": "1"})
    t.post(f"{R}/create", {"name": "with versions"})
    t.post("model-versions/create", {"name": "with versions", "source": "s3://b/m"})
