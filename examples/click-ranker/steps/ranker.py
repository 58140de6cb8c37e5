"""What the steps share: the model's inputs and how rows become the tensors that it takes.

The model has one input for each feature, named like it, so that whoever serves it needs no knowledge of its insides.
"""

import numpy as np

MODEL = "click-ranker"
LABEL = "clicked"
SEGMENT = "customer_id"
TIME = "event_timestamp"
# What evaluation rows carry beside features and label: enough to score them again, by id or by value.
KEYS = ["user_id", "item_id", "customer_id"]

TEXTS = ["user_country", "category", "device"]
INTEGERS = ["impressions_7d", "clicks_7d", "purchases_30d", "tenure_days", "hour_of_day", "is_evening"]
FLOATS = ["ctr_30d", "price", "customer_ctr_7d", "click_rate_7d"]
FEATURES = TEXTS + INTEGERS + FLOATS


def tensors(rows):
    """The model's inputs, one column each, of a frame of features."""
    kinds = {**dict.fromkeys(TEXTS, object), **dict.fromkeys(INTEGERS, np.int64), **dict.fromkeys(FLOATS, np.float32)}
    return {name: rows[name].to_numpy(dtype=kind).reshape(-1, 1) for name, kind in kinds.items()}


def split(rows, share):
    """Rows before and after the moment that leaves `share` of them for evaluation: the future is what counts."""
    rows = rows.sort_values([TIME, *KEYS], kind="stable").reset_index(drop=True)
    cut = int(len(rows) * (1 - share))
    return rows.iloc[:cut], rows.iloc[cut:]
