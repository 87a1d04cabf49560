"""Clean events of made-up mails, without any world behind them."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from features.tables import EVENTS
from pipelines.simulator.worlds import DEFAULT, altered

DAY = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday


CLEAN = altered(
    DEFAULT, machine_flagged_share=0.0, scanned_share=0.0, duplicate_share=0.0, late_share=0.0,
    soft_bounce_share=0.0,
)  # fmt: skip


def dirty(**shares):
    return altered(CLEAN, **shares)


def events(rows):
    """EVENTS of rows that have at least message_id, customer_id, at and kind."""
    said = {"channel": pl.lit("email"), "source": pl.lit("simulated"), "known_at": pl.col("at")}
    named = pl.format("{}:{}", "message_id", "kind")
    given = rows.with_columns(event_id=named, **said)
    return EVENTS.shape(given.with_columns(pl.col("at", "known_at").cast(pl.Datetime("us", "UTC"))))


def sent_and_delivered(mails, customers=100):
    """So many mails, one a minute, each delivered two seconds after it was sent."""
    sent = pl.DataFrame({"mail": range(mails)}).select(
        message_id=pl.format("m{}", "mail"),
        customer_id=pl.format("c{}", pl.col("mail") % customers),
        at=pl.lit(DAY) + pl.duration(minutes="mail"),
        kind=pl.lit("send"),
    )
    arrived = sent.with_columns(at=pl.col("at") + pl.duration(seconds=2), kind=pl.lit("deliver"))
    return events(pl.concat([sent, arrived]))


def opened(mails, after_hours):
    """Each of these mails opened by a person."""
    opens = mails.filter(pl.col("kind") == "deliver").select(
        "message_id",
        "customer_id",
        at=pl.col("at") + pl.duration(hours=after_hours),
        kind=pl.lit("open"),
    )
    return events(opens)


def people(customers=100, *, mpp=(), gateway=()):
    ids = [f"c{number}" for number in range(customers)]
    return pl.DataFrame(
        {
            "customer_id": ids,
            "mpp": [number in mpp for number in range(customers)],
            "gateway": [number in gateway for number in range(customers)],
        }
    )
