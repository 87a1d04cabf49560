"""Who a customer is to the shop (segment), and where on the way (stage), from the features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from features.settings import FeatureSettings


@dataclass(frozen=True)
class Segment:
    """A name and when it applies; of several that apply, the first one listed is taken."""

    name: str
    meaning: str
    when: Callable[[FeatureSettings], pl.Expr]


_has_ordered = pl.col("orders") > 0
# A customer with one order has no rhythm to fall out of.
_in_rhythm = pl.col("silence_ratio").fill_null(0) <= 2


def _is_dormant(settings: FeatureSettings) -> pl.Expr:
    return pl.col("days_since_order") > settings.dormant_after_days


SEGMENTS = (
    Segment(
        "new",
        "first order within the last 30 days",
        lambda settings: pl.col("days_since_first_order") <= 30,
    ),
    Segment(
        "loyal",
        "at least six orders within a year, and still in rhythm",
        lambda settings: (pl.col("orders_365d") >= 6) & _in_rhythm & ~_is_dormant(settings),
    ),
    Segment(
        "high_value",
        "spent `high_value_spend_365d` or more within a year, and still in rhythm",
        lambda settings: (
            (pl.col("spend_365d") >= settings.high_value_spend_365d)
            & _in_rhythm
            & ~_is_dormant(settings)
        ),
    ),
    Segment(
        "at_risk",
        "silent for more than twice the usual time between orders",
        lambda settings: _has_ordered & ~_in_rhythm & ~_is_dormant(settings),
    ),
    Segment("dormant", "no order for `dormant_after_days`", _is_dormant),
    Segment("occasional", "any other customer who has ordered", lambda settings: _has_ordered),
    Segment("prospect", "has not ordered yet", lambda settings: pl.lit(True)),
)

STAGES = (
    Segment("buy", "has an open cart or checkout", lambda settings: pl.col("cart_stage") != "none"),
    Segment(
        "after",
        "ordered within the last 14 days",
        lambda settings: pl.col("days_since_order") <= 14,
    ),
    Segment(
        "consider",
        "viewed or searched within 7 days, or visited more than once within 30",
        lambda settings: (
            (pl.col("views_7d") > 0) | (pl.col("searches_7d") > 0) | (pl.col("sessions_30d") > 1)
        ),
    ),
    Segment(
        "dormant",
        "did nothing of their own for `dormant_after_days`",
        lambda settings: pl.col("days_since_act") > settings.dormant_after_days,
    ),
    Segment("aware", "knows of us, and no more", lambda settings: pl.lit(True)),
)


@lru_cache(maxsize=8)
def first_that_applies(choices: tuple[Segment, ...], *, settings: FeatureSettings) -> pl.Expr:
    """The name of the first choice whose condition holds; one that cannot be decided does not."""
    return pl.coalesce(
        pl.when(choice.when(settings).fill_null(False)).then(pl.lit(choice.name))
        for choice in choices
    )
