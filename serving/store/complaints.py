"""Who reported mail as spam lately: so few that they are counted at every look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl
from sqlalchemy import Connection, delete, func, select

from features.acts import IS_ABOUT_EMAIL
from serving.conditions import Conditions
from serving.store.conditions import conditions_of, keep_conditions
from serving.store.locks import Lock, hold
from serving.store.marks import read_mark, write_mark
from serving.store.tables import complaints
from serving.store.upsert import insert_for

WINDOW = timedelta(days=7)
# Kept for longer than they count, since a clock may step back.
KEPT = timedelta(days=30)
# As of when the last night was that changed what is in force.
NIGHT = "night"


def is_complaint() -> pl.Expr:
    """Of events: somebody reported mail as spam."""
    return (pl.col("kind").cast(pl.String) == "complaint") & IS_ABOUT_EMAIL


def note(connection: Connection, events: pl.DataFrame) -> None:
    """Note the complaints among events; one that was noted before is noted once."""
    rows = events.filter(is_complaint()).select("event_id", "at").sort("event_id").rows(named=True)
    if rows:
        connection.execute(insert_for(connection, complaints).on_conflict_do_nothing(), rows)


def conditions_now(connection: Connection, now: datetime) -> Conditions:
    """The conditions in force with all complaints of the seven days before now."""
    counted = select(func.count()).where(complaints.c.at > now - WINDOW)
    return replace(conditions_of(connection), complaints_7d=connection.scalar(counted) or 0)


def keep_arrivals(
    connection: Connection, told: pl.DataFrame, *, delivered: int, as_of: datetime
) -> Conditions:
    """Keep what the lake knows: complaints (event_id, at), and how many mails arrived in 7 days."""
    hold(connection, Lock.CONDITIONS)
    _keep(connection, told, as_of)
    found = replace(conditions_now(connection, as_of), delivered_7d=delivered)
    keep_conditions(connection, found)
    return found


def is_newest_night(connection: Connection, as_of: datetime) -> bool:
    """Whether no later night was kept."""
    before = read_mark(connection, NIGHT)
    return before is None or as_of >= datetime.fromisoformat(before)


def keep_night(
    connection: Connection,
    told: pl.DataFrame,
    change: Callable[[Conditions], Conditions],
    *,
    as_of: datetime,
) -> bool:
    """Keep complaints and `change` of the conditions; False where a later night was kept before."""
    hold(connection, Lock.CONDITIONS)
    if not is_newest_night(connection, as_of):
        return False
    _keep(connection, told, as_of)
    keep_conditions(connection, change(conditions_now(connection, as_of)))
    write_mark(connection, NIGHT, as_of.isoformat())
    return True


def _keep(connection: Connection, told: pl.DataFrame, as_of: datetime) -> None:
    connection.execute(delete(complaints).where(complaints.c.at < as_of - KEPT))
    rows = told.select("event_id", "at").sort("event_id").rows(named=True)
    if rows:
        connection.execute(insert_for(connection, complaints).on_conflict_do_nothing(), rows)
