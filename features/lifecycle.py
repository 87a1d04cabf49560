"""How long a customer has been with us, who the customer is, and what is due."""

from __future__ import annotations

import polars as pl

from features.feature import (
    DAY,
    count,
    days_since_first,
    days_since_last,
    happened,
    is_since,
    of,
    per,
)

_feature = of("acts")
_customer = of("customer")

_signed_up_age = (pl.col("as_of") - pl.col("signed_up_at")).dt.total_microseconds()
_signed_up = per(_signed_up_age, DAY)

# The birthday of this year, else of the next; a 29 February is kept on the 28th in other years.
_today = pl.col("local_as_of").dt.date()


def _birthday(year: pl.Expr) -> pl.Expr:
    month = pl.col("birthday").str.slice(0, 2).cast(pl.Int8)
    day = pl.col("birthday").str.slice(3, 2).cast(pl.Int8)
    return _day_of_year(year, month, day)


def _day_of_year(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    is_leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    is_missing = (month == 2) & (day == 29) & ~is_leap
    return pl.date(year, month, pl.when(is_missing).then(28).otherwise(day))


_this_year = _birthday(_today.dt.year())
_next_birthday = (
    pl.when(_this_year >= _today).then(_this_year).otherwise(_birthday(_today.dt.year() + 1))
)

# The day of the sign-up by today's clock of the customer, and its next anniversary.
_event_age = (pl.col("signup_event_days") * DAY).round().cast(pl.Int64)
_signup_age = pl.duration(microseconds=pl.coalesce(_signed_up_age, _event_age))
_signup_day = (pl.col("local_as_of") - _signup_age).dt.date()


def _anniversary(year: pl.Expr) -> pl.Expr:
    return _day_of_year(year, _signup_day.dt.month(), _signup_day.dt.day())


_is_still_to_come = (_anniversary(_today.dt.year()) >= _today) & (
    _signup_day.dt.year() < _today.dt.year()
)
_anniversary_year = _today.dt.year() + pl.when(_is_still_to_come).then(0).otherwise(1)

FEATURES = (
    _feature(
        "days_since_first_event",
        "days since the oldest event kept",
        per(pl.col("age").max(), DAY),
        None,
    ),
    _feature(
        "signup_event_days",
        "days since the sign-up, as an event told it that is still kept",
        days_since_first(happened("signup")),
        None,
    ),
    _customer(
        "days_since_signup",
        "days since the sign-up, as CUSTOMERS or an event told it that is still kept",
        pl.coalesce(_signed_up, "signup_event_days"),
        None,
    ),
    _customer(
        "known_days",
        "days since the sign-up by CUSTOMERS, else since the oldest event kept",
        pl.coalesce(_signed_up, "days_since_first_event"),
        None,
    ),
    _customer(
        "days_to_birthday",
        "days until the next birthday by the customer's own calendar; 0 on the day",
        (_next_birthday - _today).dt.total_days().cast(pl.Float64),
        None,
    ),
    _customer(
        "days_to_signup_anniversary",
        "days until the next anniversary of the sign-up by the customer's own calendar",
        (_anniversary(_anniversary_year) - _today).dt.total_days().cast(pl.Float64),
        None,
    ),
    _customer(
        "anniversary_years",
        "how many years since the sign-up will be full at that anniversary",
        (_anniversary_year - _signup_day.dt.year()).cast(pl.Float64),
        None,
    ),
    _feature("reviews_365d", "reviews within a year", count(happened("review", days=365)), 0),
    _feature(
        "days_since_review", "days since the last review", days_since_last(happened("review")), None
    ),
    _feature(
        "unreviewed_order_days",
        "days since the last order, while no review has followed it",
        days_since_last(is_since(happened("order"), happened("review"))),
        None,
    ),
    _customer("age_years", "age in years, where known", pl.col("age_years"), None),
    _customer(
        "household_size", "people in the household, where known", pl.col("household_size"), None
    ),
    _customer("children", "children in the household, where known", pl.col("children"), None),
    _customer(
        "income_thousands",
        "income of the household a year in thousands, where known",
        pl.col("income_thousands"),
        None,
    ),
)
