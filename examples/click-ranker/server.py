"""Where the running `crosstie up` is, for the scripts beside this one.

Found as the MLflow client finds it: by CROSSTIE_SERVER or MLFLOW_TRACKING_URI, else at its usual address.
"""

import json
import os
import urllib.error
import urllib.request

USUAL = "http://127.0.0.1:5000"


def address():
    return (os.environ.get("CROSSTIE_SERVER") or os.environ.get("MLFLOW_TRACKING_URI") or USUAL).rstrip("/")


def call(path, body=None, server=None):
    """The JSON that `path` answers: a GET, or a POST of `body`."""
    headers = {"content-type": "application/json"}
    token = os.environ.get("CROSSTIE_TOKEN") or os.environ.get("MLFLOW_TRACKING_TOKEN")
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request((server or address()) + path, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{path}: {error.code} {error.read().decode(errors='replace')}") from error
