"""At which hours of the week a customer is about, hour by hour: what the send hour learns from."""

from __future__ import annotations

import polars as pl

from features.feature import DAY, happened, per
from features.past import Past, past_of, portions
from features.settings import FeatureSettings

HALF_LIFE_DAYS = 180

# Weights as integers, so that their sum is the same in any order.
_UNIT = 2**32


def hours_as_of(
    history: pl.DataFrame,
    spine: pl.DataFrame,
    customers: pl.DataFrame,
    *,
    settings: FeatureSettings,
) -> pl.DataFrame:
    """Long: customer_id, as_of, weekend, hour, acts, clicks; only hours with some, sorted.

    `acts` are own acts and `clicks` clicks by a person, both by the customer's own clock and
    halved every 180 days. Whatever is done within one hour of one day is one act, be it an order
    of forty lines or a visit of twenty pages: the question is when somebody is about.
    """
    portion_by_portion = [
        hours_of(
            past_of(
                history,
                portion,
                customers,
                default_timezone=settings.default_timezone,
                limit=settings.newest_events,
            )
        )
        for portion in portions(history, spine)
    ]
    return pl.concat(portion_by_portion)


def hours_of(past: Past) -> pl.DataFrame:
    """`hours_as_of` for a past that is there already."""
    is_click = happened("click", where=pl.col("is_email"))
    return (
        past.lines.lazy()
        .filter("is_own")
        .group_by("row", "local_day", "local_hour", "is_weekend")
        .agg(
            pl.col("age").min(),
            click_age=pl.when(is_click).then("age").min(),
        )
        .group_by("row", weekend="is_weekend", hour="local_hour")
        .agg(
            acts=_weight("age").sum(),
            clicks=_weight("click_age").sum(),
        )
        .join(past.rows.lazy().select("row", "customer_id", "as_of"), on="row")
        .sort("row", "weekend", "hour")
        .select(
            "customer_id",
            "as_of",
            "weekend",
            pl.col("hour").cast(pl.Int8),
            per(pl.col("acts"), _UNIT).alias("acts"),
            per(pl.col("clicks"), _UNIT).alias("clicks"),
        )
        .collect()
    )


def _weight(age: str) -> pl.Expr:
    return (0.5 ** per(pl.col(age), HALF_LIFE_DAYS * DAY) * _UNIT).round().cast(pl.Int64)
