import hashlib
import importlib.metadata
import json
import platform
import re

print("# environment lock, version 1: pip install --no-deps -r THIS_FILE")
print("# python:", platform.python_implementation(), platform.python_version())
print("# platform:", " ".join(filter(None, [platform.system(), platform.machine(), "-".join(platform.libc_ver())])))


def installed(distribution):
    """The digest of what the package installed, wherever that is; None if it does not say."""
    record = distribution.read_text("RECORD")
    if not record:
        return None
    # Scripts have the interpreter's path in them, caches the time, and the rest says who installed it, and how.
    skipped = re.compile(r"^\.\.|\.pyc,|\.dist-info/|^\"?[^,]*\.pth,")
    lines = sorted(line for line in record.splitlines() if line and not skipped.search(line))
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


lines = {}
for distribution in importlib.metadata.distributions():
    name = distribution.metadata["Name"]
    if not name:
        continue
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in lines:
        continue
    notes = [installed(distribution)]
    requirement = f"{name}=={distribution.version}"
    origin = distribution.read_text("direct_url.json")
    if origin:
        origin = json.loads(origin)
        url = origin["url"]
        if "vcs_info" in origin:
            url = f"{origin['vcs_info']['vcs']}+{url}@{origin['vcs_info']['commit_id']}"
        elif "archive_info" in origin and origin["archive_info"].get("hash"):
            url += "#" + origin["archive_info"]["hash"]
        if origin.get("subdirectory"):
            url += ("&" if "#" in url else "#") + "subdirectory=" + origin["subdirectory"]
        if origin.get("dir_info", {}).get("editable"):
            notes = ["editable"]
        requirement = f"{name} @ {url}"
    notes = " ".join(note for note in notes if note)
    lines[key] = f"{requirement}  # {notes}" if notes else requirement
for key in sorted(lines):
    print(lines[key])
