"""The stock MLflow client on a server whose artifacts are in S3: `python mlflow_s3.py SERVER ENDPOINT BUCKET PREFIX`.

The credentials are in AWS's variables. What the client sees is compared with what boto3 finds in the bucket. Every step is
asserted; the last line says how many held.
"""

import os
import pathlib
import sys
import tempfile
import uuid

SERVER, ENDPOINT, BUCKET, PREFIX = sys.argv[1:5]
MIB = 1024 * 1024
# S3 wants 5 MiB in each part but the last.
os.environ["MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE"] = str(5 * MIB)
os.environ["MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE"] = str(6 * MIB)
os.environ["MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE"] = str(4 * MIB)
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"

import boto3  # noqa: E402
import mlflow  # noqa: E402
import requests  # noqa: E402
from botocore.config import Config  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository  # noqa: E402
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository  # noqa: E402

HELD = []
PARTS = []
PRESIGNED = []


def held(what, condition=True):
    assert condition, what
    HELD.append(what)
    print(f"ok  {what}")


def count(name, calls, static=False):
    """Lets the client's own method note each call."""
    original = getattr(HttpArtifactRepository, name)

    def noted(*arguments, **keywords):
        calls.append(name)
        return original(*arguments, **keywords)

    setattr(HttpArtifactRepository, name, staticmethod(noted) if static else noted)
    return original


class Doubler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[float], params=None):
        return [2 * value for value in model_input]


def key_of(uri):
    assert uri.startswith("mlflow-artifacts:/"), uri
    return "/".join(part for part in (PREFIX, uri.removeprefix("mlflow-artifacts:/")) if part)


def main():
    mlflow.set_tracking_uri(SERVER)
    client = MlflowClient()
    s3 = boto3.client("s3", endpoint_url=ENDPOINT, config=Config(s3={"addressing_style": "path"}))

    def stored(key):
        return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def keys(prefix):
        return sorted(found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", []))

    info = requests.get(f"{SERVER}/api/3.0/mlflow/server-info", timeout=10).json()
    held("the server says that it speaks in parts", info["multipart_uploads_enabled"] and info["multipart_downloads_enabled"])
    count("_upload_part", PARTS, static=True)
    count("_get_presigned_download_url", PRESIGNED)

    experiment = client.create_experiment(f"s3-{uuid.uuid4().hex[:8]}")
    run = client.create_run(experiment)
    run_id, root = run.info.run_id, key_of(run.info.artifact_uri)
    with tempfile.TemporaryDirectory() as folder:
        small, large = pathlib.Path(folder) / "small é.txt", pathlib.Path(folder) / "large.bin"
        small.write_text("small")
        large.write_bytes(os.urandom(12 * MIB + 5))
        client.log_artifact(run_id, str(small))
        held("a small file goes through the server", not PARTS)
        held("and lies at prefix and path", stored(f"{root}/small é.txt") == b"small")
        client.log_artifact(run_id, str(large), "deep/er")
        held("a large file goes around it, in parts", len(PARTS) == 3)
        held("which S3 made one of", stored(f"{root}/deep/er/large.bin") == large.read_bytes())

        listed = [(f.path, f.is_dir, f.file_size) for f in client.list_artifacts(run_id)]
        held("files and folders are listed", listed == [("deep", True, None), ("small é.txt", False, 5)])
        listed = [(f.path, f.file_size) for f in client.list_artifacts(run_id, "deep/er")]
        held("with their sizes", listed == [("deep/er/large.bin", 12 * MIB + 5)])
        there = pathlib.Path(client.download_artifacts(run_id, "", tempfile.mkdtemp(dir=folder)))
        held("downloads go around it", len(PRESIGNED) == 2)
        held("the large file comes back", (there / "deep/er/large.bin").read_bytes() == large.read_bytes())
        held("the small file comes back", (there / "small é.txt").read_text() == "small")
        os.environ["MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD"] = "false"
        through = client.download_artifacts(run_id, "deep/er/large.bin", tempfile.mkdtemp(dir=folder))
        held("and through it, if that is wanted", pathlib.Path(through).read_bytes() == large.read_bytes())
        del os.environ["MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD"]

        def breaks(*_, **__):
            raise OSError("the network is away")

        works, HttpArtifactRepository._upload_part = HttpArtifactRepository._upload_part, staticmethod(breaks)
        large = large.rename(large.with_name("broken.bin"))
        try:
            client.log_artifact(run_id, str(large))
        except Exception as error:
            held("an upload that fails is said to", "broken.bin" in str(error))
        HttpArtifactRepository._upload_part = staticmethod(works)
        held("and leaves nothing", f"{root}/broken.bin" not in keys(root))

        kept = large.rename(large.with_name("kept.bin"))
        client.log_artifact(run_id, str(kept))

    repository = get_artifact_repository(run.info.artifact_uri)
    repository.delete_artifacts("deep")
    held("a folder is deleted with all in it", keys(root) == [f"{root}/kept.bin", f"{root}/small é.txt"])

    with mlflow.start_run(experiment_id=experiment):
        logged = mlflow.pyfunc.log_model(name="doubler", python_model=Doubler())
    name = f"doubler-{uuid.uuid4().hex[:8]}"
    version = mlflow.register_model(logged.model_uri, name)
    client.set_registered_model_alias(name, "champion", version.version)
    for uri in (f"models:/{name}/{version.version}", f"models:/{name}@champion"):
        held(f"{uri.replace(name, 'NAME')} loads", mlflow.pyfunc.load_model(uri).predict([2.5]) == [5.0])

    direct(client, stored)
    print(f"{len(HELD)} checks held with mlflow {mlflow.__version__}")


def direct(client, stored):
    """Runs whose artifacts clients find in the bucket by themselves."""
    root = f"s3://{BUCKET}/{PREFIX}/direct".replace("//direct", "/direct")
    experiment = client.create_experiment(f"direct-{uuid.uuid4().hex[:8]}", artifact_location=root)
    run_id = client.create_run(experiment).info.run_id

    def ask(call, **fields):
        answer = requests.post(f"{SERVER}/api/2.0/mlflow/artifacts/{call}", json={"run_id": run_id, **fields}, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    upload = ask("presigned-upload-url", path="a/b.txt")
    held("as a file of the type that its name says", upload["headers"] == {"Content-Type": "text/plain"})
    put = requests.put(upload["presigned_url"], data=b"direct", headers=upload["headers"], timeout=10)
    held("a signed address takes a file", put.ok)
    key = f"{PREFIX}/direct/{run_id}/artifacts/a/b.txt".removeprefix("/")
    held("at its place", stored(key) == b"direct")
    download = ask("presigned-download-url", path="a/b.txt", expiration=60)
    held("and gives it", requests.get(download["presigned_url"], timeout=10).content == b"direct")
    held("with its size", download["file_size"] == 6)
    listed = requests.get(f"{SERVER}/api/2.0/mlflow/artifacts/list", params={"run_id": run_id, "path": "a"}, timeout=10)
    held("the server lists it, too", listed.json()["files"] == [{"path": "a/b.txt", "is_dir": False, "file_size": 6}])


main()
