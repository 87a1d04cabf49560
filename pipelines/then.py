"""What was known and what was in force when a decision was made, from its receipt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import polars as pl

from features.errors import SettingsError
from features.history import newest, to_history
from features.lake import Lake
from features.tables import EVENTS
from serving.effective import Effective, ReadSettings
from serving.schemas.decisions import DecisionRequest
from serving.store import Decided, Store
from serving.store.present import with_all_withdrawals
from serving.tables import MAIL
from serving.telling import as_seen


def history_then(
    decided: Decided,
    events: pl.DataFrame,
    products: pl.DataFrame,
    store: Store,
    lake: Lake,
    settings: Effective,
    notes: list[str],
) -> pl.DataFrame:
    """The customer's history as the decision had it.

    `events` and `products` are the lake's at the receipt's versions. Whatever became known later
    is in neither, nor among the online events that the receipt names.
    """
    limit = settings.features.newest_events
    if decided.plan:  # as the night reads the lake
        known = events.filter(pl.col("known_at") <= decided.as_of)
        return newest(to_history(known, products, settings=settings.features), limit)
    published = newest(to_history(events, products, settings=settings.features), limit)
    online = _online(decided, store, lake, notes)
    seen = _context(decided)
    told = to_history(pl.concat([online, seen]), products, settings=settings.features)
    present = {decided.customer_id: decided.as_of}
    return pl.concat(
        [with_all_withdrawals(pl.concat([published, told.head(online.height)]), present),
         told.tail(seen.height)]
    )  # fmt: skip


def promised_then(decided: Decided) -> pl.DataFrame:
    """The mails that counted as promised, columns of MAIL."""
    rows = [
        {**mail, "customer_id": decided.customer_id, "at": datetime.fromisoformat(mail["at"])}
        for mail in decided.receipt["promised"]
    ]
    return pl.DataFrame(rows, schema=MAIL)


def settings_then(
    receipt: Mapping[str, Any],
    store: Store,
    *,
    today: Effective,
    lay: ReadSettings,
    notes: list[str],
) -> Effective:
    """The settings under which the decision was made; as they are today where they are lost."""
    fingerprint = receipt["settings"]
    if fingerprint == today.fingerprint:
        return today
    kept = store.kept_settings(fingerprint)
    if kept is not None:
        try:
            then = Effective.kept(kept)
        except SettingsError as misfit:
            notes.append(f"{misfit}; those of today stand in for them")
            return today
        changed = changed_settings(then, today) or ["none that a decision reads"]
        notes.append(
            "\n  ".join(["settings have changed since, those of then were used:", *changed])
        )
        return then
    as_of = datetime.fromisoformat(receipt["as_of"])
    in_force = [
        patch.patch
        for patch in store.all_patches()
        if patch.at <= as_of and (patch.undone_at is None or patch.undone_at > as_of)
    ]
    then = lay(in_force)
    if then.fingerprint != fingerprint:
        notes.append(
            f"the settings of then ({fingerprint[:12]}) were not kept, and the file with the "
            "changes of then gives others: what follows from them differs"
        )
    return then


def changed_settings(then: Effective, now: Effective) -> list[str]:
    """The settings that are others, with both values; a table that is new or gone as a whole."""
    return list(_changes(_settings(then), _settings(now), ""))


def _changes(then: Mapping[str, Any], now: Mapping[str, Any], table: str) -> Iterator[str]:
    for name in dict.fromkeys([*then, *now]):
        before, after = then.get(name), now.get(name)
        where = f"{table}{name}"
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _changes(before, after, f"{where}.")
        elif isinstance(after, Mapping):
            yield f"{where} is new"
        elif isinstance(before, Mapping):
            yield f"{where} is gone"
        elif before != after:
            yield f"{where} {_said(before)} then, {_said(after)} now"


def _said(value: Any) -> str:
    return "nothing" if value is None else str(value)


def _settings(effective: Effective) -> dict[str, Any]:
    return {
        "features": effective.features.model_dump(mode="json"),
        **effective.serving.model_dump(mode="json", exclude={"service", "access"}),
        "clock": {"offset_days": effective.clock_offset.days},
    }


def _online(decided: Decided, store: Store, lake: Lake, notes: list[str]) -> pl.DataFrame:
    """The events that the service knew beside the published ones, from wherever they are now."""
    wanted = decided.receipt["online_events"]
    if not wanted:
        return EVENTS.schema.create_empty()
    here = store.online_events(wanted)
    carried = [name for name in wanted if name not in set(here["event_id"])]
    if carried and lake.exists("events"):
        there = lake.read("events", customers=[decided.customer_id])
        here = pl.concat([here, there.filter(pl.col("event_id").is_in(carried))])
    gone = sorted(set(wanted) - set(here["event_id"]))
    if gone:
        notes.append(f"events that were known then are gone: {', '.join(gone)}")
    return here


def _context(decided: Decided) -> pl.DataFrame:
    """What the caller told with the question, and nobody else knew."""
    asked = DecisionRequest.model_validate(decided.receipt["asked"])
    return as_seen(
        asked.context.events if asked.context else [],
        customer_id=decided.customer_id,
        request_id=asked.request_id,
        now=decided.as_of,
    )
