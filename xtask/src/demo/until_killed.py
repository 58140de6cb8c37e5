"""Calls the gateway with the example's own client until it is gone; the id of each answered prediction is a line of FILE.

    until_killed.py ADDRESS FILE
"""

import os
import pathlib
import sys
import types

sys.path.insert(0, os.getcwd())

import pyarrow.parquet as pq
from traffic import Http, tensors

address, file = sys.argv[1:]
gateway = Http(types.SimpleNamespace(address=address, model="click-ranker"))
rows = pq.read_table(pathlib.Path("data/traffic.parquet")).slice(0, 500).to_pandas()
with open(file, "w", encoding="utf-8") as lines:
    while True:
        for start in range(len(rows)):
            try:
                _, _, prediction = gateway.infer(tensors(rows.iloc[start : start + 1]))
            except Exception:  # whatever a client sees when its server is killed
                sys.exit(0)
            print(f"{prediction}:0", file=lines, flush=True)
