"""Prints, as JSON, what every read call of the stock client answers about everything that a server holds:
`python mlflow_store_read.py http://127.0.0.1:5000`. Two servers on one store print the same.
"""

import enum
import hashlib
import json
import sys

import mlflow
from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException

URL = sys.argv[1]
mlflow.set_tracking_uri(URL)
client = MlflowClient(tracking_uri=URL, registry_uri=URL)


def plain(value):
    """Entities as what JSON knows. Lists inside of an entity have no order of their own."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set)):
        return sorted((plain(inner) for inner in value), key=lambda inner: json.dumps(inner, sort_keys=True))
    if hasattr(value, "__iter__"):
        return {name: plain(inner) for name, inner in value}
    if hasattr(value, "__dict__"):
        return {name.lstrip("_"): plain(inner) for name, inner in vars(value).items()}
    return str(value)


def pages(search, **arguments):
    """All pages, two rows at a time, in the order of the answers."""
    found, token = [], None
    while True:
        page = search(max_results=2, page_token=token, **arguments)
        found.extend(page)
        token = page.token
        if not token:
            return found


def answer(call, *arguments, **named):
    try:
        return plain(call(*arguments, **named))
    except MlflowException as error:
        return {"error": error.error_code}


def files(run_id, path=None):
    found = {}
    for entry in client.list_artifacts(run_id, path):
        if entry.is_dir:
            found |= files(run_id, entry.path)
        else:
            local = client.download_artifacts(run_id, entry.path)
            with open(local, "rb") as file:
                found[entry.path] = [entry.file_size, hashlib.sha256(file.read()).hexdigest()]
    return found


def of_run(run):
    id = run.info.run_id
    keys = sorted(run.data.metrics)
    return {
        "run": plain(run),
        "again": plain(client.get_run(id)),
        "history": {key: [plain(point) for point in client.get_metric_history(id, key)] for key in keys},
        "files": files(id) if run.info.lifecycle_stage == "active" else None,
        "parent": answer(client.get_parent_run, id),
    }


def of_model(model):
    name = model.name
    versions = pages(client.search_model_versions, filter_string=f"name = '{name}'")
    return {
        "model": plain(model),
        "again": answer(client.get_registered_model, name),
        "latest": answer(client.get_latest_versions, name),
        "versions": [plain(version) for version in versions],
        "each": [answer(client.get_model_version, name, str(number)) for number in range(1, 6)],
        "downloads": [answer(client.get_model_version_download_uri, name, str(number)) for number in range(1, 6)],
        "aliases": {alias: answer(client.get_model_version_by_alias, name, alias) for alias in sorted(model.aliases)},
    }


experiments = pages(client.search_experiments, view_type=ViewType.ALL)
ids = [experiment.experiment_id for experiment in experiments]
runs = pages(client.search_runs, experiment_ids=ids, run_view_type=ViewType.ALL)
models = pages(client.search_registered_models)
prompts = pages(client.search_registered_models, filter_string="tags.`mlflow.prompt.is_prompt` = 'true'")
logged = pages(client.search_logged_models, experiment_ids=ids)
filters = [
    "metrics.auc > 0.5 and params.depth = '3'",
    "tags.team ILIKE 'RANK%'",
    "datasets.name LIKE '%clicks'",
    "attributes.status = 'KILLED'",
    "attributes.run_name LIKE 'child%'",
]
result = {
    "experiments": [plain(experiment) for experiment in experiments],
    "by name": [answer(client.get_experiment_by_name, experiment.name) for experiment in experiments],
    "by id": [answer(client.get_experiment, id) for id in ids],
    "runs": [of_run(run) for run in runs],
    "filtered": {
        text: [run.info.run_id for run in client.search_runs(ids, text, order_by=["metrics.auc DESC", "start_time"])]
        for text in filters
    },
    "logged models": [plain(model) for model in logged],
    "each logged model": [answer(client.get_logged_model, model.model_id) for model in logged],
    "models": [of_model(model) for model in models],
    "prompts": [of_model(prompt) for prompt in prompts],
    "prompt texts": [
        [answer(client.get_prompt_version, prompt.name, number) for number in ("1", "2", "3")] for prompt in prompts
    ],
    "prompt tags": [answer(client.get_prompt, prompt.name) for prompt in prompts],
    "webhooks": plain(list(client.list_webhooks())) if "webhooks" in sys.argv else [],
}
print(json.dumps(result, sort_keys=True, indent=1))
