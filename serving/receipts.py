"""A row of DECISIONS as the caller gets it, and as it is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any
from uuid import UUID

import polars as pl
from pydantic_core import to_json

from serving.budgets import spends_of
from serving.effective import Effective
from serving.schemas.decisions import DecisionRequest, Send, Wait
from serving.schemas.message import Reason
from serving.store import Record
from serving.store.exposures import exposures_of

# The part of a decision that its hash is taken of.
DECIDED = ("customer_id", "action", "email", "variant", "send_at", "products", "slots", "because")

# The link by which a customer unsubscribes, where there is one.
Links = Callable[[str], str | None]


def no_links(_customer_id: str) -> None:
    """For plans and trials, which nobody sends by."""


# When to ask again where nothing could be decided.
ASK_AGAIN = timedelta(minutes=1)


def body_hash(asked: DecisionRequest) -> str:
    """SHA-256 of the question as understood: spaces and the order of keys do not matter.

    Nor does a field that was left out, also one that a later release knows.
    """
    return sha256(asked.model_dump_json(exclude_defaults=True).encode()).hexdigest()


def decision_hash(row: Mapping[str, Any]) -> str:
    """SHA-256 of what a row of DECISIONS decides: who is asked, and by which id, does not matter.

    A live decision with the hash of the night's plan says the same.
    """
    decided = to_json([row[name] for name in DECIDED], inf_nan_mode="null")
    return sha256(decided).hexdigest()


def rows_of(decisions: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of DECISIONS by name, as `iter_rows` gives them, in less than half the time.

    Lists of structs are slow to read row by row; as columns of their own they are not.
    """
    arms = decisions.get_column("arms")
    lengths = arms.list.len().to_list()
    # An empty list would leave a row of its own when exploded.
    each = arms.filter(arms.list.len() > 0).explode().struct.unnest()
    columns = [each.get_column(name).to_list() for name in each.columns]
    told = (dict(zip(each.columns, values, strict=True)) for values in zip(*columns, strict=True))
    rows = decisions.with_columns(arms=None).iter_rows(named=True)
    for row, length in zip(rows, lengths, strict=True):
        row["arms"] = None if length is None else list(islice(told, length))
        yield row


def answer_of(row: Mapping[str, Any], links: Links) -> Send | Wait:
    """What the caller gets of a row of DECISIONS; `links` are told to nobody else."""
    if row["action"] != "send":
        return Wait.model_validate({name: row[name] for name in Wait.model_fields})
    wanted = row["slots"] and row["slots"]["list_unsubscribe"]
    link = links(row["customer_id"]) if wanted else None
    told = {**row, "unsubscribe_url": link}
    return Send.model_validate({name: told[name] for name in Send.model_fields})


def record_of(
    row: Mapping[str, Any],
    asked: DecisionRequest,
    settings: Effective,
    *,
    online: Sequence[str],
    revision: int,
    links: Links,
) -> Record:
    """What is kept of a row of DECISIONS: enough to explain it, and to decide it again.

    `online` are the ids of the events that were known beside the lake's.
    """
    return Record(
        request_id=asked.request_id,
        body_hash=body_hash(asked),
        answer=answer_of(row, links).model_dump_json().encode(),
        decision_id=row["decision_id"],
        customer_id=asked.customer_id,
        as_of=row["as_of"],
        action=row["action"],
        email=row["email"],
        send_at=row["send_at"],
        held_until=_held_until(row, settings),
        receipt=receipt_of(row, asked, settings, online=online),
        spends=spends_of(row, settings.serving, settings.features.default_timezone),
        exposures=exposures_of({**row, "conditions": json.loads(row["conditions"])}),
        revision=revision,
    )


def _held_until(row: Mapping[str, Any], settings: Effective) -> datetime | None:
    """Counted from when the mail is to leave, however soon after that it must have left.

    The `send` event tells that it left, and may take its time: were the place free before, another
    mail could slip in between.
    """
    send_at: datetime | None = row["send_at"]
    hours = settings.serving.policy.reservation_hours
    return None if send_at is None else send_at + timedelta(hours=hours)


def receipt_of(
    row: Mapping[str, Any], asked: DecisionRequest, settings: Effective, *, online: Sequence[str]
) -> str:
    """The row and the question as JSON, with the settings' fingerprint and the clock's offset."""
    receipt = {
        **row,
        "features": json.loads(row["features"]),
        "versions": json.loads(row["versions"]),
        "conditions": json.loads(row["conditions"]),
        "lake_versions": json.loads(row["lake_versions"]),
        "hash": decision_hash(row),
        "settings": settings.fingerprint,
        "clock_offset_days": settings.clock_offset / timedelta(days=1),
        "asked": asked.model_dump(mode="json", exclude_none=True),
        "online_events": list(online),
    }
    del receipt["row"]
    return to_json(receipt, inf_nan_mode="null").decode()


def wait_unrecorded(
    asked: DecisionRequest, decision_id: UUID, *, because: Reason, now: datetime, degraded: bool
) -> Wait:
    """The only answer that needs to know nothing of the customer."""
    return Wait(
        decision_id=decision_id,
        request_id=asked.request_id,
        customer_id=asked.customer_id,
        because=[because],
        propensity=1.0,
        known_customer=None,
        degraded=degraded,
        valid_until=now + ASK_AGAIN,
    )
