"""Registers the legacy server as a version of `click-ranker`, with the stock MLflow client.

    legacy/register.py --url http://127.0.0.1:8090/rank

A version is a folder of files; that of a server elsewhere holds one file, `http.yaml`, which says how to ask it. The last
line printed is JSON with the version.
"""

import argparse
import json
import pathlib
import re
import tempfile

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

DECLARATION = pathlib.Path(__file__).with_name("http.yaml")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="where the server answers (default: as http.yaml says)")
    parser.add_argument("--model", default="click-ranker")
    options = parser.parse_args()

    declaration = DECLARATION.read_text()
    if options.url:
        declaration = re.sub(r"(?m)^url: .*$", f"url: {options.url}", declaration)
    client = MlflowClient()
    try:
        client.create_registered_model(options.model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    run = client.create_run(experiment(client, "legacy"), run_name="the old machine").info
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "http.yaml").write_text(declaration)
        client.log_artifacts(run.run_id, folder, "model")
    client.set_terminated(run.run_id)
    description = "The server that ranks today, as it is: nobody knows any more what it was trained on."
    made = client.create_model_version(options.model, f"{run.artifact_uri}/model", run.run_id, description=description)
    print(json.dumps({"version": int(made.version), "url": options.url}))


def experiment(client, name):
    found = client.get_experiment_by_name(name)
    return found.experiment_id if found else client.create_experiment(name)


if __name__ == "__main__":
    main()
