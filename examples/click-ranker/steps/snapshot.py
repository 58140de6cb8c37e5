"""Freezes the label rows under the digest of everything that training will read, and prints that digest.

The digest is that of a manifest: each Parquet file of the data folder with its own SHA-256. So two runs that print the
same digest read the same bytes, and `state/snapshots/<digest>/manifest.json` says which file differs between two
others. The label rows are copied beside it; the feature sources are read where they lie, and the manifest tells if they
change.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()

    labels = options.data / "labels.parquet"
    if not labels.exists():
        sys.exit(f"there is no {labels}: run `python generate.py --out {options.data}` first")
    # What the producer will serve from tomorrow on is not what this model learns from.
    files = sorted(path for path in options.data.rglob("*.parquet") if path.name != "traffic.parquet")
    manifest = {path.relative_to(options.data).as_posix(): sha256(path) for path in files}
    text = json.dumps(manifest, indent=2, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()

    folder = options.out / digest
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text(text)
    shutil.copyfile(labels, folder / "labels.parquet")
    print(f"progress: {len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB", file=sys.stderr)
    print(digest)


def sha256(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    main()
