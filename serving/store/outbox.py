"""What is handed to outputs: at least once, in order per customer, and dead when nothing helps."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, exists, func, or_, select, update

from serving.store.connections import Connections
from serving.store.marks import read_mark, write_mark
from serving.store.tables import decisions, marks, outbox
from serving.store.upsert import insert_for

Kind = Literal["send", "wait", "cancelled"]
State = Literal["waiting", "delivered", "withdrawn", "dead"]
STOPPED = "output stopped "


@dataclass(frozen=True)
class Parcel:
    """Something of a decision that an output gets once; `since` is when its cause came about."""

    decision_id: str
    output: str
    kind: Kind
    body: bytes
    since: datetime


@dataclass(frozen=True)
class Waiting:
    """A parcel that is claimed for delivery, or looked at; `status` is how it last went."""

    number: int
    customer_id: str
    parcel: Parcel
    state: State
    attempts: int
    status: str
    next_at: datetime


@dataclass(frozen=True)
class Outcome:
    """How it went: `next_at` is when to try again, where it still waits."""

    state: State
    attempts: int
    status: str
    next_at: datetime


class Outbox:
    """What goes out, in one store. Every method is one transaction."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def claim(
        self, outputs: Collection[str], *, limit: int, now: datetime, lasts: timedelta
    ) -> list[Waiting]:
        """What these outputs are to get next, for whoever asks to deliver within `lasts`.

        Of each customer the oldest only: the next one goes when it has gone.
        """
        before = outbox.alias()
        is_second = exists().where(
            before.c.customer_id == outbox.c.customer_id,
            before.c.output == outbox.c.output,
            before.c.state == "waiting",
            before.c.number < outbox.c.number,
        )
        free = or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until <= now)
        wanted = (
            select(outbox)
            .where(
                outbox.c.state == "waiting",
                outbox.c.next_at <= now,
                outbox.c.output.in_(outputs),
                free,
                ~is_second,
            )
            .order_by(outbox.c.next_at, outbox.c.number)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        with self._connections.writing() as connection:
            rows = connection.execute(wanted).all()
            numbers = [row.number for row in rows]
            taken = update(outbox).where(outbox.c.number.in_(numbers))
            connection.execute(taken.values(claimed_until=now + lasts))
            return [_waiting(row) for row in rows]

    def settle(self, number: int, went: Outcome, *, now: datetime) -> None:
        """Note how a delivery went; of what needs no delivery any more the body goes."""
        is_over = went.state in ("delivered", "withdrawn")
        values: dict[str, Any] = {
            "state": went.state,
            "attempts": went.attempts,
            "status": went.status[:255],
            "next_at": went.next_at,
            "claimed_until": None,
            "settled_at": None if went.state == "waiting" else now,
        }
        if is_over:
            values["body"] = b""
        with self._connections.writing() as connection:
            connection.execute(update(outbox).where(outbox.c.number == number).values(values))

    def release(self, numbers: Collection[int]) -> None:
        """Let others take what was claimed and not tried."""
        with self._connections.writing() as connection:
            free = update(outbox).where(outbox.c.number.in_(numbers), outbox.c.state == "waiting")
            connection.execute(free.values(claimed_until=None))

    def put(self, parcels: Sequence[Parcel], *, customer_id: str, now: datetime) -> int:
        """Hand these out, where the decision that they are of is kept; how many are new."""
        with self._connections.writing() as connection:
            ids = {one.decision_id for one in parcels}
            known = select(decisions.c.decision_id).where(decisions.c.decision_id.in_(ids))
            there = set(connection.scalars(known))
            some = [one for one in parcels if one.decision_id in there]
            return put(connection, some, customer_id=customer_id, now=now)

    def under_way(self, customer_ids: Collection[str]) -> list[Waiting]:
        """Mails of these customers that outputs got, or get now, and whose end nobody was told."""
        told = outbox.alias()
        was_told = exists().where(
            told.c.decision_id == outbox.c.decision_id,
            told.c.output == outbox.c.output,
            told.c.kind == "cancelled",
        )
        wanted = (
            select(outbox)
            .join(decisions, decisions.c.decision_id == outbox.c.decision_id)
            .where(
                outbox.c.customer_id.in_(customer_ids),
                outbox.c.kind == "send",
                outbox.c.state != "withdrawn",
                decisions.c.state != "sent",
                ~was_told,
            )
            .order_by(outbox.c.number)
        )
        with self._connections.reading() as connection:
            return [_waiting(row) for row in connection.execute(wanted)]

    def of_decision(self, decision_id: str, output: str) -> list[Waiting]:
        """What an output gets of a decision, and how each went."""
        wanted = select(outbox).where(
            outbox.c.decision_id == decision_id, outbox.c.output == output
        )
        with self._connections.reading() as connection:
            return [_waiting(row) for row in connection.execute(wanted.order_by(outbox.c.number))]

    def listed(self, state: State | None, *, output: str | None, limit: int) -> list[Waiting]:
        """The oldest in this state (None: in any), of this output."""
        wanted = select(outbox).order_by(outbox.c.number).limit(limit)
        if state is not None:
            wanted = wanted.where(outbox.c.state == state)
        if output is not None:
            wanted = wanted.where(outbox.c.output == output)
        with self._connections.reading() as connection:
            return [_waiting(row) for row in connection.execute(wanted)]

    def counts(self) -> dict[str, dict[str, int]]:
        """How many of each output are in each state."""
        wanted = select(outbox.c.output, outbox.c.state, func.count()).group_by(
            outbox.c.output, outbox.c.state
        )
        found: dict[str, dict[str, int]] = {}
        with self._connections.reading() as connection:
            for output, state, count in connection.execute(wanted):
                found.setdefault(output, {})[state] = count
        return found

    def revive(self, numbers: Collection[int] | None, *, output: str | None, now: datetime) -> int:
        """Let dead ones wait once more: these, or all (of an output); how many they were."""
        again = update(outbox).where(outbox.c.state == "dead")
        if numbers is not None:
            again = again.where(outbox.c.number.in_(numbers))
        if output is not None:
            again = again.where(outbox.c.output == output)
        values = {"state": "waiting", "attempts": 0, "next_at": now, "settled_at": None}
        with self._connections.writing() as connection:
            return connection.execute(again.values(values)).rowcount

    def drop(self, numbers: Collection[int]) -> int:
        """Let these dead ones go for good; how many they were."""
        gone = outbox.delete().where(outbox.c.number.in_(numbers), outbox.c.state == "dead")
        with self._connections.writing() as connection:
            return connection.execute(gone).rowcount

    # An output that does not want to hear any more

    def stop(self, output: str, address: str) -> None:
        with self._connections.writing() as connection:
            write_mark(connection, STOPPED + output, address)

    def resume(self, output: str) -> bool:
        """Whether it was stopped."""
        with self._connections.writing() as connection:
            gone = marks.delete().where(marks.c.name == STOPPED + output)
            return connection.execute(gone).rowcount == 1

    def stopped(self, output: str) -> str | None:
        """The address that wanted no more, None where none did."""
        with self._connections.reading() as connection:
            return read_mark(connection, STOPPED + output)


def put(
    connection: Connection, parcels: Sequence[Parcel], *, customer_id: str, now: datetime
) -> int:
    """Keep parcels that are not there yet, in their order; how many they were."""
    rows = [
        {
            "decision_id": one.decision_id,
            "output": one.output,
            "kind": one.kind,
            "customer_id": customer_id,
            "body": one.body,
            "state": "waiting",
            "attempts": 0,
            "status": "",
            "since": one.since,
            "next_at": now,
        }
        for one in parcels
    ]
    if not rows:
        return 0
    fresh = insert_for(connection, outbox).on_conflict_do_nothing(
        index_elements=["decision_id", "output", "kind"]
    )
    return len(connection.execute(fresh.returning(outbox.c.number), rows).all())


def _waiting(row: Row[Any]) -> Waiting:
    parcel = Parcel(row.decision_id, row.output, row.kind, bytes(row.body), row.since)
    return Waiting(
        row.number, row.customer_id, parcel, row.state, row.attempts, row.status, row.next_at
    )
