"""At which local hours customers acted after a moment, and which sends they clicked."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from features.acts import IS_ABOUT_EMAIL, IS_EMAIL, IS_OWN
from features.bots import judged
from features.localtime import timezones_of, with_local


def acts_after(
    history: pl.DataFrame,
    spine: pl.DataFrame,
    customers: pl.DataFrame,
    *,
    horizon: timedelta,
    known_until: datetime,
    default_timezone: str,
    echo: timedelta,
) -> pl.DataFrame:
    """`customer_id`, `as_of`, `at`, `weekend`, `hour`: own acts in [as_of, as_of + horizon).

    One row per act, in order of time. As in features.profiles, whatever is done within one hour
    of one day is one act, and what comes within the `echo` of a mail, or of a click on
    one, is none. A horizon that ends after `known_until` is refused (ValueError): "nothing yet" is
    not "nothing".
    """
    return judged_acts_after(
        known_in(history, known_until),
        spine,
        customers,
        horizon=horizon,
        known_until=known_until,
        default_timezone=default_timezone,
        echo=echo,
    )


def known_in(history: pl.DataFrame, known_until: datetime) -> pl.DataFrame:
    """What was known of `history`, with machines judged by nothing that came later."""
    return judged(history.filter(pl.col("known_at") <= known_until))


def judged_acts_after(
    known: pl.DataFrame,
    spine: pl.DataFrame,
    customers: pl.DataFrame,
    *,
    horizon: timedelta,
    known_until: datetime,
    default_timezone: str,
    echo: timedelta,
) -> pl.DataFrame:
    """`acts_after` of what is `known_in` a history already."""
    _refuse_unripe(spine, horizon, known_until)
    acts = known.filter(IS_OWN).select("customer_id", "at").sort("at")
    is_mail = IS_EMAIL & pl.col("kind").is_in(["send", "deliver", "click"])
    mails = known.filter(is_mail).select("customer_id", mailed_at="at").sort("mailed_at")
    unasked = acts.join_asof(
        mails,
        left_on="at",
        right_on="mailed_at",
        by="customer_id",
        strategy="backward",
        check_sortedness=False,  # both sides were just sorted
    ).filter((pl.col("at") - pl.col("mailed_at") >= echo).fill_null(True))
    after = _after(spine, unasked.select("customer_id", "at"), horizon)
    return (
        _with_slots(after, customers, default_timezone)
        .group_by("customer_id", "as_of", "weekend", "hour", day=pl.col("local_at").dt.date())
        .agg(pl.col("at").min())
        .sort("customer_id", "as_of", "at")
        .select("customer_id", "as_of", "at", "weekend", "hour")
    )


def sends_after(
    history: pl.DataFrame,
    spine: pl.DataFrame,
    customers: pl.DataFrame,
    *,
    horizon: timedelta,
    click_window: timedelta,
    known_until: datetime,
    default_timezone: str,
) -> pl.DataFrame:
    """`customer_id`, `as_of`, `at`, `weekend`, `hour`, `email`, `clicked` of sends thereafter.

    They are those in [as_of, as_of + horizon). `clicked` is 1.0 where a person clicked within
    `click_window`, else 0.0; a click belongs to the newest send of the same e-mail before it. Opens
    never count: proxies open everything. Sends whose window ends after `known_until` are left out:
    not yet clicked is not "no".
    """
    return judged_sends_after(
        known_in(history, known_until),
        spine,
        customers,
        horizon=horizon,
        click_window=click_window,
        known_until=known_until,
        default_timezone=default_timezone,
    )


def judged_sends_after(
    known: pl.DataFrame,
    spine: pl.DataFrame,
    customers: pl.DataFrame,
    *,
    horizon: timedelta,
    click_window: timedelta,
    known_until: datetime,
    default_timezone: str,
) -> pl.DataFrame:
    """`sends_after` of what is `known_in` a history already."""
    mails = known.filter(IS_ABOUT_EMAIL).with_columns(pl.col("email").fill_null(""))
    mail = ["customer_id", "email"]
    sends = mails.filter(pl.col("kind") == "send").select(*mail, "at").unique().sort("at")
    clicks = mails.filter(pl.col("kind") == "click", IS_EMAIL).select(*mail, clicked_at="at")
    clicked = (
        clicks.sort("clicked_at")
        .join_asof(
            sends,
            left_on="clicked_at",
            right_on="at",
            by=mail,
            strategy="backward",
            coalesce=False,
            check_sortedness=False,  # both sides were just sorted
        )
        .filter(pl.col("clicked_at") < pl.col("at") + click_window)
        .select(*mail, "at", clicked=pl.lit(1.0))
        .unique()
    )
    ripe = sends.filter(pl.col("at") + click_window <= known_until)
    outcomes = ripe.join(clicked, on=[*mail, "at"], how="left").with_columns(
        pl.col("clicked").fill_null(0.0)
    )
    return (
        _with_slots(_after(spine, outcomes, horizon), customers, default_timezone)
        .sort("customer_id", "as_of", "at", "email")
        .select("customer_id", "as_of", "at", "weekend", "hour", "email", "clicked")
    )


def _after(spine: pl.DataFrame, events: pl.DataFrame, horizon: timedelta) -> pl.DataFrame:
    """Events in the half-open [as_of, as_of + horizon) of each spine row."""
    rows = spine.select("customer_id", "as_of").unique()
    return rows.join(events, on="customer_id").filter(
        pl.col("at") >= pl.col("as_of"), pl.col("at") < pl.col("as_of") + horizon
    )


def _with_slots(events: pl.DataFrame, customers: pl.DataFrame, default: str) -> pl.DataFrame:
    """Add `local_at`, `weekend` and `hour` by the clock that the customer had at `as_of`."""
    zoned = timezones_of(customers, events, default)
    local = pl.col("local_at").dt
    return with_local(zoned, "at", zone_column="timezone", default=default).with_columns(
        weekend=local.weekday() >= 6, hour=local.hour()
    )


def _refuse_unripe(spine: pl.DataFrame, horizon: timedelta, known_until: datetime) -> None:
    unripe = spine.filter(pl.col("as_of") + horizon > known_until).height
    if unripe:
        raise ValueError(f"the horizon of {unripe} rows ends after {known_until}; leave them out")
