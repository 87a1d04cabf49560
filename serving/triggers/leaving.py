"""They fall silent: win them back, ask what was wrong, ask whether they still want our mail."""

from __future__ import annotations

import polars as pl

from serving.triggers.trigger import NOTHING_HAPPENED, Parameters, Trigger
from serving.triggers.words import days, percent, plural, whole

FAMILY = "Falling silent"


def _is_deaf(p: Parameters) -> pl.Expr:
    return (pl.col("unanswered_days") >= p["deaf_days"]).fill_null(False)


def _is_gone(p: Parameters) -> pl.Expr:
    """By time, by behaviour and by what is predicted, where models stand."""
    return (
        (pl.col("days_since_order") >= p["at_risk_days"])
        & (_is_deaf(p) | (pl.col("days_since_order") >= p["silent_days"]))
        & (pl.col("dormant_within_30d").fill_null(1.0) >= p["within_30d"])
        & (pl.col("churn").fill_null(1.0) >= p["churn"])
    )


def _gone(p: Parameters) -> pl.Expr:
    silent = pl.format("no order for {}", days(pl.col("days_since_order")))
    unanswered = pl.format(
        " and no answer to {} in {}",
        plural(whole(pl.col("unanswered_mails")), "e-mail", "e-mails"),
        days(pl.col("unanswered_days")),
    )
    left = pl.format("; the chance that they have left is {} %", percent(pl.col("churn")))
    deaf = pl.when(_is_deaf(p)).then(unanswered).otherwise(pl.lit(""))
    return pl.format("{}{}{}", silent, deaf, pl.coalesce(left, pl.lit("")))


WIN_BACK = Trigger(
    name="win_back",
    family=FAMILY,
    meaning="they used to order, have been silent and are likely to leave",
    parameters={
        "at_risk_days": "days since the last order, at least",
        "deaf_days": "days for which e-mails brought neither a click nor a visit, at least; or ...",
        "silent_days": "... days since the last order, at least",
        "within_30d": "chance of being dormant within 30 days, at least (where its model stands)",
        "churn": "chance of leaving, at least (where a churn model stands)",
    },
    applies=_is_gone,
    because=_gone,
    since_hours=NOTHING_HAPPENED,
    picks="ranked",
)

FEEDBACK_REQUEST = Trigger(
    name="feedback_request",
    family=FAMILY,
    meaning="they used to order and have stayed away; they were not asked why lately",
    parameters={
        "silent_days": "days since the last order, at least",
        "before_days": "days since the last order, at most",
        "survey_days": "days since they last answered a survey, at least",
    },
    applies=lambda p: (
        pl.col("days_since_order").is_between(p["silent_days"], p["before_days"])
        & (pl.col("days_since_survey").fill_null(float("inf")) >= p["survey_days"])
    ),
    because=lambda p: pl.format(
        "no order for {}, after {}",
        days(pl.col("days_since_order")),
        plural(whole(pl.col("orders")), "order", "orders"),
    ),
    since_hours=NOTHING_HAPPENED,
    picks="bought",
)

OPT_IN_RENEWAL = Trigger(
    name="opt_in_renewal",
    family=FAMILY,
    meaning="they agreed to e-mail long ago and should be asked again",
    parameters={"after_days": "days since they agreed, or last said that they still do, at least"},
    applies=lambda p: (
        (pl.col("email_consent") == "granted") & (pl.col("days_since_yes") >= p["after_days"])
    ),
    because=lambda p: pl.format(
        "they last agreed to e-mail {} ago", days(pl.col("days_since_yes"))
    ),
    since_hours=NOTHING_HAPPENED,
    picks="ranked",
)

TRIGGERS = (WIN_BACK, FEEDBACK_REQUEST, OPT_IN_RENEWAL)
