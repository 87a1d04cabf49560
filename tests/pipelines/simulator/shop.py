"""Mails to people of a simulated shop, as a policy would hand them over."""

from __future__ import annotations

from datetime import timedelta

import polars as pl


def mails(world, who, at, trigger="recommendation", **others):
    """One mail to each of `who`, at one time or at a list of times."""
    count = len(who)
    times = pl.Series("at", at if isinstance(at, list) else [at] * count, pl.Datetime("us", "UTC"))
    columns = {
        "customer_id": pl.Series(who),
        "email": pl.Series([trigger] * count, dtype=pl.String),
        "trigger": trigger,
        "variant": "plain",
        "at": times,
        "products": pl.Series([others.pop("products", [])] * count, dtype=pl.List(pl.String)),
        "discount": others.pop("discount", 0.0),
        "send_cost": others.pop("send_cost", 0.001),
    }
    assert not others
    ids = pl.format("{}-{}-{}", pl.lit(trigger), "customer_id", pl.col("at").dt.epoch("ms"))
    return pl.DataFrame(columns).with_columns(
        message_id=ids, decision_id=pl.format("decision-{}", ids)
    )


def everybody(world, *, at):
    """Whoever has signed up by then."""
    return world.customers.filter(pl.col("known_at") < at)["customer_id"]


def of_kind(events, *kinds):
    return events.filter(pl.col("kind").is_in(kinds))


def in_days(world, days, hours=0):
    return world.start + timedelta(days=days, hours=hours)
