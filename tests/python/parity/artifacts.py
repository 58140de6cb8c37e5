"""The artifact proxy, `artifacts/list`, and files for the web client."""

P = "/api/2.0/mlflow-artifacts"
UNSAFE = ["..", "../x", "a/../../x", "/etc/passwd", "a//b", "./a", "a/.", "%2e%2e/x", "..%2fx", "%252e%252e/x", "a\\..\\x", "a\x00b", "C:/x", "a/..", "~/x", "a b", "ä", "a%20b", "a#b", "a?b", ""]


def play(t):
    t.post("experiments/create", {"name": "of artifacts"}, keep={"e": "experiment_id"})
    t.post("runs/create", {"experiment_id": "$e", "start_time": 1, "run_name": "holds"}, keep={"r": "run.info.run_id"})
    root = "$e/$r/artifacts"
    for path, content in (("a.txt", b"hello"), ("sub/b.bin", b"\x00\x01"), ("sub/deep/c.json", b"{}"), ("a%20b.txt", b"space"), ("%C3%A4.txt", b"umlaut"), ("empty", b""), ("n.ipynb", b"{}"), ("c.hocon", b"x")):
        t.call("PUT", f"{P}/artifacts/{root}/{path}", raw=content, headers={"Content-Type": "application/octet-stream"})
    listing(t, root)
    proxy(t, root)
    for_the_web(t)
    wholes(t)
    hosts(t)


def listing(t, root):
    t.get("artifacts/list", {"run_id": "$r"})
    t.get("artifacts/list", {"run_uuid": "$r"})
    for path in ("sub", "sub/", "sub/deep", "none", "a.txt", *UNSAFE):
        t.get("artifacts/list", {"run_id": "$r", "path": path})
        t.get(f"{P}/artifacts", {"path": f"{root}/{path}" if path and not path.startswith("/") else path})
    for query in ({}, {"run_id": ""}, {"run_id": "nope"}, {"path": "sub"}):
        t.get("artifacts/list", query)
    t.get(f"{P}/artifacts", {"path": root})


def proxy(t, root):
    for path in ("a.txt", "sub/b.bin", "a%20b.txt", "%C3%A4.txt", "empty", "n.ipynb", "c.hocon", "none", "sub", "sub/none"):
        ours, theirs = t.get(f"{P}/artifacts/{root}/{path}", text=False)
        for header in ("Content-Type", "Content-Disposition", "X-Content-Type-Options"):
            if theirs.status == 200:
                t.alike(f"{path}: {header}", ours.headers[header], theirs.headers[header])
    for path in ("%2e%2e/x", "..%2fx", "%252e%252e/x", "a%5c..%5cx", "a%00b", "C:/x", "a%2f..%2f..%2fx", "%2fetc%2fpasswd"):
        for method in ("GET", "PUT", "DELETE"):
            t.call(method, f"{P}/artifacts/{path}", raw=b"x" if method == "PUT" else None, text=False)
    t.call("DELETE", f"{P}/artifacts/{root}/sub")
    t.call("DELETE", f"{P}/artifacts/{root}/sub")
    t.call("DELETE", f"{P}/artifacts/{root}/a.txt")
    t.get("artifacts/list", {"run_id": "$r"})
    t.get(f"/ajax-api/2.0/mlflow-artifacts/artifacts", {"path": root})


def for_the_web(t):
    for query in ({"run_uuid": "$r", "path": "empty"}, {"run_id": "$r", "path": "empty"}, {"run_id": "$r", "path": "none"}, {"run_id": "$r"}, {"path": "empty"}, {"run_id": "nope", "path": "empty"}, {"run_id": "$r", "path": "../x"}, {"run_id": "$r", "path": ""}):
        t.get("/get-artifact", query, text=False)
    t.post("registered-models/create", {"name": "with files"})
    t.post("model-versions/create", {"name": "with files", "source": "mlflow-artifacts:/$e/$r/artifacts", "run_id": "$r"})
    for query in ({"name": "with files", "version": "1", "path": "empty"}, {"name": "with files", "version": "1", "path": "none"}, {"name": "with files", "version": "1"}, {"name": "nope", "version": "1", "path": "empty"}, {"name": "with files", "version": "1", "path": "../x"}):
        t.get("/model-versions/get-artifact", query, text=False)
    t.post("logged-models", {"experiment_id": "$e", "name": "filed"}, keep={"m": "model.info.model_id"})
    t.call("PUT", f"{P}/artifacts/$e/models/$m/artifacts/d/f.txt", raw=b"file", headers={"Content-Type": "application/octet-stream"})
    t.get("logged-models/$m/artifacts/directories")
    for query in ({}, {"artifact_file_path": ""}):
        t.get("/ajax-api/2.0/mlflow/logged-models/$m/artifacts/files", query)
    for path in ("../x", "%2e%2e/x", "a%23b", "/etc/x"):
        t.call("POST", "/ajax-api/2.0/mlflow/upload-artifact", query={"run_uuid": "$r", "path": path}, raw=b"x", headers={"Content-Type": "text/plain"})
    for path in ("d", "d/f.txt", "none", "../x"):
        t.get("logged-models/$m/artifacts/directories", {"artifact_directory_path": path})
        t.get("/ajax-api/2.0/mlflow/logged-models/$m/artifacts/files", {"artifact_file_path": path}, text=False)


def wholes(t):
    """Multipart and presigned, which a folder does not have: clients fall back on these texts."""
    for step, body in (("create", {"path": "x", "num_parts": 1}), ("complete", {"path": "x", "upload_id": "u", "parts": []}), ("abort", {"path": "x", "upload_id": "u"})):
        t.post(f"{P}/mpu/{step}/$e/x", body)
    t.get(f"{P}/presigned/$e/x")


def hosts(t):
    """At the end: what one server alone takes is found by every search from then on."""
    for index, location in enumerate(("http://h/x", "https://h/api/2.0/mlflow-artifacts/artifacts/x", "ftp://h/x", "sftp://h/x", "hdfs://h/x", "mlflow-artifacts://h/x")):
        t.post("experiments/create", {"name": f"host {index}", "artifact_location": location})
