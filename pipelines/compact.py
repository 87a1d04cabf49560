"""Carry events that came in online from the store to the lake."""

from __future__ import annotations

from dataclasses import dataclass

from features.lake import Lake, Merged
from pipelines.carrying import alone
from pipelines.console import Step
from serving.store.store import Store

AT_ONCE = 50_000


@dataclass(frozen=True)
class Compacted:
    """How many events the lake got, and how many it had already."""

    inserted: int
    known_already: int


def compact(store: Store, lake: Lake, *, step: Step) -> Compacted:
    """Merge every waiting event into the lake, then mark it in the store.

    In this order a kill in between leaves an event in both places, and the lake merges by
    event_id: nothing is lost, and running again changes nothing.
    """
    inserted = known_already = 0
    while (merged := _some_into_lake(store, lake, step)) is not None:
        inserted += merged.inserted
        known_already += merged.known_already
        step("events into the lake", inserted + known_already, inserted + known_already)
    return Compacted(inserted, known_already)


def _some_into_lake(store: Store, lake: Lake, step: Step) -> Merged | None:
    """Carry the oldest that wait; None where none does."""
    with alone(lake.root, step):
        inbox = store.uncompacted(AT_ONCE)
        if not inbox.numbers:
            return None
        merged = lake.merge_events(inbox.events)
        store.mark_compacted(inbox.numbers)
        return merged
