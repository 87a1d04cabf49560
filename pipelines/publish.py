"""Load what a decision needs from the lake into the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from features.history import newest, to_history
from features.lake import Lake
from features.settings import FeatureSettings
from pipelines.compact import compact
from pipelines.console import Step
from pipelines.delivery import keep_delivery
from serving.store.store import Store


@dataclass(frozen=True)
class Published:
    """What the store holds now."""

    customers: int
    products: int
    events: int
    lake_versions: dict[str, int]
    synthetic: bool


def publish(
    lake: Lake, store: Store, *, at: datetime, settings: FeatureSettings, step: Step
) -> Published:
    """Replace histories, customers and shelf in the store by what the lake says now."""
    compact(store, lake, step=step)
    # Before the lake is read: events compacted later stay online until the next publication.
    compaction = store.last_compaction()
    versions = lake.versions()
    step("histories into the store", 0, 3)
    products, customers, events = (
        lake.read(table, version=versions.get(table))
        for table in ("products", "customers", "events")
    )
    history = newest(to_history(events, products, settings=settings), settings.newest_events)
    step("histories into the store", 1, 3)
    described = store.publish(
        history,
        customers,
        products,
        newest_events=settings.newest_events,
        compaction=compaction,
        about={"lake_versions": versions, "at": at.isoformat()},
    )
    if "events" in versions:
        keep_delivery(lake, store, version=versions["events"], as_of=at)
    step("histories into the store", 3, 3)
    return Published(described, products.height, history.height, versions, lake.is_synthetic())
