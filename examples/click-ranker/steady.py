"""Steady live traffic by NVIDIA's own client over connections that stay open, until it is told to stop.

    steady.py --address 127.0.0.1:8000 --rate 200 --seconds 30
    steady.py --address 127.0.0.1:8000 --rate 0                    as fast as it goes, until Ctrl-C
    steady.py --hours 18-23 --customers acme,globex                a slice of the day

The rows are those of the next day, shuffled, again and again. Each entity's requests come from one worker, one after the
other, so that "it was answered by version 1, then 2, then 1 again" is a fact about the gateway and not about threads.

A JSON line a second says how it goes; the last line is the whole: requests, failures with what was said, by version the
requests and latencies, and what became of entities: how many met several versions, how many came back to one that they
had left. With `--outcomes` the clicks and purchases that followed are posted against the predictions' ids.

`--until-stdin-closes` is for whoever starts it: it stops when that program closes the pipe, or is gone.
"""

import argparse
import json
import pathlib
import signal
import sys
import threading
import time
from collections import Counter, defaultdict

import numpy as np
import pyarrow.parquet as pq
from server import call
from traffic import KINDS, NUMPY, authorization

# What could not be sent in time is sent late, but never more than a second of it.
LATEST = 1.0


def main():
    options = parse_options()
    rows = slice_of_the_day(options)
    workers = [Worker(number, rows, options) for number in range(options.workers)]
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    if options.until_stdin_closes:
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), stop.set()), daemon=True).start()
    threads = [threading.Thread(target=worker.run, args=(stop,)) for worker in workers]
    for thread in threads:
        thread.start()
    posted = watch(workers, stop, options)
    for thread in threads:
        thread.join()
    print(json.dumps(report(workers, posted)), flush=True)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("data"))
    parser.add_argument("--address", default="127.0.0.1:8000", help="HOST:PORT of the gateway")
    parser.add_argument("--model", default="click-ranker")
    parser.add_argument("--version", default="", help="name this version instead of taking what the gateway picks")
    parser.add_argument("--rate", type=float, default=100, help="requests a second; 0 is as fast as it goes")
    parser.add_argument("--workers", type=int, default=4, help="connections (default: 4)")
    parser.add_argument("--seconds", type=float, help="how long (default: until it is stopped)")
    parser.add_argument("--until-stdin-closes", action="store_true")
    parser.add_argument("--hours", help="only rows of these hours of the day: FROM-TO")
    parser.add_argument("--customers", help="only rows of these customers, separated by commas")
    parser.add_argument("--outcomes", help="HOST:PORT to post outcomes to (default: nowhere)")
    parser.add_argument("--seed", type=int, default=5)
    return parser.parse_args()


def slice_of_the_day(options):
    rows = pq.read_table(options.data / "traffic.parquet").to_pandas()
    if options.hours:
        first, last = (int(hour) for hour in options.hours.split("-"))
        rows = rows[rows["hour_of_day"].between(first, last)]
    if options.customers:
        rows = rows[rows["customer_id"].isin(options.customers.split(","))]
    if rows.empty:
        sys.exit("no row of the day is left")
    return rows.sample(frac=1, random_state=options.seed).reset_index(drop=True)


class Second:
    """What happened within a second."""

    def __init__(self):
        self.requests, self.failed, self.versions, self.seconds = 0, 0, Counter(), []


class Worker:
    """One connection, and the users that it speaks for."""

    def __init__(self, number, rows, options):
        import tritonclient.http as client

        self.client, self.options, self.number = client, options, number
        mine = rows[rows["user_id"] % options.workers == number].reset_index(drop=True)
        self.users = mine["user_id"].to_list()
        self.columns = {name: (kind, mine[name].to_numpy(NUMPY[kind])) for name, kind in KINDS.items()}
        self.happened = {event: mine[column].to_numpy() for event, column in OUTCOMES.items()}
        self.headers = authorization()
        self.lock = threading.Lock()
        self.second = Second()
        self.latencies = defaultdict(list)
        self.failures = Counter()
        # For each user the versions met, without repetitions in a row.
        self.met = defaultdict(list)
        self.outcomes = []

    def run(self, stop):
        if not self.users:
            return
        connection = self.client.InferenceServerClient(self.options.address, concurrency=1)
        pause = self.options.workers / self.options.rate if self.options.rate else 0
        due = time.perf_counter() + pause * self.number / self.options.workers
        row = -1
        while not stop.is_set():
            now = time.perf_counter()
            if due > now and stop.wait(due - now):
                return
            due = max(due, now - LATEST) + pause
            row = (row + 1) % len(self.users)
            self.ask(connection, row)

    def ask(self, connection, row):
        tensors = []
        for name, (kind, values) in self.columns.items():
            tensor = self.client.InferInput(name, [1, 1], kind)
            tensor.set_data_from_numpy(values[row : row + 1].reshape(1, 1))
            tensors.append(tensor)
        began = time.perf_counter()
        try:
            answer = connection.infer(
                self.options.model, tensors, model_version=self.options.version, headers=self.headers
            )
            answer.as_numpy("probabilities")
            response = answer.get_response()
        except Exception as error:  # any failed request counts, whatever failed
            with self.lock:
                self.second.requests += 1
                self.second.failed += 1
                self.failures[str(error)] += 1
            return
        took = time.perf_counter() - began
        version = response["model_version"]
        with self.lock:
            self.second.requests += 1
            self.second.versions[version] += 1
            self.second.seconds.append(took)
            self.latencies[version].append(took)
            met = self.met[self.users[row]]
            if not met or met[-1] != version:
                met.append(version)
            if self.options.outcomes:
                prediction = f"{response['parameters']['prediction_id']}:0"
                for event, happened in self.happened.items():
                    if happened[row]:
                        self.outcomes.append({"prediction_id": prediction, "event": event, "value": 1.0})

    def take(self):
        with self.lock:
            second, self.second = self.second, Second()
            outcomes, self.outcomes = self.outcomes, []
        return second, outcomes


OUTCOMES = {"click": "clicked", "purchase": "purchased"}


def watch(workers, stop, options):
    """Says each second how it goes, until it is over; how many outcomes were posted."""
    began, posted, number = time.perf_counter(), 0, 0
    over = False
    while not over:
        number += 1
        over = stop.wait(max(0.0, began + number - time.perf_counter()))
        if options.seconds and time.perf_counter() - began >= options.seconds:
            stop.set()
            over = True
        taken = [worker.take() for worker in workers]
        print(json.dumps(line(number, [second for second, _ in taken])), flush=True)
        outcomes = [outcome for _, several in taken for outcome in several]
        if outcomes:
            posted += call("/crosstie/v1/outcomes", {"outcomes": outcomes}, server=f"http://{options.outcomes}")[
                "accepted"
            ]
    return posted


def line(number, seconds):
    took = [value for second in seconds for value in second.seconds]
    versions = sum((second.versions for second in seconds), Counter())
    return {
        "second": number,
        "requests": sum(second.requests for second in seconds),
        "failed": sum(second.failed for second in seconds),
        "versions": versions,
        "p50_ms": percentile(took, 50),
        "p95_ms": percentile(took, 95),
    }


def report(workers, posted):
    latencies, failures = defaultdict(list), Counter()
    met = {}
    for worker in workers:
        for version, several in worker.latencies.items():
            latencies[version].extend(several)
        failures.update(worker.failures)
        met.update(worker.met)
    failed = sum(failures.values())
    return {
        "requests": failed + sum(len(several) for several in latencies.values()),
        "failed": failed,
        "failures": dict(failures.most_common(5)),
        "versions": {
            version: {
                "requests": len(several),
                "p50_ms": percentile(several, 50),
                "p95_ms": percentile(several, 95),
            }
            for version, several in sorted(latencies.items())
        },
        "entities": len(met),
        "met_several": sum(len(versions) > 1 for versions in met.values()),
        # Changed version, and changed back.
        "flips": sum(len(set(versions)) < len(versions) for versions in met.values()),
        "outcomes": posted,
    }


def percentile(seconds, share):
    return round(float(np.percentile(seconds, share) * 1000), 2) if seconds else None


if __name__ == "__main__":
    main()
