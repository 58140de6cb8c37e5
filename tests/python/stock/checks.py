"""What the scripts beside this file share. Each is run as `python TOPIC.py http://127.0.0.1:5000`, asserts what it reads
back through the stock client, and prints it: the same on every server that does what MLflow's does, so ids and times are
left out.
"""

import os
import re
import sys
import tempfile
import warnings

SERVER = sys.argv[1]
os.environ["MLFLOW_TRACKING_URI"] = SERVER
os.environ["MLFLOW_REGISTRY_URI"] = SERVER
# What does not hold fails at once, and progress is no result.
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "2"
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
os.chdir(tempfile.mkdtemp())
warnings.filterwarnings("ignore")

import logging  # noqa: E402

logging.disable(logging.ERROR)


def held(what, found, expected=None):
    """Prints what was found; asserts that it is what is expected, if something is, and that it is not false."""
    assert expected is None or found == expected, f"{what}: {found!r}, not {expected!r}"
    assert found is not False, what
    print(f"{what}: {shown(found)}")


def ordered(value):
    """A value with its dictionaries in order of key: a server may list them in any."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value)}
    return type(value)(map(ordered, value)) if type(value) in (list, tuple) else value


def shown(value):
    """A value without what differs from run to run: ids and the folders of experiments."""
    text = repr(ordered(value))
    text = re.sub(r"m-[0-9a-f]{32}", "m-ID", text)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID", text)
    return re.sub(r"\b[0-9a-f]{32}\b", "ID", text)


def refused(what, call):
    """Asserts that the server refuses, and prints how, in its own words: without what MLflow's database said besides, and
    with sets in order, which Python writes in another each time.
    """
    from mlflow.exceptions import MlflowException

    try:
        call()
    except MlflowException as error:
        said = re.sub(r" Error: \([\w.]+Error\) .*", "", str(error), flags=re.DOTALL)
        said = re.sub(r"\{('[^{}]*')\}", lambda found: "{" + ", ".join(sorted(found[1].split(", "))) + "}", said)
        print(f"{what}: refused, {error.error_code}: {shown(said)}")
    else:
        raise AssertionError(f"{what}: was not refused")


def tree(client, run_id, path=None):
    """All files of a run with their sizes."""
    found = []
    for entry in client.list_artifacts(run_id, path):
        found += tree(client, run_id, entry.path) if entry.is_dir else [entry.path]
    return sorted(found)
