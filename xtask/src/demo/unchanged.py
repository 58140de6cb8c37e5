"""Asks the legacy server itself and through the gateway for the same rows; the last line is JSON with the largest difference.

    unchanged.py LEGACY GATEWAY ROWS
"""

import http.client
import json
import os
import sys
import types

sys.path.insert(0, os.getcwd())

import pyarrow.parquet as pq
from traffic import Http, tensors

legacy, gateway, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
direct = http.client.HTTPConnection(legacy)
through = Http(types.SimpleNamespace(address=gateway, model="click-ranker"))
rows = pq.read_table("data/traffic.parquet").slice(0, count).to_pandas()
largest, versions, answer = 0.0, set(), {}
for place in range(len(rows)):
    row = rows.iloc[place]
    asked = {
        "user": int(row["user_id"]),
        "item": int(row["item_id"]),
        "customer": row["customer_id"],
        "hour": int(row["hour_of_day"]),
        "device": row["device"],
    }
    direct.request("POST", "/rank", json.dumps(asked), {"content-type": "application/json"})
    answer = json.loads(direct.getresponse().read())
    probabilities, version, _ = through.infer(tensors(rows.iloc[place : place + 1]))
    largest = max(largest, abs(answer["score"] - float(probabilities[0, 1])))
    versions.add(version)
print(json.dumps({"rows": len(rows), "largest_difference": largest, "versions": sorted(versions), "last": answer}))
