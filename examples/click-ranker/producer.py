"""A producer of fresher feature values: for some users who are active today, it pushes newer rows of `user_activity`
and `user_profile` to the online store, and then lands the same rows in the offline source, as a nightly job would.

`--lowercase-countries` is the mistake that the parity gate exists for: what is pushed has countries in lower case, what
lands has not. `--no-land` leaves the offline source behind, so that the pushed rows are ahead of it.

`--recode US=USA` is the one that only drift detection finds: the system that profiles come from writes another code for
a country from now on, for all users of one customer, and both rails agree about it. Who is not named by `--customer` is
the one of middling size with the largest share of such users.

The last line printed is JSON: rows pushed, accepted, superseded and landed.
"""

import argparse
import datetime
import json
import os
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from server import call

BATCH = 500


def main():
    parser = argparse.ArgumentParser(description="Pushes fresher feature values of some users.")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("data"))
    parser.add_argument("--events", type=int, default=2_000, help="rows to push, over both views (default: 2000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lowercase-countries", "--lower-case-countries", action="store_true")
    parser.add_argument("--recode", metavar="OLD=NEW", help="push one customer's users with another code for a country")
    parser.add_argument("--customer", help="whose users are recoded")
    parser.add_argument("--no-land", action="store_true", help="do not write the rows to the offline source")
    options = parser.parse_args()

    now = datetime.datetime.now(datetime.UTC)
    report = {"pushed": 0, "accepted": 0, "superseded": 0, "landed": 0}
    if options.recode:
        old, new = options.recode.split("=")
        customer, table = profiles_of_a_customer(options, old)
        report |= {"customer": customer, "users": table.num_rows, "old": old, "new": new}
        rows = {"user_profile": mapped(table, lambda _: new)}
    else:
        users = active_users(options)
        activity = after_today(newest(options.data, "user_activity", users), options.data)
        rows = {"user_activity": activity, "user_profile": newest(options.data, "user_profile", users)}
    for view, table in rows.items():
        table = stamped(table, now)
        pushed = table
        if options.lowercase_countries and view == "user_profile":
            pushed = mapped(table, str.lower)
        for batch in batches(pushed):
            answer = call("/crosstie/v1/features/push", {"view": view, "rows": batch})
            report["pushed"] += len(batch)
            report["accepted"] += answer["rows"]
            report["superseded"] += answer["superseded"]
        if not options.no_land:
            land(options.data / view, table, now)
            report["landed"] += table.num_rows
    print(json.dumps(report))


def active_users(options):
    """Users of today's traffic who have rows in both views; half of `--events` of them."""
    today = np.unique(pq.read_table(options.data / "traffic.parquet", columns=["user_id"])["user_id"].to_numpy())
    known = pq.read_table(options.data / "user_profile", columns=["user_id"])["user_id"].to_numpy()
    today = np.intersect1d(today, known)
    wanted = min(len(today), max(1, options.events // 2))
    return np.sort(np.random.default_rng(options.seed).choice(today, wanted, replace=False))


def profiles_of_a_customer(options, country):
    """A customer, and the newest profiles of those of its users who are active today and in `country`."""
    today = pq.read_table(options.data / "traffic.parquet", columns=["user_id", "customer_id"]).to_pandas()
    profiles = newest(options.data, "user_profile", today["user_id"].unique())
    there = profiles.filter(pc.equal(profiles["user_country"], country))
    today["there"] = today["user_id"].isin(there["user_id"].to_numpy())
    customer = options.customer
    if not customer:
        by_size = today.groupby("customer_id").agg(rows=("there", "size"), share=("there", "mean"))
        by_size = by_size.sort_values("rows", ascending=False)
        middle = by_size.iloc[len(by_size) // 6 : 2 * len(by_size) // 3]
        customer = middle["share"].idxmax()
    users = today.loc[today["customer_id"] == customer, "user_id"].unique()
    return customer, there.filter(pc.is_in(there["user_id"], pa.array(users)))


def newest(data, view, users):
    """The newest row of each of `users`."""
    table = pq.read_table(data / view)
    table = table.filter(pc.is_in(table["user_id"], pa.array(users)))
    table = table.sort_by([("user_id", "ascending"), ("event_time", "ascending"), ("created_at", "ascending")])
    ids = table["user_id"].to_numpy()
    last = np.flatnonzero(np.append(ids[1:] != ids[:-1], True)) if len(ids) else np.array([], int)
    return table.take(pa.array(last))


def after_today(activity, data):
    """The counts with what today's traffic adds to them."""
    traffic = pq.read_table(data / "traffic.parquet", columns=["user_id", "clicked", "purchased"])
    sums = traffic.group_by("user_id").aggregate([("clicked", "count"), ("clicked", "sum"), ("purchased", "sum")])
    today = {row["user_id"]: row for row in sums.to_pylist()}
    added = [today.get(user, {}) for user in activity["user_id"].to_pylist()]
    for column, count in [
        ("impressions_7d", "clicked_count"),
        ("clicks_7d", "clicked_sum"),
        ("purchases_30d", "purchased_sum"),
    ]:
        values = activity[column].to_numpy() + np.array([row.get(count, 0) for row in added], np.int64)
        activity = activity.set_column(activity.schema.get_field_index(column), column, pa.array(values))
    return activity


def stamped(table, now):
    for column in ["event_time", "created_at"]:
        times = pa.array([now] * table.num_rows, table.schema.field(column).type)
        table = table.set_column(table.schema.get_field_index(column), column, times)
    return table


def mapped(table, change):
    place = table.schema.get_field_index("user_country")
    changed = [change(country) for country in table["user_country"].to_pylist()]
    return table.set_column(place, "user_country", pa.array(changed, table.schema.field(place).type))


def batches(table):
    rows = table.drop_columns("created_at").to_pylist()
    for row in rows:
        row["event_timestamp"] = row.pop("event_time").isoformat().replace("+00:00", "Z")
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def land(folder, table, now):
    """Writes the rows to the offline source; readers see the whole file or none."""
    path = folder / f"landed-{now:%Y%m%dT%H%M%S%f}.parquet"
    unfinished = path.with_suffix(".tmp")
    pq.write_table(table, unfinished, compression="zstd")
    os.replace(unfinished, path)


if __name__ == "__main__":
    main()
