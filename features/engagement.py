"""How a customer has answered our e-mails and come by lately."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.feature import happened, of, share
from features.lines import Floats, Lines, Reading
from features.readings import (
    count,
    days_since_first,
    days_since_last,
    is_since,
    most_common,
    total,
)

_feature = of("acts")

_customer = of("customer")


def _mail(kind: str, days: int | None = None) -> pl.Expr:
    """E-mails of a kind, and of the answers to them those that no machine gave."""
    return happened(kind, days=days, where=pl.col("is_email"))


def _seconds(kind: str) -> Reading:
    return total("duration_ms", happened(kind, days=30), unit=1_000)


_OF_VISITS, _OF_VIEWS = _seconds("session"), _seconds("view")


# What shows that a mail was noticed: a person clicked, or came by of their own.
_ANSWER = _mail("click") | happened("session")
_UNANSWERED = is_since(_mail("send"), _ANSWER)

# Days of the customer's own calendar on which they did something. Whoever comes back often comes
# back on a second day as well: what lies so close to the last day is one return.
_RETURN_DAYS = 3
_NO_DAY = -(2**40)
_OWN, _DAY = pl.col("is_own"), pl.col("local_day")


def _days_away(lines: Lines) -> Floats:
    places = lines.places(_OWN)
    row, day = lines.row[places], lines.numbers(_DAY)[places]
    last, before = np.full((2, lines.rows), _NO_DAY)
    np.maximum.at(last, row, day)
    is_before = day <= last[row] - _RETURN_DAYS
    np.maximum.at(before, row[is_before], day[is_before])
    returned = last.copy()
    np.minimum.at(returned, row[~is_before], day[~is_before])
    return np.where(before == _NO_DAY, np.nan, returned - before)


FEATURES = (
    _feature("sends_7d", "e-mails sent within 7 days", count(_mail("send", 7)), 0),
    _feature("sends_30d", "e-mails sent within 30 days", count(_mail("send", 30)), 0),
    _feature("sends_90d", "e-mails sent within 90 days", count(_mail("send", 90)), 0),
    _feature("delivered_60d", "e-mails delivered within 60 days", count(_mail("deliver", 60)), 0),
    _feature("opens_30d", "e-mails opened by a person within 30 days", count(_mail("open", 30)), 0),
    _feature("opens_90d", "e-mails opened by a person within 90 days", count(_mail("open", 90)), 0),
    _feature("clicks_30d", "clicks by a person within 30 days", count(_mail("click", 30)), 0),
    _feature("clicks_90d", "clicks by a person within 90 days", count(_mail("click", 90)), 0),
    _customer(
        "open_rate_90d",
        "opens per e-mail sent within 90 days; null where nothing was sent",
        share("opens_90d", "sends_90d"),
        None,
    ),
    _customer(
        "click_rate_90d",
        "clicks per e-mail sent within 90 days; null where nothing was sent",
        share("clicks_90d", "sends_90d"),
        None,
    ),
    _feature("days_since_send", "days since the last e-mail", days_since_last(_mail("send")), None),
    _feature("days_since_open", "days since the last open", days_since_last(_mail("open")), None),
    _feature(
        "days_since_click", "days since the last click", days_since_last(_mail("click")), None
    ),
    _feature(
        "unclicked_streak",
        "e-mails sent since the last click",
        count(is_since(_mail("send"), _mail("click"))),
        0,
    ),
    _feature("sessions_7d", "visits within 7 days", count(happened("session", days=7)), 0),
    _feature("sessions_30d", "visits within 30 days", count(happened("session", days=30)), 0),
    _feature("views_7d", "products viewed within 7 days", count(happened("view", days=7)), 0),
    _feature("views_30d", "products viewed within 30 days", count(happened("view", days=30)), 0),
    _feature(
        "dwell_s_30d",
        "seconds spent within 30 days, by the visits or by the views, whichever say more",
        Reading(
            (*_OF_VISITS.needs, *_OF_VIEWS.needs),
            lambda lines: np.maximum(_OF_VISITS.read(lines), _OF_VIEWS.read(lines)),
        ),
        0,
    ),
    _feature(
        "days_since_session",
        "days since the last visit",
        days_since_last(happened("session")),
        None,
    ),
    _feature(
        "preferred_email",
        "the e-mail most often clicked within a year",
        most_common("email", _mail("click", 365)),
        None,
    ),
    _feature(
        "preferred_link",
        "the kind of link most often clicked within a year",
        most_common("link", _mail("click", 365)),
        None,
    ),
    _feature(
        "answers_60d",
        "clicks and visits within 60 days",
        count(_mail("click", 60) | happened("session", days=60)),
        0,
    ),
    _customer(
        "email_dormant",
        "1 where neither a click nor a visit followed in 60 days of e-mails, else 0; "
        "null with fewer than 4 delivered",
        pl.when(pl.col("delivered_60d") >= 4).then((pl.col("answers_60d") == 0).cast(pl.Float64)),
        None,
    ),
    _feature(
        "unanswered_mails",
        "e-mails sent since the last click or visit",
        count(_UNANSWERED),
        0,
    ),
    _feature(
        "unanswered_days",
        "days since the first of the e-mails that neither a click nor a visit has followed",
        days_since_first(_UNANSWERED),
        None,
    ),
    _feature(
        "open_click_days",
        "days since the last click, while no order has followed it",
        days_since_last(is_since(_mail("click"), happened("order"))),
        None,
    ),
    _feature(
        "days_away",
        "days for which they did nothing before they last came back, by their own calendar; days "
        f"with acts less than {_RETURN_DAYS} days before the last one are part of the same return",
        Reading((_OWN, _DAY), _days_away),
        None,
    ),
)
