"""How long a customer has been with us, who the customer is, and what is due."""

from __future__ import annotations

import polars as pl

from features.feature import DAY, happened, of, per
from features.readings import count, days_since_first, days_since_last, is_since

_feature = of("acts")
_customer = of("customer")

_signed_up_age = (pl.col("as_of") - pl.col("signed_up_at")).dt.total_microseconds()
_signed_up = per(_signed_up_age, DAY)

# The day of the sign-up by today's clock of the customer.
_event_age = (pl.col("signup_event_days") * DAY).round().cast(pl.Int64)
_signup_age = pl.duration(microseconds=pl.coalesce(_signed_up_age, _event_age))
_today, _year = pl.col("today"), pl.col("this_year")


def _on(year: pl.Expr, of: str) -> pl.Expr:
    """The birthday or the day of the sign-up in a year; a 29 February is the 28th in most."""
    month, day = pl.col(f"{of}_month"), pl.col(f"{of}_day_of_month")
    is_leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    is_missing = (month == 2) & (day == 29) & ~is_leap
    return pl.date(year, month, pl.when(is_missing).then(28).otherwise(day))


# Days of the year, step by step: each step reads the columns of those before it. In one expression
# the same parts would be planned and worked out dozens of times.
STEPS: tuple[tuple[pl.Expr, ...], ...] = (
    (
        pl.col("local_as_of").dt.date().alias("today"),
        (pl.col("local_as_of") - _signup_age).dt.date().alias("signup_day"),
        pl.col("birthday").str.slice(0, 2).cast(pl.Int8).alias("birth_month"),
        pl.col("birthday").str.slice(3, 2).cast(pl.Int8).alias("birth_day_of_month"),
    ),
    (
        _today.dt.year().alias("this_year"),
        pl.col("signup_day").dt.year().alias("signup_year"),
        pl.col("signup_day").dt.month().alias("signup_month"),
        pl.col("signup_day").dt.day().alias("signup_day_of_month"),
    ),
    (
        _on(_year, "birth").alias("birth_this_year"),
        _on(_year + 1, "birth").alias("birth_next_year"),
        _on(_year, "signup").alias("signup_this_year"),
        _on(_year + 1, "signup").alias("signup_next_year"),
    ),
    (
        # Whether the anniversary is this year's: not of the year in which they signed up.
        ((pl.col("signup_this_year") >= _today) & (pl.col("signup_year") < _year)).alias(
            "signup_still_to_come"
        ),
    ),
)

_next_birthday = (
    pl.when(pl.col("birth_this_year") >= _today)
    .then("birth_this_year")
    .otherwise("birth_next_year")
)
_is_still_to_come = pl.col("signup_still_to_come")
_next_anniversary = (
    pl.when(_is_still_to_come).then("signup_this_year").otherwise("signup_next_year")
)
_anniversary_year = _year + pl.when(_is_still_to_come).then(0).otherwise(1)

FEATURES = (
    _feature(
        "days_since_first_event",
        "days since the oldest event kept",
        days_since_first(pl.col("age") >= 0),
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
        (_next_anniversary - _today).dt.total_days().cast(pl.Float64),
        None,
    ),
    _customer(
        "anniversary_years",
        "how many years since the sign-up will be full at that anniversary",
        (_anniversary_year - pl.col("signup_year")).cast(pl.Float64),
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
