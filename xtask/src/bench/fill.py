"""Fills a store that MLflow itself made with runs, straight into its tables, or measures how fast SQLite itself takes rows.

fill.py fill URI RUNS POINTS    experiment `bench` with RUNS runs (10 metrics, 5 params, 3 tags each) and a run with POINTS points
fill.py bare FILE SECONDS       rows per second that SQLite takes into MLflow's table of metrics, 1,000 per durable commit
"""

import sqlite3
import sys
import time

SERIES = "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {runs})"
KEYS = "(SELECT 0 AS k UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4{more}) keys"
MORE = "".join(f" UNION ALL SELECT {k}" for k in range(5, 10))
VALUE = "((i * 7919 + k * 104729) % 100003) / 100003.0"
STATEMENTS = [
    """INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,
           source_version, lifecycle_stage, artifact_uri, experiment_id)
       {series} SELECT {id}, 'run-' || i, 'UNKNOWN', '', '', 'bench', 'FINISHED', 1700000000000 + i, 1700000001000 + i, '',
           'active', 'mlflow-artifacts:/{experiment}/' || {id} || '/artifacts', {experiment} FROM n""",
    """INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
       {series} SELECT 'metric_' || k, {value}, 1700000000000, 1, {false}, {id} FROM n CROSS JOIN {ten}""",
    """INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid)
       {series} SELECT 'metric_' || k, {value}, 1700000000000, 1, {false}, {id} FROM n CROSS JOIN {ten}""",
    """INSERT INTO params (key, value, run_uuid)
       {series} SELECT 'param_' || k, 'v' || ((i + k) % 10), {id} FROM n CROSS JOIN {five}""",
    """INSERT INTO tags (key, value, run_uuid)
       {series} SELECT 'mlflow.runName', 'run-' || i, {id} FROM n""",
    """INSERT INTO tags (key, value, run_uuid) {series} SELECT 'mlflow.user', 'bench', {id} FROM n""",
    """INSERT INTO tags (key, value, run_uuid) {series} SELECT 'mlflow.source.name', 'train.py', {id} FROM n""",
    """INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,
           source_version, lifecycle_stage, artifact_uri, experiment_id)
       VALUES ('{history}', 'history', 'UNKNOWN', '', '', 'bench', 'FINISHED', 1, 2, '', 'active',
           'mlflow-artifacts:/{experiment}/{history}/artifacts', {experiment})""",
    """INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid)
       {points} SELECT 'history_0', ((i * 7919) % 100003) / 100003.0, 1700000000000 + i, i, {false}, '{history}' FROM n""",
    """INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
       SELECT key, value, timestamp, step, is_nan, run_uuid FROM metrics
       WHERE run_uuid = '{history}' ORDER BY step DESC LIMIT 1""",
]


def connect(uri):
    """A connection, and how its database writes a run's id and a false."""
    first, second = "(i * 2654435761) % 4294967296", "(i * 2246822519) % 4294967296"
    if uri.startswith("sqlite:"):
        connection = sqlite3.connect(uri.removeprefix("sqlite:"))
        connection.execute("PRAGMA foreign_keys = ON")
        return connection, f"printf('%08x%08x%016x', {first}, {second}, i)", "0"
    import psycopg2

    hexadecimal = "lpad(to_hex({}), {}, '0')"
    parts = [hexadecimal.format(first, 8), hexadecimal.format(second, 8), hexadecimal.format("i", 16)]
    return psycopg2.connect(uri), "(" + " || ".join(parts) + ")", "false"


def fill(uri, runs, points):
    connection, run_id, false = connect(uri)
    cursor = connection.cursor()
    cursor.execute("SELECT experiment_id FROM experiments WHERE name = 'bench'")
    (experiment,) = cursor.fetchone()
    names = {
        "series": SERIES.format(runs=runs),
        "points": SERIES.format(runs=points),
        "five": KEYS.format(more=""),
        "ten": KEYS.format(more=MORE),
        "value": VALUE,
        "false": false,
        "id": run_id,
        "experiment": experiment,
        "history": "f" * 32,
    }
    for statement in STATEMENTS:
        cursor.execute(statement.format(**names))
    connection.commit()
    if uri.startswith("sqlite:"):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    else:
        # What autovacuum would do within a minute, and not in the middle of a measurement.
        connection.autocommit = True
        cursor.execute("VACUUM ANALYZE")
    connection.close()


def bare(file, seconds):
    connection = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    (run,) = connection.execute("SELECT run_uuid FROM runs LIMIT 1").fetchone()
    insert = "INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, 0, ?)"
    step, taken = 0, 0.0
    while taken < seconds:
        rows = [(f"bare_{k}", s * 0.37, 1700000000000 + s, s, run) for s in range(step, step + 100) for k in range(10)]
        step += 100
        began = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(insert, rows)
        connection.execute("COMMIT")
        taken += time.perf_counter() - began
    print(round(step * 10 / taken))


if sys.argv[1] == "fill":
    fill(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
else:
    bare(sys.argv[2], float(sys.argv[3]))
