"""The store: what a decision needs now, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import polars as pl

from features.contracts import History, Products
from features.history import to_history
from features.settings import FeatureSettings
from serving.access.keys import Key
from serving.conditions import Conditions
from serving.knowledge import Knowledge
from serving.store import complaints, decided, inbox, keys, patches, published
from serving.store.conditions import (
    change_conditions,
    conditions_of,
    keep_conditions,
    note_launch,
)
from serving.store.connections import Connections, connect
from serving.store.decided import Decided, Explored, Kept, OtherBody, Outrun, Record, State
from serving.store.exposures import exposures_since
from serving.store.inbox import Inbox, Taken
from serving.store.patches import Patch
from serving.store.present import presents_of, with_all_withdrawals
from serving.store.published import Shelf
from serving.store.revisions import revisions_of


@dataclass(frozen=True)
class View:
    """What is known of some customers, and how to tell later whether that has changed.

    `present` is the moment as of which to decide on each: now, or later where something of the
    customer became known later (the clock was read before, or has stepped back). By then whatever
    forbids mail is known, however late the data says it was. `online` names the events of each
    that the publication does not hold.
    """

    knowledge: Knowledge
    revisions: Mapping[str, int]
    present: Mapping[str, datetime]
    online: Mapping[str, Sequence[str]]


class Store:
    """One database; safe to use from many threads and processes at once.

    Every method is one transaction. All of them raise StoreUnavailable when the database cannot
    be reached, written or locked in time.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._shelf: Shelf | None = None
        # Whether the first live decision is known to have been noted: that is asked but once.
        self._is_launched = False
        self._kept_settings: set[str] = set()  # fingerprints that are known to be kept

    @classmethod
    def open(cls, url: str, *, patience_s: float) -> Self:
        """The store at `url`, made if it is not there; waits `patience_s` for any lock."""
        return cls(connect(url, patience_s=patience_s))

    @property
    def is_rehearsal(self) -> bool:
        """Whether nothing stays of what is recorded."""
        return False

    def rehearsal(self) -> Rehearsal:
        """The same store, to try recording on before it counts."""
        return Rehearsal(self._connections)

    def close(self) -> None:
        self._connections.close()

    # What the lake publishes

    def publish(
        self,
        history: pl.DataFrame,
        customers: pl.DataFrame,
        products: pl.DataFrame,
        *,
        newest_events: int,
        compaction: int,
        about: Mapping[str, Any],
    ) -> int:
        """Replace what is known from the lake; returns the number of customers with a past.

        `compaction` is `last_compaction()` as read *before* the lake was. `about` (lake versions,
        time) can be read back by `publication()`.
        """
        return published.publish(
            self._connections,
            history,
            customers,
            products,
            newest_events=newest_events,
            compaction=compaction,
            about=about,
        )

    def publication(self) -> dict[str, Any] | None:
        with self._connections.reading() as connection:
            return published.publication(connection)

    def some_customers(self, count: int) -> list[str]:
        with self._connections.reading() as connection:
            return published.some_customers(connection, count)

    # What is known of a customer now

    def view_of(
        self, customer_ids: Collection[str], *, now: datetime, settings: FeatureSettings
    ) -> View:
        """Everything known of these customers, from one moment of the database."""
        with self._connections.reading() as connection:
            pasts = published.pasts_of(connection, customer_ids)
            persons = published.persons_of(connection, customer_ids)
            online = inbox.online_events_of(connection, customer_ids)
            mail = decided.mail_of(connection, customer_ids, now)
            revisions = revisions_of(connection, customer_ids)
            conditions = complaints.conditions_now(connection, now)
            publication = published.publication(connection) or {}
            # Another thread may read another shelf meanwhile: this view keeps to its own.
            shelf = published.shelf_of(connection, self._shelf)
        self._shelf = shelf
        if online.events.height:
            pasts.append(_as_history(online.events, shelf, settings=settings))
        history = pl.concat(pasts) if pasts else History.create_empty()
        present = presents_of(history, online.newest, customer_ids, now=now)
        return View(
            knowledge=Knowledge(
                history=with_all_withdrawals(history, present),
                customers=persons,
                products=shelf.products if shelf else Products.create_empty(),
                mail=mail,
                conditions=conditions,
                lake_versions=publication.get("lake_versions", {}),
            ),
            revisions=revisions,
            present=present,
            online=online.ids,
        )

    def as_history(self, events: pl.DataFrame, *, settings: FeatureSettings) -> pl.DataFrame:
        """Events as features read them; their products' categories come from the shelf."""
        return _as_history(events, self._shelf, settings=settings)

    # Events told online

    def append_events(self, events: pl.DataFrame) -> Taken:
        """Keep events (columns of Events); they are durable when this returns."""
        with self._connections.writing() as connection:
            return inbox.take(connection, events)

    def online_events(self, event_ids: Collection[str]) -> pl.DataFrame:
        """Those of these events that no publication has taken over yet, columns of Events."""
        with self._connections.reading() as connection:
            return inbox.online_events(connection, event_ids)

    def uncompacted(self, limit: int) -> Inbox:
        with self._connections.reading() as connection:
            return inbox.uncompacted(connection, limit)

    def mark_compacted(self, numbers: Sequence[int]) -> int:
        with self._connections.writing() as connection:
            return inbox.mark_compacted(connection, numbers)

    def last_compaction(self) -> int:
        with self._connections.reading() as connection:
            return inbox.last_compaction(connection)

    # Decisions

    def promised(self, *, now: datetime) -> pl.DataFrame:
        """Every mail that is promised and not known to be sent, columns of MAIL."""
        with self._connections.reading() as connection:
            return decided.mail_of(connection, None, now)

    def remembered(self, asked: Mapping[str, str]) -> dict[str, Kept | OtherBody]:
        """What was answered before, by request id; `asked` gives the hash of each body."""
        with self._connections.reading() as connection:
            return decided.remembered(connection, asked)

    def record(self, records: Sequence[Record], *, at: datetime) -> list[Kept | OtherBody | Outrun]:
        with self._connections.writing() as connection:
            kept = decided.record(connection, records, at=at)
            if not self._is_launched and any(isinstance(one, Kept) for one in kept):
                note_launch(connection, at)
        self._is_launched |= any(isinstance(one, Kept) for one in kept)
        return kept

    def record_plans(self, plans: Sequence[Record]) -> None:
        """Keep the decisions of a night, some customers at a time: a plan binds nobody."""
        for start in range(0, len(plans), published.CHUNK):
            with self._connections.writing() as connection:
                decided.record_plans(connection, plans[start : start + published.CHUNK])

    def decision(self, decision_id: str) -> Decided | None:
        with self._connections.reading() as connection:
            return decided.decision(connection, decision_id)

    def recent_decisions(self, customer_id: str, *, limit: int) -> list[Decided]:
        with self._connections.reading() as connection:
            return decided.recent_decisions(connection, customer_id, limit)

    def left_to_chance(self) -> Explored:
        """How many live decisions were drawn by chance, and when."""
        with self._connections.reading() as connection:
            return decided.left_to_chance(connection)

    def cancel(self, decision_id: str) -> State | None:
        with self._connections.writing() as connection:
            return decided.cancel(connection, decision_id)

    # What holds for all customers alike

    def conditions(self) -> Conditions:
        """Those in force; NO_CONDITIONS until some were kept."""
        with self._connections.reading() as connection:
            return conditions_of(connection)

    def conditions_at(self, now: datetime) -> Conditions:
        """Those in force, with the complaints that were told online since."""
        with self._connections.reading() as connection:
            return complaints.conditions_now(connection, now)

    def keep_delivery(self, told: pl.DataFrame, *, delivered: int, as_of: datetime) -> Conditions:
        """Keep the complaints that the lake knows, and how many mails arrived in seven days."""
        with self._connections.writing() as connection:
            return complaints.keep_delivery(connection, told, delivered=delivered, as_of=as_of)

    def is_newest_night(self, as_of: datetime) -> bool:
        """Whether no night later than this one was kept."""
        with self._connections.reading() as connection:
            return complaints.is_newest_night(connection, as_of)

    def keep_night(
        self, told: pl.DataFrame, change: Callable[[Conditions], Conditions], *, as_of: datetime
    ) -> bool:
        """Keep the complaints that the lake knows and let `change` of what is in force be in force.

        Unless a later night was kept before: then nothing changes, and False returns.
        """
        with self._connections.writing() as connection:
            return complaints.keep_night(connection, told, change, as_of=as_of)

    def keep_conditions(self, conditions: Conditions) -> None:
        """Let these be in force from now on."""
        with self._connections.writing() as connection:
            keep_conditions(connection, conditions)

    def change_conditions(self, change: Callable[[Conditions], Conditions]) -> Conditions:
        """Let `change` of those in force be in force; nothing that another keeps is lost."""
        with self._connections.writing() as connection:
            return change_conditions(connection, change)

    def exposures_since(self, since: datetime) -> pl.DataFrame:
        """Which arms of experiments decisions from `since` on were made under."""
        with self._connections.reading() as connection:
            return exposures_since(connection, since)

    # Keys of callers

    def all_keys(self) -> list[Key]:
        with self._connections.reading() as connection:
            return keys.all_keys(connection)

    def add_key(self, key: Key) -> None:
        with self._connections.writing() as connection:
            keys.add_key(connection, key)

    def change_key(self, key_id: str, change: Callable[[Key], Key]) -> Key:
        """Let `change` of this key be kept; DataError where no key has this id."""
        with self._connections.writing() as connection:
            changed = change(keys.key_of(connection, key_id))
            keys.change_key(connection, changed)
            return changed

    def note_uses(self, uses: Mapping[str, datetime]) -> None:
        with self._connections.writing() as connection:
            keys.note_uses(connection, uses)

    # Settings changed while running

    def add_patch(self, patch: Mapping[str, Any], *, who: str, at: datetime) -> int:
        with self._connections.writing() as connection:
            return patches.add_patch(connection, patch, who=who, at=at)

    def undo_patch(self, version: int, *, who: str, at: datetime) -> None:
        """Take a change back; DataError where no patch has this version."""
        with self._connections.writing() as connection:
            patches.undo_patch(connection, version, who=who, at=at)

    def patches(self) -> list[Patch]:
        """The changes in force, in their order."""
        with self._connections.reading() as connection:
            return patches.patches(connection)

    def keep_settings(self, fingerprint: str, text: str) -> None:
        """Let a receipt that names this fingerprint lead to the settings that it was made under."""
        if fingerprint in self._kept_settings:
            return
        with self._connections.writing() as connection:
            patches.keep_settings(connection, fingerprint, text)
        self._kept_settings.add(fingerprint)

    def kept_settings(self, fingerprint: str) -> str | None:
        """What was kept under this fingerprint; None where nothing was."""
        with self._connections.reading() as connection:
            return patches.kept_settings(connection, fingerprint)

    def settings_lived_under(self, wanted: Callable[[str], bool]) -> list[str]:
        """Of the kept settings that are wanted, those that a decision was made live under."""
        with self._connections.reading() as connection:
            kept = patches.all_kept_settings(connection)
            some = {fingerprint: text for fingerprint, text in kept.items() if wanted(text)}
            return [some[name] for name in some if decided.is_live_under(connection, name)]

    def all_patches(self) -> list[Patch]:
        """The history of changes: also those that were taken back, when and by whom."""
        with self._connections.reading() as connection:
            return patches.all_patches(connection)


class _TakenBack(Exception):
    """Ends a rehearsal's transaction."""


class Rehearsal(Store):
    """A store that does all there is to do when decisions are recorded, and takes it back."""

    @property
    def is_rehearsal(self) -> bool:
        return True

    def record(self, records: Sequence[Record], *, at: datetime) -> list[Kept | OtherBody | Outrun]:
        kept: list[Kept | OtherBody | Outrun] = []
        with suppress(_TakenBack), self._connections.writing() as connection:
            kept = decided.record(connection, records, at=at)
            raise _TakenBack
        return kept

    def keep_settings(self, fingerprint: str, text: str) -> None:
        """What is not recorded needs no settings to be kept."""


def _as_history(
    events: pl.DataFrame, shelf: Shelf | None, *, settings: FeatureSettings
) -> pl.DataFrame:
    ids = events["product_id"].drop_nulls().unique()
    products = shelf.of(ids) if shelf else Products.create_empty()
    return to_history(events, products, settings=settings)
