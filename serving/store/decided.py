"""Decisions with their receipts, the mails they reserve, and the answers given to requests."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import polars as pl
from sqlalchemy import Connection, Row, delete, func, select, update

from serving.budgets import Spend
from serving.store import budgets, exposures, follow
from serving.store.erased import Names, gone_of_held
from serving.store.exposures import Exposure
from serving.store.revisions import advance_held, hold_revisions
from serving.store.tables import decisions, requests, reservations
from serving.store.upsert import insert_for
from serving.tables import MAIL

LONG_AGO = datetime.min.replace(tzinfo=UTC)
State = Literal["issued", "sent", "cancelled", "superseded"]


@dataclass(frozen=True)
class Record:
    """A decision as it is to be kept.

    `held_until`: until then a mail counts as promised, unless its `send` event or a cancellation
    comes first. `spends` is what it uses of budgets, where it is decided live. `revision` is the
    customer's when it was decided on.
    """

    request_id: str
    body_hash: str
    answer: bytes
    decision_id: str
    customer_id: str
    as_of: datetime
    action: str
    email: str | None
    send_at: datetime | None
    held_until: datetime | None
    receipt: str
    exposures: tuple[Exposure, ...]
    spends: tuple[Spend, ...]
    revision: int


@dataclass(frozen=True)
class Kept:
    """The answer to give: the one just recorded, or the one recorded for this request before."""

    answer: bytes


@dataclass(frozen=True)
class OtherBody:
    """The request id was used before, for another question."""


@dataclass(frozen=True)
class Outrun:
    """Something became known of the customer since, or a budget was used up; decide again."""


@dataclass(frozen=True)
class Decided:
    """A decision as it stands."""

    decision_id: str
    customer_id: str
    as_of: datetime
    action: str
    email: str | None
    send_at: datetime | None
    plan: bool
    state: State
    receipt: dict[str, Any]


@dataclass(frozen=True)
class Explored:
    """How many decisions chance made, from the first to the last of them."""

    decisions: int
    first: datetime | None
    last: datetime | None

    @property
    def days(self) -> float:
        """From the first to the last."""
        if self.first is None or self.last is None:
            return 0.0
        return (self.last - self.first) / timedelta(days=1)


def remembered(connection: Connection, asked: Mapping[str, str]) -> dict[str, Kept | OtherBody]:
    """What was answered to these requests (body hash by request id), where something was."""
    wanted = select(requests).where(requests.c.request_id.in_(asked))
    return {
        row.request_id: Kept(row.answer) if row.body_hash == asked[row.request_id] else OtherBody()
        for row in connection.execute(wanted)
    }


def record(
    connection: Connection, records: Sequence[Record], names: Names, *, at: datetime
) -> list[Kept | OtherBody | Outrun]:
    """Keep decisions with reservation and answer in one transaction; one result for each.

    Among `records` each request and each customer stands once. A send is kept only if its customer
    is still on the revision that was read: else another decision may have reserved a mail
    meanwhile, or the customer may have unsubscribed; and only while its budgets last. A wait
    promises nothing, so it stands. Of a customer who was erased meanwhile nothing is kept.
    """
    current = hold_revisions(connection, [r.customer_id for r in records])
    gone = gone_of_held(connection, names, current)
    asked = {r.request_id: r.body_hash for r in records}
    answered = remembered(connection, asked)
    results: list[Kept | OtherBody | Outrun] = []
    kept: list[Record] = []
    for new in records:
        if new.request_id in answered:
            results.append(answered[new.request_id])
        elif (
            new.customer_id in gone
            or new.action == "send"
            and new.revision != current[new.customer_id]
        ):
            results.append(Outrun())
        else:
            results.append(Kept(new.answer))
            kept.append(new)
    # One request for two customers is not kept apart by their revisions.
    elsewhere = _keep_answers(connection, kept, at)
    if elsewhere:
        answered = remembered(connection, {name: asked[name] for name in elsewhere})
        results = [
            answered.get(new.request_id, result)
            for new, result in zip(records, results, strict=True)
        ]
        kept = [new for new in kept if new.request_id not in elsewhere]
    # Last of all: what is counted here is kept.
    spent = budgets.spend(connection, {new.decision_id: new.spends for new in kept})
    if spent:
        refused = {new.request_id for new in kept if new.decision_id in spent}
        connection.execute(delete(requests).where(requests.c.request_id.in_(refused)))
        results = [
            Outrun() if new.decision_id in spent and isinstance(result, Kept) else result
            for new, result in zip(records, results, strict=True)
        ]
        kept = [new for new in kept if new.decision_id not in spent]
    if kept:
        _write(connection, kept)
    return results


def record_plans(connection: Connection, plans: Sequence[Record], names: Names) -> None:
    """Keep the decisions of a night: they reserve nothing, and the plans before give way to them.

    A plan gives way itself to what was decided live since it was made, and to the plan of a later
    night. The same night again changes nothing.
    """
    # Nobody is decided on live meanwhile.
    held = hold_revisions(connection, [plan.customer_id for plan in plans])
    gone = gone_of_held(connection, names, held)
    plans = [plan for plan in plans if plan.customer_id not in gone]
    if not plans:
        return
    customer_ids = [plan.customer_id for plan in plans]
    _supersede_plans(
        connection,
        customer_ids,
        but=[plan.decision_id for plan in plans],
        as_of=max(plan.as_of for plan in plans),
    )
    decided_live = _newest(connection, customer_ids, plan=False)
    planned = _newest(connection, customer_ids, plan=True)
    rows = [
        _decision(
            plan,
            plan=True,
            state="superseded"
            if decided_live.get(plan.customer_id, LONG_AGO) >= plan.as_of
            or planned.get(plan.customer_id, LONG_AGO) > plan.as_of
            else "issued",
        )
        for plan in plans
    ]
    connection.execute(insert_for(connection, decisions).on_conflict_do_nothing(), rows)
    exposures.note(connection, zip(rows, (plan.exposures for plan in plans), strict=True))
    sends = [row for row in rows if row["action"] == "send" and row["state"] == "issued"]
    follow.note_plans(
        connection,
        {row["customer_id"]: row["decision_id"] for row in sends},
        at=max(plan.as_of for plan in plans),
    )


def decision(connection: Connection, decision_id: str) -> Decided | None:
    row = connection.execute(
        select(decisions).where(decisions.c.decision_id == decision_id)
    ).one_or_none()
    return None if row is None else _decided(row)


def recent_decisions(connection: Connection, customer_id: str, limit: int) -> list[Decided]:
    """The newest decisions for a customer, newest first."""
    newest = (
        select(decisions)
        .where(decisions.c.customer_id == customer_id)
        .order_by(decisions.c.as_of.desc(), decisions.c.decision_id)
        .limit(limit)
    )
    return [_decided(row) for row in connection.execute(newest)]


def left_to_chance(connection: Connection) -> Explored:
    """The live decisions whose e-mail, or none, was drawn by chance."""
    # The receipt is the only place that says so; nobody waits for this count.
    drawn = decisions.c.receipt.contains('"explored_email":true')
    row = connection.execute(
        select(func.count(), func.min(decisions.c.as_of), func.max(decisions.c.as_of)).where(
            drawn, decisions.c.plan.is_(False)
        )
    ).one()
    return Explored(*row)


def is_live_under(connection: Connection, fingerprint: str) -> bool:
    """Whether a decision was made live under the settings of this fingerprint."""
    # The receipt is the only place that says so; asked of few settings, and nobody waits.
    made = decisions.c.receipt.contains(fingerprint)
    wanted = select(decisions.c.decision_id).where(made, decisions.c.plan.is_(False)).limit(1)
    return connection.scalar(wanted) is not None


def cancel(connection: Connection, decision_id: str) -> State | None:
    """Take a decision back and free what it reserved; returns how it stands now, None if unknown.

    A mail that was sent stays sent. What it used of a budget stays counted: it may have left.
    """
    for table, standing in ((decisions, "issued"), (reservations, "reserved")):
        connection.execute(
            update(table)
            .where(table.c.decision_id == decision_id, table.c.state == standing)
            .values(state="cancelled")
        )
    wanted = select(decisions.c.state).where(decisions.c.decision_id == decision_id)
    state: State | None = connection.scalar(wanted)
    return state


def mail_of(
    connection: Connection, customer_ids: Collection[str] | None, now: datetime
) -> pl.DataFrame:
    """The mails that are promised to these customers (None: to anybody) and not known to be sent.

    Columns of MAIL.
    """
    promised = select(
        reservations.c.customer_id,
        reservations.c.decision_id,
        reservations.c.email,
        reservations.c.send_at.label("at"),
    ).where(
        reservations.c.state == "reserved",
        reservations.c.expires_at > now,
    )
    if customer_ids is not None:
        promised = promised.where(reservations.c.customer_id.in_(customer_ids))
    rows = [tuple(row) for row in connection.execute(promised)]
    return pl.DataFrame(rows, schema=MAIL, orient="row")


def _keep_answers(connection: Connection, kept: Sequence[Record], at: datetime) -> set[str]:
    """Keep what is answered; returns the ids of requests that were answered meanwhile."""
    answers = {
        new.request_id: {
            "request_id": new.request_id,
            "body_hash": new.body_hash,
            "answer": new.answer,
            "at": at,
        }
        for new in kept
    }
    if not answers:
        return set()
    fresh = insert_for(connection, requests).on_conflict_do_nothing()
    rows = [answers[request_id] for request_id in sorted(answers)]  # so no two wait for each other
    kept_now = connection.execute(fresh.returning(requests.c.request_id), rows).scalars()
    return answers.keys() - set(kept_now)


def _write(connection: Connection, kept: Sequence[Record]) -> None:
    _supersede_plans(connection, [new.customer_id for new in kept], but=[], as_of=None)
    rows = [_decision(new, plan=False, state="issued") for new in kept]
    connection.execute(insert_for(connection, decisions), rows)
    exposures.note(connection, zip(rows, (new.exposures for new in kept), strict=True))
    promised = [
        {
            "decision_id": new.decision_id,
            "customer_id": new.customer_id,
            "email": new.email,
            "send_at": new.send_at,
            "expires_at": new.held_until,
            "state": "reserved",
        }
        for new in kept
        if new.action == "send"
    ]
    if promised:
        connection.execute(insert_for(connection, reservations), promised)
        advance_held(connection, [new.customer_id for new in kept if new.action == "send"])


def _decision(new: Record, *, plan: bool, state: State) -> dict[str, Any]:
    return {
        "decision_id": new.decision_id,
        "customer_id": new.customer_id,
        "as_of": new.as_of,
        "action": new.action,
        "email": new.email,
        "send_at": new.send_at,
        "plan": plan,
        "state": state,
        "receipt": new.receipt,
    }


def _decided(row: Row[Any]) -> Decided:
    return Decided(
        decision_id=row.decision_id,
        customer_id=row.customer_id,
        as_of=row.as_of,
        action=row.action,
        email=row.email,
        send_at=row.send_at,
        plan=row.plan,
        state=row.state,
        receipt=json.loads(row.receipt),
    )


def _supersede_plans(
    connection: Connection,
    customer_ids: Collection[str],
    *,
    but: Collection[str],
    as_of: datetime | None,
) -> None:
    """Let the plans of these customers give way, except for the decision ids in `but`.

    With `as_of`, only those of this moment and before.
    """
    gives_way = [
        decisions.c.customer_id.in_(customer_ids),
        decisions.c.decision_id.not_in(but),
        decisions.c.plan,
        decisions.c.state == "issued",
    ]
    if as_of is not None:
        gives_way.append(decisions.c.as_of <= as_of)
    connection.execute(update(decisions).where(*gives_way).values(state="superseded"))


def _newest(
    connection: Connection, customer_ids: Collection[str], *, plan: bool
) -> dict[str, datetime]:
    """As of when each of these customers was last decided on, live or by a plan of a night."""
    wanted = (
        select(decisions.c.customer_id, func.max(decisions.c.as_of).label("as_of"))
        .where(decisions.c.customer_id.in_(customer_ids), decisions.c.plan.is_(plan))
        .group_by(decisions.c.customer_id)
    )
    return {row.customer_id: row.as_of for row in connection.execute(wanted)}
