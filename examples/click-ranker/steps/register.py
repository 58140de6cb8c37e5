"""Registers the logged model as the next version of `click-ranker`."""

import argparse
import pathlib
import sys

import mlflow


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model-uri", required=True)
    parser.add_argument("--name", default="click-ranker")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for `version`")
    options = parser.parse_args()

    version = mlflow.register_model(options.model_uri, options.name)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "version").write_text(f"{version.version}\n")
    print(f"progress: registered {options.name}/{version.version}", file=sys.stderr)


if __name__ == "__main__":
    main()
