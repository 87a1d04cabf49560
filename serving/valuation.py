"""What an e-mail at an instant is worth to a policy; by it the arm and the instant are chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import polars as pl

from serving.value import OF_VALUE, value_of
from serving.whose import only

# What a valuation may read of an arm; of an instant it is at, local_at, hour, slot, leaves_now,
# shut_by (null = open), pull, waited (hours since the decision) and value, Onje's own expected
# money.
OF_ARM = (
    "row", "customer_id", "as_of", "email", "trigger", "variant", "place", "products", "mail_class",
    "only_time", "at_once", "discount_share", "send_cost", *OF_VALUE,
)  # fmt: skip
OF_OWN = ("only_time",)

# One row per instant of each arm that competes, open or shut, in; its worth (Float64) out. Of the
# open instants the one of highest worth is taken, and its e-mail goes if that is above zero. Null
# means never, not even to explore.
Valuation: TypeAlias = Callable[[pl.DataFrame], pl.Series]


def _own(instants: pl.DataFrame) -> pl.Series:
    # Whether a pure question of time is worth it has been decided already, so the hour that draws
    # most is sought, also where the e-mail gives away more than it earns.
    worth = pl.when("only_time").then("pull").otherwise("value")
    return instants.select(worth.alias("worth")).to_series()


SECOND = 1_000_000

# Onje's own policy.
OWN: Final[Valuation] = _own


def with_worth(instants: pl.DataFrame, arms: pl.DataFrame, valuation: Valuation) -> pl.DataFrame:
    """Add what is known of each instant's arm, Onje's own `value` there, and its `worth`.

    `whose` is the place of the instant's arm in `arms`. Raises ValueError where a valuation does
    not give one number, or null, for each row.
    """
    whose = instants.get_column("whose").to_numpy()
    of_arm = {name: arms.get_column(name).to_numpy() for name in OF_VALUE}
    decided_at = arms.get_column("as_of").cast(pl.Int64).to_numpy()
    waited = instants.get_column("at").cast(pl.Int64).to_numpy() - decided_at[whose]
    hours = np.floor(waited / SECOND) / 3600
    pull = instants.get_column("pull").to_numpy()
    value = value_of(lambda name: of_arm[name][whose], pull, hours)
    known = pl.concat(
        [
            instants,
            # What is no number takes longest to lay beside each instant, and Onje reads none.
            only(arms, ("arm", *(OF_OWN if valuation is OWN else OF_ARM)))[whose],
            pl.DataFrame({"waited": hours, "value": value}),
        ],
        how="horizontal",
    )
    worth = valuation(known)
    if worth.dtype != pl.Float64 or len(worth) != known.height or worth.is_nan().any():
        raise ValueError(
            "a valuation gives one Float64, or null, and no NaN, for each instant; "
            f"{known.height} instants got {len(worth)} of {worth.dtype}"
        )
    return known.hstack([worth.alias("worth")])
