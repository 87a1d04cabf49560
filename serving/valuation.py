"""What an e-mail at an instant is worth to a policy; by it the arm and the instant are chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import polars as pl

from serving.value import COSTS, PRICES, value_at

# What a valuation may read of an arm; of an instant it is at, local_at, hour, slot, leaves_now,
# shut_by (null = open), pull, waited (hours since the decision) and value, Onje's own expected
# money.
OF_ARM = (
    "row", "customer_id", "email", "trigger", "variant", "place", "products", "mail_class",
    "at_once", "discount_share",
)  # fmt: skip
# The value itself, and Onje's own valuation, read these.
OF_VALUE = (
    "as_of", "only_time", "settles_hours", "anyway", "margin", "given_brought", "given_anyway",
    *COSTS, *PRICES,
)  # fmt: skip

# One row per instant of each arm that competes, open or shut, in; its worth (Float64) out. Of the
# open instants the one of highest worth is taken, and its e-mail goes if that is above zero. Null
# means never, not even to explore.
Valuation: TypeAlias = Callable[[pl.DataFrame], pl.Series]


def _own(instants: pl.DataFrame) -> pl.Series:
    # Whether a pure question of time is worth it has been decided already, so the hour that draws
    # most is sought, also where the e-mail gives away more than it earns.
    worth = pl.when("only_time").then("pull").otherwise("value")
    return instants.select(worth.alias("worth")).to_series()


# Onje's own policy.
OWN: Final[Valuation] = _own


def with_worth(instants: pl.DataFrame, arms: pl.DataFrame, valuation: Valuation) -> pl.DataFrame:
    """Add what is known of each instant's arm, Onje's own `value` there, and its `worth`.

    `whose` is the place of the instant's arm in `arms`. Raises ValueError where a valuation does
    not give one number, or null, for each row.
    """
    # Onje's own valuation reads but numbers; the rest takes longer to lay beside each instant.
    told = OF_VALUE if valuation is OWN else (*OF_VALUE, *OF_ARM)
    of_arm = arms.select("arm", *told)[instants.get_column("whose")]
    known = (
        pl.concat([instants, of_arm], how="horizontal")
        .lazy()
        .with_columns(waited=(pl.col("at") - pl.col("as_of")).dt.total_seconds() / 3600)
        .with_columns(value=value_at("pull"))
        .collect(engine="in-memory")
    )
    worth = valuation(known)
    if worth.dtype != pl.Float64 or len(worth) != known.height or worth.is_nan().any():
        raise ValueError(
            "a valuation gives one Float64, or null, and no NaN, for each instant; "
            f"{known.height} instants got {len(worth)} of {worth.dtype}"
        )
    return known.with_columns(worth.alias("worth"))
