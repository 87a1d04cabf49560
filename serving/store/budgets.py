"""How much of each budget live decisions have used, by the day or week of its period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from serving.budgets import Spend
from serving.store.tables import budget_uses
from serving.store.upsert import insert_for

# A week may have begun so long ago, in whatever zone.
LONGEST = timedelta(days=8)


def used_since(connection: Connection, now: datetime) -> dict[str, float]:
    """What is used of each period that is not over, and of those that lie ahead."""
    begun = f"{now - LONGEST:%Y-%m-%d}"
    wanted = select(budget_uses.c.period, budget_uses.c.used).where(budget_uses.c.begins >= begun)
    return {row.period: row.used for row in connection.execute(wanted.order_by("period"))}


def spend(connection: Connection, asked: Mapping[str, Sequence[Spend]]) -> set[str]:
    """Count what these decisions use, in their order; returns the ids of those there is no room
    for, of which nothing is counted.

    Until the transaction ends nobody else counts in the same periods.
    """
    periods = sorted({one.period for spends in asked.values() for one in spends})
    if not periods:
        return set()
    fresh = [{"period": p, "begins": p.rpartition(" ")[2], "used": 0.0} for p in periods]
    connection.execute(insert_for(connection, budget_uses).on_conflict_do_nothing(), fresh)
    held = select(budget_uses.c.period, budget_uses.c.used).where(budget_uses.c.period.in_(periods))
    rows = connection.execute(held.order_by("period").with_for_update())
    used = {row.period: row.used for row in rows}
    refused: set[str] = set()
    for decision_id, spends in asked.items():
        if any(used[one.period] >= one.limit for one in spends):
            refused.add(decision_id)
            continue
        for one in spends:
            used[one.period] += one.amount
    for period in periods:
        connection.execute(
            update(budget_uses).where(budget_uses.c.period == period).values(used=used[period])
        )
    return refused
