"""At which hours, by the customer's own clock, a customer is about."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.feature import CLOCK_RADIUS, of, share, within
from features.lines import Floats, Lines, Reading
from features.readings import count, days_since_last, most_common_number, share_of_acts

_feature = of("acts")
_customer = of("customer")

_recent = pl.col("is_own") & within(180)

_hour = pl.col("local_hour")
# The mean direction on the clock face is long when all acts are at one hour, and short when they
# are all over the day. Its coordinates are integers, so that their sum is the same in any order.
_EAST, _NORTH = pl.col("clock_east"), pl.col("clock_north")


def _clock_length(lines: Lines) -> Floats:
    east, north = (
        lines.sums(lines.numbers(part), _recent).astype(np.float64) for part in (_EAST, _NORTH)
    )
    length: Floats = np.sqrt(east * east + north * north) / CLOCK_RADIUS
    return length


FEATURES = (
    _feature(
        "acts_180d",
        "own acts (visits, views, orders, clicks ...) within 180 days",
        count(_recent),
        0,
    ),
    _feature(
        "days_since_act", "days since the last own act", days_since_last(pl.col("is_own")), None
    ),
    _feature(
        "share_night",
        "share of own acts from 0 to 6 h local",
        share_of_acts(_hour.is_between(0, 5), _recent),
        None,
    ),
    _feature(
        "share_morning",
        "share of own acts from 6 to 12 h local",
        share_of_acts(_hour.is_between(6, 11), _recent),
        None,
    ),
    _feature(
        "share_afternoon",
        "share of own acts from 12 to 18 h local",
        share_of_acts(_hour.is_between(12, 17), _recent),
        None,
    ),
    _feature(
        "share_evening",
        "share of own acts from 18 to 24 h local",
        share_of_acts(_hour.is_between(18, 23), _recent),
        None,
    ),
    _feature(
        "share_weekend",
        "share of own acts on Saturdays and Sundays, local",
        share_of_acts(pl.col("is_weekend"), _recent),
        None,
    ),
    _feature(
        "favourite_hour",
        "the local hour with most own acts within 180 days",
        most_common_number("local_hour", _recent, below=24),
        None,
    ),
    _feature(
        "clock_length",
        "own acts within 180 days, added up as directions on the clock face",
        Reading((_EAST, _NORTH, _recent), _clock_length),
        0,
    ),
    _customer(
        "hour_spread",
        "how spread over the day the own acts are: 0 all at one hour, 1 evenly",
        (1 - share("clock_length", "acts_180d")).clip(0, 1),
        None,
    ),
)
