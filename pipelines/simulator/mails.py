"""Mails in numbers: what a response is drawn for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import polars as pl

from features.errors import DataError
from features.hashing import stable_share
from pipelines.simulator.arrays import Floats, Ints
from pipelines.simulator.effects import TRIGGER_NUMBER, kind_of

# More products than this are not looked at.
SHOWN = 6
# Wordings differ by so much up and down in what they move; nobody knows beforehand which is which.
WORDING = 0.12
NO_PRODUCT = -1
COLUMNS = (
    "customer_id", "email", "trigger", "variant", "at", "products", "discount", "send_cost",
)  # fmt: skip


@dataclass(frozen=True)
class Mails:
    """One entry per mail: customers, products and triggers by number, times in microseconds."""

    customer: Ints
    at: Ints
    trigger: Ints  # place in EFFECTS
    products: Ints  # mail x SHOWN, NO_PRODUCT where there are fewer
    discount: Floats  # share
    cost: Floats  # of sending, in units of the currency
    wording: Floats  # factor

    def __len__(self) -> int:
        return len(self.customer)

    def only(self, which: Ints) -> Mails:
        return Mails(**{name: values[which] for name, values in vars(self).items()})


def joined(parts: list[Mails]) -> Mails:
    """One block of several; at least one."""
    return Mails(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Mails)
        }
    )


def trigger_number(email: str, trigger: str) -> int:
    """The place in EFFECTS of the kind that a mail is of."""
    return TRIGGER_NUMBER[kind_of(email, trigger)]


def wording_of(email: str, variant: str, *, seed: int) -> float:
    """What the words of this variant multiply clicks by, in the world of that seed."""
    return 1 + WORDING * (2 * stable_share(f"{email} {variant}", f"wording {seed}") - 1)


def mails_of(frame: pl.DataFrame, *, customers: pl.Enum, products: pl.Enum, seed: int) -> Mails:
    """Mails of a frame (Run.send says which columns); DataError for an unknown customer."""
    absent = [name for name in COLUMNS if name not in frame.columns]
    if absent:
        raise DataError(f"mails have no column {', '.join(absent)}; give {', '.join(COLUMNS)}")
    customer = frame.get_column("customer_id").cast(customers, strict=False).to_physical()
    if customer.null_count():
        unknown = frame.get_column("customer_id").filter(customer.is_null())[0]
        raise DataError(f"nobody in this world is called {unknown!r}; ask World.customers who is")
    shown = frame.get_column("products").cast(pl.List(pl.String))
    columns = [
        shown.list.get(place, null_on_oob=True)
        .cast(products, strict=False)
        .to_physical()
        .cast(pl.Int64)
        .fill_null(NO_PRODUCT)
        .to_numpy()
        for place in range(SHOWN)
    ]
    return Mails(
        customer=customer.cast(pl.Int64).to_numpy(),
        at=frame.get_column("at").cast(pl.Datetime("us", "UTC")).cast(pl.Int64).to_numpy(),
        trigger=_by_value(
            frame.select(pl.col("email").cast(pl.String), pl.col("trigger").cast(pl.String)),
            lambda email, trigger: trigger_number(email or "", trigger or ""),
        )
        .cast(pl.Int64)
        .to_numpy(),
        products=np.stack(columns, axis=1) if frame.height else np.empty((0, SHOWN), np.int64),
        discount=frame.get_column("discount").cast(pl.Float64).fill_null(0.0).to_numpy(),
        cost=frame.get_column("send_cost").cast(pl.Float64).fill_null(0.0).to_numpy(),
        wording=_by_value(
            frame.select(pl.col("email").cast(pl.String), pl.col("variant").cast(pl.String)),
            lambda email, variant: wording_of(email, variant or "", seed=seed),
        )
        .cast(pl.Float64)
        .to_numpy(),
    )


def _by_value(frame: pl.DataFrame, of: Callable[..., float]) -> pl.Series:
    """`of` each distinct row of text columns, at the place of each row."""
    distinct = frame.unique(maintain_order=True)
    values = [of(*row) for row in distinct.rows()]
    return frame.join(
        distinct.with_columns(value=pl.Series(values, dtype=pl.Float64)),
        on=frame.columns,
        how="left",
        nulls_equal=True,
        maintain_order="left",
    ).get_column("value")
