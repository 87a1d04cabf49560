"""At which hours, by the customer's own clock, a customer is about."""

from __future__ import annotations

from math import cos, pi, sin

import polars as pl

from features.contracts import OWN_KINDS
from features.feature import count, days_since_last, most_common, of, per, share, within

_feature = of("acts")

IS_OWN = pl.col("kind").is_in(OWN_KINDS) & pl.col("human")
_recent = IS_OWN & within(180)
_acts = count(_recent)

_HOURS = range(24)
_UNIT = 1_000_000  # sines and cosines as integers, so that their sum is the same in any order


def _share_between(first: int, last: int) -> pl.Expr:
    return share(count(_recent & pl.col("local_hour").is_between(first, last)), _acts)


def _sum_over_clock(wave: list[int]) -> pl.Expr:
    values = pl.col("local_hour").replace_strict(list(_HOURS), wave, return_dtype=pl.Int64)
    return per(pl.when(_recent).then(values).sum(), _UNIT)


_east = _sum_over_clock([round(_UNIT * cos(2 * pi * hour / 24)) for hour in _HOURS])
_north = _sum_over_clock([round(_UNIT * sin(2 * pi * hour / 24)) for hour in _HOURS])

FEATURES = (
    _feature("acts_180d", "own acts (visits, views, orders, clicks ...) within 180 days", _acts, 0),
    _feature("days_since_act", "days since the last own act", days_since_last(IS_OWN), None),
    _feature("share_night", "share of own acts from 0 to 6 h local", _share_between(0, 5), None),
    _feature(
        "share_morning", "share of own acts from 6 to 12 h local", _share_between(6, 11), None
    ),
    _feature(
        "share_afternoon", "share of own acts from 12 to 18 h local", _share_between(12, 17), None
    ),
    _feature(
        "share_evening", "share of own acts from 18 to 24 h local", _share_between(18, 23), None
    ),
    _feature(
        "share_weekend",
        "share of own acts on Saturdays and Sundays, local",
        share(count(_recent & pl.col("is_weekend")), _acts),
        None,
    ),
    _feature(
        "favourite_hour",
        "the local hour with most own acts within 180 days",
        most_common("local_hour", _recent).cast(pl.Float64),
        None,
    ),
    _feature(
        "hour_spread",
        "how spread over the day the own acts are: 0 all at one hour, 1 evenly",
        (1 - share((_east.pow(2) + _north.pow(2)).sqrt(), _acts)).clip(0, 1),
        None,
    ),
)
