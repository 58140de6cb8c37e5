"""Writes the world of this example as Parquet under data/: customers, users, items and a month of impressions.

Day by day, what is shown is clicked with a probability that depends on the features as they stand that morning, so a
model can learn it; the features are then computed anew from what was clicked. As in life, feature rows become known
some time after they are true (`created_at`), some come much later, some never, and a few are corrected.

The same options give the same bytes, `--until` included. By default the world ends this midnight (UTC), so that its
newest features are fresh; for two equal runs on two days, say when it ends.
"""

import argparse
import datetime
import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DAY = 86_400_000_000  # microseconds
HOUR = DAY // 24
WARM_UP = 7  # days before the first label, so that weekly counts start full

COUNTRIES = ["US", "DE", "FR", "GB", "NL", "ES", "IT", "PL", "SE", "BR", "JP", "CA"]
CATEGORIES = ["books", "electronics", "fashion", "garden", "grocery", "kitchen", "sports", "toys"]
DEVICES = ["desktop", "phone", "tablet"]
CUSTOMERS = [
    "northwind", "acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "wonka", "tyrell", "cyberdyne",
    "soylent", "duff", "oceanic", "vandelay", "gringotts", "monarch", "aperture", "bluth", "dunder", "sterling",
    "pied-piper", "los-pollos", "prestige",
]  # fmt: skip


def main():
    options = parse_options()
    out = pathlib.Path(options.out)
    world = World(options)
    tables = world.live()
    clean(out)
    for name, table in tables.items():
        path = out / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, compression="zstd")
    labels = tables["labels"]
    clicked = labels["clicked"].to_numpy()
    summary = {
        "seed": options.seed,
        "until": options.until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "users": options.users,
        "items": options.items,
        "customers": options.customers,
        "impressions": len(clicked),
        "clicks": int(clicked.sum()),
        "purchases": int(labels["purchased"].to_numpy().sum()),
        "next_day": tables["traffic"].num_rows,
    }
    (out / "world.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(json.dumps(summary))


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="data", help="folder to write to (default: data)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--customers", type=int, default=len(CUSTOMERS))
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=2_000)
    parser.add_argument("--impressions", type=int, default=400_000, help="in all days together (default: 400000)")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--until", type=midnight, default=None, help="date on whose midnight it ends (default: today)")
    options = parser.parse_args()
    options.until = options.until or midnight(datetime.datetime.now(datetime.UTC).date().isoformat())
    return options


def midnight(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)


def clean(out):
    """Removes what an earlier run wrote: a world of other days beside this one's would be no world."""
    for view in ["user_activity", "user_profile", "item_stats", "customer_stats"]:
        for path in (out / view).glob("*.parquet"):
            path.unlink()


class World:
    def __init__(self, options):
        self.options = options
        self.rng = np.random.default_rng(options.seed)
        self.days = options.days
        self.start = int(options.until.timestamp()) * 1_000_000 - options.days * DAY
        # Counts by day: the warm-up, the days with labels, and the day after them, whose traffic is served.
        self.columns = WARM_UP + options.days + 1
        self.make_customers()
        self.make_users()
        self.make_items()
        self.make_tastes()
        self.tables = {}
        self.profiles = []

    # ---- who and what there is

    def make_customers(self):
        n = self.options.customers
        self.customers = np.array([CUSTOMERS[i] if i < len(CUSTOMERS) else f"customer-{i}" for i in range(n)])
        # Very unequal: the first has a third of the users, the last a few dozen.
        self.customer_share = 1 / np.arange(1, n + 1) ** 1.3
        self.customer_share /= self.customer_share.sum()
        self.home = self.rng.integers(0, len(COUNTRIES), n)
        self.customer_effect = self.rng.normal(0, 0.25, n)

    def make_users(self):
        n, rng = self.options.users, self.rng
        self.user_customer = rng.choice(len(self.customers), n, p=self.customer_share)
        # Every customer has somebody.
        self.user_customer[: len(self.customers)] = np.arange(len(self.customers))
        at_home = rng.random(n) < 0.5
        self.country = np.where(at_home, self.home[self.user_customer], rng.integers(0, len(COUNTRIES), n))
        self.eagerness = rng.normal(0, 0.7, n)
        self.rate = rng.lognormal(0, 1.0, n)
        self.rate /= self.rate.sum()
        self.signup = self.start - (rng.exponential(200, n) * DAY).astype(np.int64) - WARM_UP * DAY
        self.phone_share = rng.beta(2, 1.5, n)
        shape = (n, self.columns)
        self.user_impressions = np.zeros(shape, np.int32)
        self.user_clicks = np.zeros(shape, np.int32)
        self.user_purchases = np.zeros(shape, np.int32)
        self.was_active = np.zeros(n, bool)

    def make_items(self):
        n, rng = self.options.items, self.rng
        self.category = rng.integers(0, len(CATEGORIES), n)
        self.price = np.round(rng.lognormal(3.2, 0.8, n), 2)
        self.appeal = rng.normal(0, 0.6, n)
        self.popularity = 1 / np.arange(1, n + 1) ** 0.7
        self.popularity /= self.popularity.sum()
        self.item_impressions = np.zeros((n, self.columns), np.int32)
        self.item_clicks = np.zeros((n, self.columns), np.int32)

    def make_tastes(self):
        rng = self.rng
        self.country_effect = rng.normal(0, 0.5, len(COUNTRIES))
        self.affinity = rng.normal(0, 0.7, (len(COUNTRIES), len(CATEGORIES)))
        self.thrift = rng.uniform(0.1, 0.8, len(COUNTRIES))
        self.evening = rng.normal(0.4, 0.5, len(CATEGORIES))
        self.device_effect = np.array([0.1, -0.1, 0.2])
        # Busy from breakfast on, with a peak in the evening.
        hours = np.array([2, 1, 1, 1, 1, 2, 4, 6, 7, 7, 7, 8, 9, 8, 7, 7, 8, 9, 11, 13, 14, 12, 8, 4], float)
        self.hours = hours / hours.sum()

    # ---- what happens

    def live(self):
        labels = []
        per_day = self.options.impressions // self.days
        rest = self.options.impressions - per_day * self.days
        self.first_profiles()
        for day in range(-WARM_UP, self.days + 1):
            self.morning(day)
            shown = self.show(day, per_day + (rest if day == self.days - 1 else 0))
            if day >= 0:
                labels.append(shown)
        columns = {name: np.concatenate([day[name] for day in labels[:-1]]) for name in labels[0]}
        self.tables["labels"] = self.label_table(columns, first_id=0)
        self.tables["traffic"] = self.label_table(labels[-1], first_id=len(columns["user_id"]))
        self.tables["user_profile/profiles"] = merge(self.profiles)
        billing = pa.array(np.array(COUNTRIES)[self.home])
        self.tables["customers"] = pa.table({"customer_id": pa.array(self.customers), "billing_country": billing})
        return self.tables

    def morning(self, day):
        """Computes the features as of this midnight; they become known a little later."""
        column, midnight = day + WARM_UP, self.start + day * DAY
        week, month = slice(max(0, column - 7), column), slice(max(0, column - 30), column)
        self.impressions_7d = self.user_impressions[:, week].sum(axis=1)
        self.clicks_7d = self.user_clicks[:, week].sum(axis=1)
        self.purchases_30d = self.user_purchases[:, month].sum(axis=1)
        active = (self.impressions_7d > 0) | (self.purchases_30d > 0)
        # Who fell silent gets one more row, which says so.
        users = np.flatnonzero(active | self.was_active)
        self.was_active = active

        # An item starts with what its like had before, worth 60 impressions.
        prior = 0.105 * np.exp(self.appeal)
        clicks, shown = self.item_clicks[:, month].sum(axis=1), self.item_impressions[:, month].sum(axis=1)
        self.ctr_30d = ((clicks + 60 * prior) / (shown + 60)).astype(np.float32)
        repriced = np.flatnonzero(self.rng.random(len(self.price)) < 0.01)
        self.price[repriced] = np.round(self.price[repriced] * self.rng.uniform(0.8, 1.15, len(repriced)), 2)

        by_customer = np.zeros((2, len(self.customers)))
        np.add.at(by_customer[0], self.user_customer, self.clicks_7d)
        np.add.at(by_customer[1], self.user_customer, self.impressions_7d)
        self.customer_ctr_7d = ((by_customer[0] + 8) / (by_customer[1] + 100)).astype(np.float32)

        date = datetime.datetime.fromtimestamp(midnight // 1_000_000, datetime.UTC).date().isoformat()
        if len(users):
            self.tables[f"user_activity/{date}"] = self.rows(
                midnight,
                {
                    "user_id": pa.array(users),
                    "impressions_7d": pa.array(self.impressions_7d[users].astype(np.int64)),
                    "clicks_7d": pa.array(self.clicks_7d[users].astype(np.int64)),
                    "purchases_30d": pa.array(self.purchases_30d[users].astype(np.int64)),
                },
            )
        items = np.arange(len(self.price))
        stats = {
            "item_id": pa.array(items),
            "ctr_30d": pa.array(self.ctr_30d),
            "price": pa.array(self.price.astype(np.float32)),
            "category": pa.array(np.array(CATEGORIES)[self.category]),
        }
        # Before the first day every item has its row in time, so that none is ever without a price.
        complete = day == -WARM_UP
        self.tables[f"item_stats/{date}"] = self.rows(midnight, stats, complete=complete, corrected="ctr_30d")
        self.tables[f"customer_stats/{date}"] = self.rows(
            midnight, {"customer_id": pa.array(self.customers), "customer_ctr_7d": pa.array(self.customer_ctr_7d)}
        )
        self.update_profiles(day, midnight)

    def show(self, day, impressions):
        rng, column, midnight = self.rng, day + WARM_UP, self.start + day * DAY
        user = rng.choice(len(self.rate), impressions, p=self.rate)
        item = rng.choice(len(self.price), impressions, p=self.popularity)
        hour = rng.choice(24, impressions, p=self.hours)
        time = midnight + hour * HOUR + rng.integers(0, HOUR, impressions)
        draw = rng.random(impressions)
        device = np.where(draw < self.phone_share[user], 1, np.where(draw < 0.95, 0, 2))

        country, category = self.country[user], self.category[item]
        is_evening = hour >= 18
        dear = np.log(self.price[item]) - 3.2
        tenure = (midnight - self.signup[user]) / DAY
        clicks = self.clicks_7d[user]
        # What feeds back into itself counts against the day's average: clicks must not breed clicks without end.
        habit = 0.6 * np.log1p(np.minimum(clicks, 12)) + 1.2 * clicks / (self.impressions_7d[user] + 5)
        habit += 0.15 * np.log1p(np.minimum(self.purchases_30d[user], 5))
        fame = 0.8 * np.log(self.ctr_30d[item])
        logit = (
            -2.75
            + 0.6 * self.eagerness[user]
            + (habit - habit.mean())
            + (fame - fame.mean())
            + 0.2 * self.appeal[item]
            + self.country_effect[country]
            + self.affinity[country, category]
            - self.thrift[country] * dear
            + is_evening * self.evening[category]
            + self.device_effect[device]
            + 0.15 * np.minimum(tenure, 365) / 365
            + self.customer_effect[self.user_customer[user]]
        )
        clicked = rng.random(impressions) < 1 / (1 + np.exp(-logit))
        buying = 1 / (1 + np.exp(-(-1.8 - 0.3 * dear + 0.3 * np.log1p(self.purchases_30d[user]))))
        purchased = clicked & (rng.random(impressions) < buying)

        np.add.at(self.user_impressions[:, column], user, 1)
        np.add.at(self.user_clicks[:, column], user, clicked)
        np.add.at(self.user_purchases[:, column], user, purchased)
        np.add.at(self.item_impressions[:, column], item, 1)
        np.add.at(self.item_clicks[:, column], item, clicked)

        order = np.argsort(time, kind="stable")
        shown = {
            "event_timestamp": time,
            "customer_id": self.user_customer[user],
            "user_id": user,
            "item_id": item,
            "hour_of_day": hour,
            "device": device,
            "clicked": clicked.astype(np.int64),
            "purchased": purchased.astype(np.int64),
        }
        return {name: values[order] for name, values in shown.items()}

    # ---- profiles: one row when somebody is first seen, a weekly refresh, and one when they move

    def first_profiles(self):
        users = np.arange(len(self.country))
        # One in two hundred never had a profile written.
        self.has_profile = self.rng.random(len(users)) >= 0.005
        users = users[self.has_profile]
        when = self.start - WARM_UP * DAY - self.rng.integers(0, 7 * DAY, len(users))
        self.profiles.append(self.profile_rows(users, np.maximum(when, self.signup[users])))

    def update_profiles(self, day, midnight):
        users = np.arange(len(self.country))
        moved = users[self.rng.random(len(users)) < 0.0005]
        self.country[moved] = self.rng.integers(0, len(COUNTRIES), len(moved))
        refreshed = users[users % 7 == day % 7]
        touched = np.union1d(moved, refreshed)
        touched = touched[self.has_profile[touched]]
        self.profiles.append(self.profile_rows(touched, np.full(len(touched), midnight)))

    def profile_rows(self, users, when):
        columns = {
            "user_id": pa.array(users),
            "user_country": pa.array(np.array(COUNTRIES)[self.country[users]]),
            "tenure_days": pa.array(np.maximum(0, (when - self.signup[users]) // DAY)),
        }
        return self.rows(when, columns)

    # ---- how rows become known

    def rows(self, event_time, columns, complete=False, corrected=None):
        rng = self.rng
        count = len(next(iter(columns.values())))
        event_time = np.broadcast_to(np.asarray(event_time, np.int64), count)
        created = event_time + rng.integers(10 * 60_000_000, 2 * HOUR, count)
        late = rng.random(count) < 0.02
        created = created + late * rng.integers(6 * HOUR, 36 * HOUR, count)
        lost = rng.random(count) < 0.01
        if complete:
            created, lost = event_time + HOUR, np.zeros(count, bool)
        table = pa.table({**columns, "event_time": instants(event_time), "created_at": instants(created)})
        table = table.filter(pa.array(~lost))
        if corrected is None:
            return table
        # What was computed too early is written again hours later, with the same event time.
        again = table.filter(pa.array(rng.random(table.num_rows) < 0.01))
        place = again.schema.get_field_index("created_at")
        later = instants(again["created_at"].cast(pa.int64()).to_numpy() + 3 * HOUR)
        wrong = table.schema.get_field_index(corrected)
        early = again.set_column(wrong, corrected, pa.array(again[corrected].to_numpy() * np.float32(0.5)))
        keep = ~np.isin(table.column(0).to_numpy(), again.column(0).to_numpy())
        return pa.concat_tables([table.filter(pa.array(keep)), early, again.set_column(place, "created_at", later)])

    def label_table(self, columns, first_id):
        return pa.table(
            {
                "impression_id": pa.array(np.arange(first_id, first_id + len(columns["user_id"]))),
                "event_timestamp": instants(columns["event_timestamp"]),
                "customer_id": pa.array(self.customers[columns["customer_id"]]),
                "user_id": pa.array(columns["user_id"]),
                "item_id": pa.array(columns["item_id"]),
                "hour_of_day": pa.array(columns["hour_of_day"]),
                "device": pa.array(np.array(DEVICES)[columns["device"]]),
                "clicked": pa.array(columns["clicked"]),
                "purchased": pa.array(columns["purchased"]),
            }
        )


def instants(micros):
    return pa.array(np.ascontiguousarray(micros, np.int64)).cast(pa.timestamp("us", tz="UTC"))


def merge(tables):
    return pa.concat_tables(tables).sort_by([("event_time", "ascending"), ("user_id", "ascending")])


if __name__ == "__main__":
    main()
