"""What the team has today: a ranker in one Python process on one old machine, as it grew over the years.

    legacy/server.py --data data --port 8090
    curl -d '{"user": 17, "item": 5, "customer": "acme", "hour": 20, "device": "phone"}' 127.0.0.1:8090/rank

It has feature code of its own, which asks a key-value store twenty times for each request, one read after the other. The
store is a stand-in: a dictionary that lets its caller wait as long as a round trip in a data centre takes. The model is
a logistic regression, fitted on the last days when the process starts.

And it has a fault that nobody has noticed: it learnt from the country in the user's profile, and asks the store for the
country that the *customer's* invoices go to. Both are called `user_country`.

With `--ready-file` the address is written there once the server answers, for scripts.
"""

import argparse
import datetime
import json
import math
import os
import pathlib
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ACTIVITY = ["impressions_7d", "clicks_7d", "purchases_30d"]
ITEM = ["ctr_30d", "price", "category"]
CLICKED_AT = 0.5
LEARNS_FROM = 3  # days


def main():
    options = parse_options()
    # Twenty short waits a request: who waits for the interpreter must not wait for its usual five milliseconds.
    sys.setswitchinterval(0.0005)
    began = time.perf_counter()
    store = Store(options.data, options.read_ms / 1000)
    model = Model.fit(options.data, options.rows, options.seed)
    server = Server((options.host, options.port), Handler)
    server.ranker = Ranker(store, model)
    address = f"{options.host}:{server.server_address[1]}"
    report = {"address": address, "keys": len(store.values), "rows": model.rows, "reads": READS}
    report["ready_after"] = round(time.perf_counter() - began, 2)
    print(json.dumps(report), flush=True)
    if options.ready_file:
        beside = options.ready_file.with_name(options.ready_file.name + ".new")
        beside.write_text(json.dumps(report) + "\n")
        os.replace(beside, options.ready_file)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("data"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="0 takes a free one (default: 8090)")
    parser.add_argument("--read-ms", type=float, default=0.3, help="how long the store takes for a read (default: 0.3)")
    parser.add_argument("--rows", type=int, default=15_000, help="label rows to learn from (default: 15000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ready-file", type=pathlib.Path)
    return parser.parse_args()


# ---- the store


class Store:
    """A key-value store in the same data centre: `get` is a round trip."""

    def __init__(self, data, wait):
        self.wait = wait
        self.values = {"settings/score_floor": 0.0, "settings/score_ceiling": 1.0, "settings/median_price": 24.5}
        self.fill("user", newest(data / "user_activity", "user_id"), ACTIVITY)
        self.fill("user", newest(data / "user_profile", "user_id"), ["user_country", "tenure_days"])
        self.fill("item", newest(data / "item_stats", "item_id"), ITEM)
        self.fill("customer", newest(data / "customer_stats", "customer_id"), ["customer_ctr_7d"])
        self.fill("customer", pq.read_table(data / "customers.parquet"), ["billing_country"])

    def fill(self, kind, table, columns):
        keys = table[f"{kind}_id"].to_pylist()
        for column in columns:
            for key, value in zip(keys, table[column].to_pylist(), strict=True):
                self.values[f"{kind}/{key}/{column}"] = value

    def get(self, key, otherwise):
        time.sleep(self.wait)
        return self.values.get(key, otherwise)


def newest(folder, key):
    """The newest row of each `key` that is known by now."""
    table = pq.read_table(folder)
    table = table.filter(pc.less_equal(table["created_at"], datetime.datetime.now(datetime.UTC)))
    table = table.sort_by([(key, "ascending"), ("event_time", "ascending"), ("created_at", "ascending")])
    keys = table[key].to_numpy(zero_copy_only=False)
    return table.take(pa.array(np.flatnonzero(np.append(keys[1:] != keys[:-1], True))))


# ---- features

READS = 20


def features(store, request):
    """The features of a request, read one by one; some reads are there because they always were."""
    user, item, customer = f"user/{request['user']}", f"item/{request['item']}", f"customer/{request['customer']}"
    get = store.get
    if get(f"{user}/opted_out", False) or get(f"{customer}/suspended", False) or get(f"{item}/withdrawn", False):
        return None
    impressions = get(f"{user}/impressions_7d", 0)
    clicks = get(f"{user}/clicks_7d", 0)
    # Whoever wrote this took the invoice's country for the user's.
    country = get(f"{customer}/billing_country", "ZZ")
    found = {
        "impressions_7d": impressions,
        "clicks_7d": clicks,
        "purchases_30d": get(f"{user}/purchases_30d", 0),
        "user_country": country,
        "tenure_days": get(f"{user}/tenure_days", 0),
        "ctr_30d": get(f"{item}/ctr_30d", 0.1),
        "price": get(f"{item}/price", get("settings/median_price", 24.5)),
        "category": get(f"{item}/category", "books"),
        "customer_ctr_7d": get(f"{customer}/customer_ctr_7d", 0.12),
        "hour_of_day": request["hour"],
        "device": request["device"],
        "is_evening": 1 if request["hour"] >= 18 else 0,
        "click_rate_7d": clicks / (impressions + 5),
    }
    for forgotten in ["cohort", "experiment", "newsletter"]:
        get(f"{user}/{forgotten}", None)
    for forgotten in ["plan", "price_list"]:
        get(f"{customer}/{forgotten}", None)
    found["floor"] = get("settings/score_floor", 0.0)
    found["ceiling"] = get("settings/score_ceiling", 1.0)
    return found


# ---- the model


class Model:
    """A logistic regression over named terms."""

    def __init__(self, bias, weights, rows):
        self.bias, self.weights, self.rows = bias, weights, rows

    @classmethod
    def fit(cls, data, wanted, seed):
        from sklearn.feature_extraction import DictVectorizer
        from sklearn.linear_model import LogisticRegression

        rows, labels = last_days(data, wanted, seed)
        vectorizer = DictVectorizer()
        fitted = LogisticRegression(C=0.3, max_iter=60).fit(vectorizer.fit_transform(map(terms, rows)), labels)
        weights = dict(zip(vectorizer.feature_names_, fitted.coef_[0].tolist(), strict=True))
        return cls(float(fitted.intercept_[0]), weights, len(rows))

    def score(self, row):
        logit = self.bias + sum(self.weights.get(name, 0.0) * value for name, value in terms(row).items())
        return 1 / (1 + math.exp(-logit))


def terms(row):
    """What the model looks at, by name."""
    country, category = row["user_country"], row["category"]
    return {
        "clicks": math.log1p(min(row["clicks_7d"], 12)),
        "purchases": math.log1p(min(row["purchases_30d"], 5)),
        "click rate": row["click_rate_7d"],
        "item": math.log(max(row["ctr_30d"], 1e-3)),
        "customer": 10 * row["customer_ctr_7d"],
        "price": math.log(max(row["price"], 0.01)) - 3.2,
        "tenure": min(row["tenure_days"], 365) / 365,
        f"country {country}": 1.0,
        f"category {category}": 1.0,
        f"category {category} in {country}": 1.0,
        f"category {category} in the evening": float(row["is_evening"]),
        f"device {row['device']}": 1.0,
    }


def last_days(data, wanted, seed):
    """Impressions of the last days with the features of their mornings, and whether they were clicked."""
    labels = pq.read_table(data / "labels.parquet")
    days = pc.cast(labels["event_timestamp"], pa.date32()).to_numpy()
    recent = np.flatnonzero(days > days.max() - np.timedelta64(LEARNS_FROM, "D"))
    chosen = np.sort(np.random.default_rng(seed).choice(recent, min(wanted, len(recent)), replace=False))
    mornings = {}
    profiles = by_key(newest(data / "user_profile", "user_id"), "user_id")
    rows = labels.take(pa.array(chosen)).to_pylist()
    for place, row in zip(chosen, rows, strict=True):
        day = days[place].item()
        if day not in mornings:
            views = [("user_activity", "user_id"), ("item_stats", "item_id"), ("customer_stats", "customer_id")]
            mornings[day] = [morning(data, view, key, day) for view, key in views]
        users, items, customers = mornings[day]
        row.update(users.get(row["user_id"]) or dict.fromkeys(ACTIVITY, 0))
        row.update(profiles.get(row["user_id"]) or {"user_country": "ZZ", "tenure_days": 0})
        row.update(items.get(row["item_id"]) or {"ctr_30d": 0.1, "price": 24.5, "category": "books"})
        row.update(customers.get(row["customer_id"]) or {"customer_ctr_7d": 0.12})
        row["is_evening"] = 1 if row["hour_of_day"] >= 18 else 0
        row["click_rate_7d"] = row["clicks_7d"] / (row["impressions_7d"] + 5)
    return rows, [row["clicked"] for row in rows]


def morning(data, view, key, day):
    path = data / view / f"{day.isoformat()}.parquet"
    return by_key(pq.read_table(path), key) if path.exists() else {}


def by_key(table, key):
    drop = {key, "event_time", "created_at"}
    names = [name for name in table.column_names if name not in drop]
    return {row[key]: {name: row[name] for name in names} for row in table.to_pylist()}


# ---- the server


class Ranker:
    def __init__(self, store, model):
        self.store, self.model = store, model

    def rank(self, request):
        began = time.perf_counter()
        found = features(self.store, request)
        if found is None:
            return {"score": 0.0, "clicked": 0, "features": {}, "ms": 0.0}
        floor, ceiling = found.pop("floor"), found.pop("ceiling")
        score = min(max(self.model.score(found), floor), ceiling)
        took = (time.perf_counter() - began) * 1000
        return {"score": score, "clicked": int(score > CLICKED_AT), "features": found, "ms": round(took, 2)}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in one packet, at once.
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self):
        if self.path == "/health":
            self.answer(200, {"status": "up", "at": datetime.datetime.now(datetime.UTC).isoformat()})
        else:
            self.answer(404, {"error": f"there is no {self.path}"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path != "/rank":
            self.answer(404, {"error": f"there is no {self.path}"})
            return
        try:
            answer = self.server.ranker.rank(json.loads(body))
        except (KeyError, TypeError, ValueError) as error:
            self.answer(400, {"error": f"{type(error).__name__}: {error}"})
            return
        self.answer(200, answer)

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_):
        """Requests are not logged; they never were."""


if __name__ == "__main__":
    main()
