"""Everything about one customer as one JSON document, for themselves (GDPR 15 and 20)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from features.permissions import permissions_as_of
from features.settings import FeatureSettings
from features.tables import EVENTS
from serving.store import Store
from serving.store.erased import is_gone
from serving.tables import KEY, UTC

# The version of the document, see docs/operate-customers.md.
FORMAT = 1
# Tables of the lake that name customers, and the part of the document that each becomes.
OF_LAKE = {"customers": "person", "scores": "scores"}
# The moment that each row of theirs is of.
WHEN = {EVENTS.name: "at", "customers": "known_at", "scores": "as_of"}
OF_STORE = {"decision": "decisions", "promise": "promised_mails", "experiment": "experiments"}


def export(
    customer_id: str,
    *,
    store: Store,
    lake_root: Path,
    settings: FeatureSettings,
    now: datetime,
) -> Iterator[str]:
    """The document in pieces; nothing at all where nobody of this id is known.

    Of who was erased the lake holds rows until the next sweep: none of that life is handed out.
    """
    erasures = store.erasures_of([customer_id])

    def rows_of(table: str) -> list[dict[str, Any]]:
        found = _of_lake(lake_root, table, customer_id)
        if found is None:
            return []
        return found.filter(~is_gone(found, erasures, WHEN[table])).to_dicts()

    parts: dict[str, list[dict[str, Any]]] = {}
    for held in store.holding(customer_id):
        if held.part not in OF_STORE:
            parts.setdefault(held.part, []).append(dict(held.row))
    events = {row["event_id"]: row for row in parts.pop("past", [])}
    events |= {row["event_id"]: row for row in parts.pop("event", [])}
    events |= {row["event_id"]: row for row in rows_of(EVENTS.name)}
    told = {part: rows_of(table) for table, part in OF_LAKE.items()}
    told["person"] = told["person"] or parts.pop("person", [])
    ordered = sorted(events.values(), key=lambda row: (row["at"], row["event_id"]))
    decided = _decided(store, customer_id)
    first = next(decided, None)
    if not (events or first or any(told.values())):
        return
    head = {
        "format": FORMAT,
        "customer_id": customer_id,
        "exported_at": now,
        "permission": _permission(customer_id, store, settings, now),
        "consents": [row for row in ordered if row["kind"] in ("consent", "unsubscribe")],
        **told,
        "events": ordered,
    }
    yield json.dumps(head, default=_plain, ensure_ascii=False, indent=1)[:-2]
    yield from _lists(decided if first is None else _after(first, decided))
    yield "\n}\n"


def is_known(customer_id: str, *, store: Store, lake_root: Path) -> bool:
    """Whether anything was ever told here of a customer of this id; else it may be a typo."""
    if store.erasures_of([customer_id]) or any(True for _ in store.holding(customer_id)):
        return True
    found = (_of_lake(lake_root, table, customer_id) for table in WHEN)
    return any(rows is not None and rows.height for rows in found)


def _of_lake(lake_root: Path, table: str, customer_id: str) -> pl.DataFrame | None:
    from features.lake import Lake  # its library is for who exports, not for who decides

    lake = Lake(lake_root)
    return lake.read(table, customers=[customer_id]) if lake.exists(table) else None


def _decided(store: Store, customer_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the store decided and promised, one by one: a receipt takes some 20 kB."""
    for held in store.holding(customer_id):
        if held.part in OF_STORE:
            yield OF_STORE[held.part], dict(held.row)


def _after(first: Any, others: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from others


def _lists(rows: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    """Lists of the document, each row as it comes; rows of one list come in a row."""
    open_list = None
    seen = set()
    for part, row in rows:
        if part != open_list:
            yield "\n ]" if open_list else ""
            yield f',\n "{part}": [\n  '
            open_list = part
            seen.add(part)
        else:
            yield ",\n  "
        yield json.dumps(row, default=_plain, ensure_ascii=False)
    yield "\n ]" if open_list else ""
    for part in OF_STORE.values():
        if part not in seen:
            yield f',\n "{part}": []'


def _permission(
    customer_id: str, store: Store, settings: FeatureSettings, now: datetime
) -> dict[str, Any]:
    view = store.view_of([customer_id], now=now, settings=settings)
    present = view.present[customer_id]
    spine = pl.DataFrame(
        [[customer_id], [present]], schema=dict(zip(KEY, (pl.String, UTC), strict=True))
    )
    return permissions_as_of(view.knowledge.history, spine).drop(KEY).to_dicts()[0]


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(type(value).__name__)
