"""Since when a customer has been silent, by kind of act, and what they were worth till then.

Workflows read these: whatever of it is younger than their first e-mail has answered it. None of it
is an input of models.
"""

from __future__ import annotations

import polars as pl

from features.feature import DAY, happened, of
from features.lines import Than
from features.readings import days_since_last, money

_feature = of("acts")

_ORDER = happened("order")
_IN_LAST_YEAR = Than(_ORDER, _ORDER, lambda age, newest: age - newest <= 365 * DAY)


def _own(*kinds: str) -> pl.Expr:
    """Acts of these kinds that no machine did."""
    return happened(*kinds, where=pl.col("is_own"))


FEATURES = (
    _feature(
        "days_since_visit",
        "days since they were last on the site: a visit, a view or a search of their own",
        days_since_last(_own("session", "view", "search")),
        None,
    ),
    _feature(
        "days_since_cart",
        "days since they last touched a cart or a checkout",
        days_since_last(_own("cart_add", "cart_remove", "checkout")),
        None,
    ),
    _feature(
        "days_since_redeem",
        "days since they last redeemed a coupon",
        days_since_last(_own("redeem")),
        None,
    ),
    _feature(
        "days_since_survey",
        "days since they last answered a survey",
        days_since_last(_own("survey")),
        None,
    ),
    _feature(
        "days_since_yes",
        "days since they last agreed to e-mail, or said again that they do",
        days_since_last(pl.col("is_yes")),
        None,
    ),
    _feature(
        "spend_active_year",
        "money spent within the year that ended with the last order, refunds not taken off; it "
        "does not shrink while they are silent",
        money("amount", _IN_LAST_YEAR),
        0,
    ),
)
