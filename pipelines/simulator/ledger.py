"""The truth in money: what came of everything, customer by customer."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from pipelines.simulator.arrays import NEVER, Flags, Floats, Ints
from pipelines.simulator.mails import Mails
from pipelines.simulator.orders import Orders
from pipelines.simulator.outcome import Outcome

COLUMNS = {
    "customer": pl.Int32(),
    "at": pl.Int64(),
    "margin": pl.Float64(),
    "orders": pl.Int32(),
    "unsubscribes": pl.Int32(),
    "complaints": pl.Int32(),
    "mails": pl.Int32(),
}


@dataclass
class Book:
    """What mails brought about so far; own orders are added when somebody asks."""

    entries: list[pl.DataFrame] = field(default_factory=list)

    def copy(self) -> Book:
        return Book(list(self.entries))

    def enter(self, mails: Mails, outcome: Outcome, *, margin: float) -> None:
        who = mails.customer
        earned = (margin * outcome.cents - outcome.off) / 100
        ordered = outcome.ordered_at < NEVER
        back = outcome.refunded_at < NEVER
        left = outcome.unsubscribed_at < NEVER
        complains = outcome.complained_at < NEVER
        self.entries += [
            _entry(who, mails.at, margin=-mails.cost, mails=1),
            _entry(who[ordered], outcome.ordered_at[ordered], margin=earned[ordered], orders=1),
            _entry(who[back], outcome.refunded_at[back], margin=-earned[back]),
            _entry(who[left], outcome.unsubscribed_at[left], unsubscribes=1),
            _entry(who[complains], outcome.complained_at[complains], complaints=1),
        ]

    def between(self, since: int, until: int) -> pl.DataFrame:
        known = pl.concat([pl.DataFrame(schema=COLUMNS), *self.entries])
        return known.filter(pl.col("at") >= since, pl.col("at") < until)


def own_orders(
    orders: Orders, is_cancelled: Flags, coupon: Floats, *, margin: float
) -> pl.DataFrame:
    """Entries of all own orders that take place, and of what is sent back of them."""
    earned = (margin - coupon) * orders.cents / 100
    stands = ~is_cancelled
    back = stands & (orders.refunded_at < NEVER)
    return pl.concat(
        [
            _entry(orders.customer[stands], orders.at[stands], margin=earned[stands], orders=1),
            _entry(orders.customer[back], orders.refunded_at[back], margin=-earned[back]),
        ]
    )


def summed(entries: pl.DataFrame, names: pl.Series) -> pl.DataFrame:
    """One row per customer of the world, in its order, also where there is nothing to tell."""
    figures = [name for name in COLUMNS if name not in ("customer", "at")]
    everyone = pl.DataFrame({"customer_id": names}).with_row_index("customer")
    sums = entries.group_by("customer").agg(
        pl.col("margin").sum(), pl.col(figures[1:]).cast(pl.Int64).sum()
    )
    return (
        everyone.with_columns(pl.col("customer").cast(pl.Int32))
        .join(sums, on="customer", how="left", maintain_order="left")
        .select(
            "customer_id",
            pl.col("margin").fill_null(0.0),
            *[pl.col(name).fill_null(0) for name in figures[1:]],
        )
    )


def _entry(
    who: Ints,
    at: Ints,
    *,
    margin: Floats | None = None,
    orders: int = 0,
    unsubscribes: int = 0,
    complaints: int = 0,
    mails: int = 0,
) -> pl.DataFrame:
    """One line for each; the counts are the same in all of them."""
    counts = {
        "orders": orders, "unsubscribes": unsubscribes, "complaints": complaints, "mails": mails,
    }  # fmt: skip
    columns = {
        "customer": who,
        "at": at,
        "margin": np.zeros(len(who)) if margin is None else margin,
        **{name: np.full(len(who), count) for name, count in counts.items()},
    }
    series = [pl.Series(name, values).cast(COLUMNS[name]) for name, values in columns.items()]
    return pl.DataFrame(series)
