"""What a trigger is: a condition over what is known of a customer, and the reason in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import polars as pl

Parameters: TypeAlias = Mapping[str, float]
Picks: TypeAlias = Literal[
    "ranked", "category", "due", "cart", "bought", "viewed", "searched", "new_similar",
    "new_favourite", "dropped", "related", "premium",
]  # fmt: skip


@dataclass(frozen=True)
class Trigger:
    """When an e-mail applies; all expressions read one row of what is known of each customer.

    `since_hours` is how long ago the thing happened that the e-mail answers to; its deadline
    counts from there. Null (or no such thing) means: the deadline counts from the question.
    `family` is under which heading people find it.
    """

    name: str
    family: str
    meaning: str
    parameters: Mapping[str, str]
    applies: Callable[[Parameters], pl.Expr]
    because: Callable[[Parameters], pl.Expr]
    since_hours: pl.Expr
    picks: Picks


NOTHING_HAPPENED = pl.lit(None, pl.Float64)
