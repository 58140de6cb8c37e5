"""What clients ask about the server itself, the prefixes, and requests that are no requests."""

PREFIXES = ["/api/2.0/mlflow", "/ajax-api/2.0/mlflow"]


def play(t):
    t.get("/health")
    t.get("/version")
    for prefix in ("/api", "/ajax-api"):
        t.get(f"{prefix}/3.0/mlflow/server-info", meant="it tells of parts that we do not have, such as the gateway")
    for prefix in PREFIXES:
        t.get(f"{prefix}/experiments/get", {"experiment_id": "0"})
        t.get(f"{prefix}/experiments/get-by-name", {"experiment_name": "Default"})
        t.post(f"{prefix}/experiments/search", {"max_results": 5})
    asked = {"gateway_path": "api/2.0/endpoints/"}
    t.get("/ajax-api/2.0/mlflow/gateway-proxy", asked)
    t.post("/ajax-api/2.0/mlflow/gateway-proxy", asked)
    bodies(t)


def bodies(t):
    """Bodies that are not a JSON object of a request."""
    create = "experiments/create"
    t.call("POST", create, raw=b"")
    t.call("POST", create, raw=b"{", text=False)
    t.call("POST", create, raw=b"null")
    t.call("POST", create, raw=b"[]", text=False)
    t.call("POST", create, raw=b"5", text=False)
    t.call("POST", create, raw=b'"{}"')
    t.call("POST", create, raw=b'"{\\"name\\": \\"twice encoded\\"}"')
    t.call("POST", create, raw=b'{"name": "\xff"}', text=False)
    t.call("POST", create, raw=b'{"name": "a"', text=False)
    t.call("POST", create, raw=b'{"name": "no type"}', headers={"Content-Type": "text/plain"})
    t.call("POST", create, raw=b'{"name": "form"}', headers={"Content-Type": "application/x-www-form-urlencoded"})
    t.call("POST", create, raw=b'{"name": "charset"}', headers={"Content-Type": "application/json; charset=utf-8"})
    t.post(create, {"name": "unknown fields", "colour": "red"})
    t.post("runs/search", {"experimentIds": ["0"], "maxResults": 5})
    t.post("runs/search", {"experiment_ids": ["0"], "max_results": "5"})
    t.post("runs/search", {"experiment_ids": ["0"], "max_results": 5.0})
    t.post("runs/search", {"experiment_ids": ["0"], "max_results": 5.5}, text=False)
    t.post("runs/search", {"experiment_ids": ["0"], "max_results": 10**30}, text=False)
    t.post("runs/search", {"experiment_ids": [0]}, text=False)
