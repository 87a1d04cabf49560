"""Who a customer is to the shop (segment), and where on the way (stage), from the features."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from features.settings import FeatureSettings


@dataclass(frozen=True)
class Segment:
    """A name and when it applies; of several that apply the first one listed is taken."""

    name: str
    meaning: str
    when: pl.Expr


def segments(settings: FeatureSettings) -> tuple[Segment, ...]:
    has_ordered = pl.col("orders") > 0
    # A customer with one order has no rhythm to fall out of.
    in_rhythm = pl.col("silence_ratio").fill_null(0) <= 2
    is_dormant = pl.col("days_since_order") > settings.dormant_after_days
    return (
        Segment(
            "new",
            "first order within the last 30 days",
            pl.col("days_since_first_order") <= 30,
        ),
        Segment(
            "loyal",
            "at least six orders within a year, and still in rhythm",
            (pl.col("orders_365d") >= 6) & in_rhythm & ~is_dormant,
        ),
        Segment(
            "high_value",
            f"spent {settings.high_value_spend_365d:,.0f} or more within a year, still in rhythm",
            (pl.col("spend_365d") >= settings.high_value_spend_365d) & in_rhythm & ~is_dormant,
        ),
        Segment(
            "at_risk",
            "silent for more than twice the usual time between orders",
            has_ordered & ~in_rhythm & ~is_dormant,
        ),
        Segment("dormant", f"no order for {settings.dormant_after_days} days", is_dormant),
        Segment("occasional", "any other customer who has ordered", has_ordered),
        Segment("prospect", "has not ordered yet", pl.lit(True)),
    )


def stages(settings: FeatureSettings) -> tuple[Segment, ...]:
    has_looked = (pl.col("views_7d") > 0) | (pl.col("searches_7d") > 0)
    return (
        Segment("buy", "has an open cart or checkout", pl.col("cart_stage") != "none"),
        Segment("after", "ordered within the last 14 days", pl.col("days_since_order") <= 14),
        Segment(
            "consider",
            "viewed or searched within 7 days, or visited more than once within 30",
            has_looked | (pl.col("sessions_30d") > 1),
        ),
        Segment(
            "dormant",
            f"did nothing of their own for {settings.dormant_after_days} days",
            pl.col("days_since_act") > settings.dormant_after_days,
        ),
        Segment("aware", "knows of us, and no more", pl.lit(True)),
    )


def first_that_applies(choices: tuple[Segment, ...]) -> pl.Expr:
    """The name of the first choice whose condition holds; one that cannot be decided does not."""
    return pl.coalesce(
        pl.when(choice.when.fill_null(False)).then(pl.lit(choice.name)) for choice in choices
    )
