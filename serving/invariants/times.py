"""Whether mail leaves when it may, and no more often than it may."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from features.acts import IS_ABOUT_EMAIL
from serving.brake import brake_of, caps_under
from serving.frequency import class_of
from serving.guardrail_settings import CAPPED, DAYS, TRANSACTIONAL, CapsSettings
from serving.invariants.grounds import DAY, HOUR, Grounds, ids_of
from serving.settings import ServingSettings
from serving.tables import KEY


def out_of_time(sends: pl.DataFrame, settings: ServingSettings) -> Collection[str]:
    policy = settings.policy
    days = [DAYS.index(day) + 1 for day in policy.allowed_days]
    quiet = pl.col("local").dt.hour().cast(pl.Int64).is_in(list(policy.quiet_hours))
    of_clock = quiet | ~pl.col("local").dt.weekday().cast(pl.Int64).is_in(days)
    breaks = (
        (pl.col("send_at") < pl.col("as_of"))
        | (pl.col("send_at") > pl.col("valid_until"))
        | (of_clock & (pl.col("mail_class") != TRANSACTIONAL))
        | (pl.col("local") != pl.col("local_send_at"))
        | (~pl.col("timezone_known") & ~_tells("unknown_zone"))
    )
    return ids_of(sends, breaks)


def _tells(code: str) -> pl.Expr:
    return pl.col("because").list.eval(pl.element().struct.field("code") == code).list.any()


def over_caps(sends: pl.DataFrame, grounds: Grounds, settings: ServingSettings) -> Collection[str]:
    """Mails within any window that holds the one decided, counted one by one."""
    caps = caps_under(brake_of(grounds.conditions, settings.brake), settings.caps)
    mine = sends.filter(pl.col("mail_class").is_in(CAPPED)).select(
        "decision_id", *KEY, "mail_class", "send_at"
    )
    customers = mine.get_column("customer_id").unique().implode()
    sent = grounds.history.filter(
        pl.col("kind") == "send", IS_ABOUT_EMAIL, pl.col("customer_id").is_in(customers)
    ).unique("event_id")
    # A mail that was sent needs to be known by then; a promise counts whenever it was made.
    others = pl.concat(
        [
            sent.select("customer_id", "email", "at", "known_at", of=pl.lit(None, pl.String)),
            grounds.mail.filter(pl.col("customer_id").is_in(customers)).select(
                "customer_id", "email", "at", known_at=pl.lit(None, sent.schema["known_at"]),
                of="decision_id",
            ),
        ]
    ).with_columns(other_class=class_of(settings))  # fmt: skip
    beside = (
        mine.join(others, on="customer_id")
        .filter(
            pl.col("known_at").is_null() | (pl.col("known_at") <= pl.col("as_of")),
            pl.col("of").ne_missing(pl.col("decision_id")),
        )
        .with_columns(apart=(pl.col("at") - pl.col("send_at")).dt.total_microseconds())
    )
    return _over_counts(beside, caps) | _too_close(beside, caps)


def _over_counts(beside: pl.DataFrame, caps: CapsSettings) -> set[str]:
    broken: set[str] = set()
    for name in CAPPED:
        limits = getattr(caps, name)
        same = beside.filter(pl.col("mail_class") == name, pl.col("other_class") == name)
        itself = same.select("decision_id").unique().with_columns(apart=pl.lit(0, pl.Int64))
        near = pl.concat([itself, same.select("decision_id", "apart")])
        for cap, days in ((limits.per_24h, 1), (limits.per_7d, 7), (limits.per_30d, 30)):
            window = days * DAY
            # Each window begins with one of the mails that lie no later than the one decided.
            begins = near.filter(pl.col("apart").is_between(-window, 0, closed="right"))
            begins = begins.select("decision_id", begins="apart").unique()
            within = begins.join(near, on="decision_id").filter(
                pl.col("apart") >= pl.col("begins"), pl.col("apart") < pl.col("begins") + window
            )
            counts = within.group_by("decision_id", "begins").len()
            broken |= set(counts.filter(pl.col("len") > cap).get_column("decision_id"))
    return broken


def _too_close(beside: pl.DataFrame, caps: CapsSettings) -> set[str]:
    gaps = {name: getattr(caps, name).min_gap_hours for name in CAPPED}
    of_all = caps.all.min_gap_hours
    own = pl.col("mail_class").replace_strict(gaps, return_dtype=pl.Float64)
    is_same = pl.col("mail_class") == pl.col("other_class")
    gap = pl.max_horizontal(pl.when(is_same).then(own).otherwise(0.0), pl.lit(of_all))
    close = beside.filter(pl.col("other_class").is_in(CAPPED), pl.col("apart").abs() < gap * HOUR)
    return set(close.get_column("decision_id"))
