"""The store: what a decision needs now, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self

import polars as pl

from features.contracts import History, Products
from features.history import to_history
from features.settings import FeatureSettings
from serving.access.keys import Key
from serving.conditions import Conditions
from serving.knowledge import Knowledge
from serving.secret import Secret
from serving.store import (
    budgets,
    complaints,
    copying,
    decided,
    deliveries,
    erased,
    erasure,
    export,
    inbox,
    keys,
    patches,
    published,
    retention,
)
from serving.store.conditions import (
    change_conditions,
    conditions_of,
    keep_conditions,
    note_launch,
)
from serving.store.connections import Connections, connect
from serving.store.decided import Decided, Explored, Kept, OtherBody, Outrun, Record, State
from serving.store.deliveries import Dead, DeadLetter, Delivery, Waiting
from serving.store.erased import Erasure, Names
from serving.store.export import Holding
from serving.store.exposures import exposures_since
from serving.store.follow import Following
from serving.store.inbox import Inbox, Taken
from serving.store.lags import Lags, lags_of
from serving.store.outbox import Outbox
from serving.store.patches import Patch
from serving.store.present import presents_of, with_all_withdrawals
from serving.store.published import Shelf
from serving.store.retention import Kind
from serving.store.revisions import revisions_of
from serving.store.scrubbing import scrub
from serving.store.timing import Observe, timed, unobserved


@dataclass(frozen=True)
class View:
    """What is known of some customers, and how to tell later whether that has changed.

    `present` is the moment as of which to decide on each: now, or later where something of the
    customer became known later (the clock was read before, or has stepped back). By then whatever
    forbids mail is known, however late the data says it was. `online` names the events of each
    that the publication does not hold. `erased` are those of them who were erased, and whom
    nothing is decided for.
    """

    knowledge: Knowledge
    revisions: Mapping[str, int]
    present: Mapping[str, datetime]
    online: Mapping[str, Sequence[str]]
    erased: frozenset[str]


class Store:
    """One database; safe to use from many threads and processes at once.

    Every method is one transaction. All of them raise StoreUnavailable when the database cannot
    be reached, written or locked in time.
    """

    def __init__(self, connections: Connections, names: Names) -> None:
        self.observe: Observe = unobserved  # told how long what a service does here takes
        self.is_rehearsal = False  # whether nothing stays of what is recorded
        self._connections = connections
        self._names = names
        # Deciding unasked, and what it hands out.
        self.following, self.outbox = Following(connections), Outbox(connections)
        self._shelf: Shelf | None = None
        # Whether the first live decision is known to have been noted: that is asked but once.
        self._is_launched = False
        self._kept_settings: set[str] = set()  # fingerprints that are known to be kept

    @classmethod
    def open(cls, url: str, *, patience_s: float, secret: Secret | None = None) -> Self:
        """The store at `url`, made if it is not there; waits `patience_s` for any lock.

        The first `secret` is that of the store from then on: with another one, or with none where
        somebody was erased, nobody could tell who was erased, and SettingsError is raised.
        """
        connections, names = connect(url, patience_s=patience_s), Names.of(secret)
        try:
            with connections.reading() as connection:
                is_kept = erased.is_kept(connection, names)
            if not is_kept:
                with connections.writing() as connection:
                    erased.keep_key(connection, names)
        except BaseException:
            connections.close()
            raise
        return cls(connections, names)

    def rehearsal(self) -> Store:
        """The same store, to try recording on before it counts: nothing of it stays."""
        twin = copy(self)
        twin.is_rehearsal = True
        return twin

    def close(self) -> None:
        self._connections.close()

    def is_another(self) -> bool:
        """Whether in the place of this store there is another one, which only a new start opens."""
        return self._connections.is_another()

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
            names=self._names,
        )

    @timed
    def publication(self) -> dict[str, Any] | None:
        with self._connections.reading() as connection:
            return published.publication(connection)

    def some_customers(self, count: int) -> list[str]:
        with self._connections.reading() as connection:
            return published.some_customers(connection, count)

    # What is known of a customer now

    @timed
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
            used = budgets.used_since(connection, now)
            conditions = replace(complaints.conditions_now(connection, now), used=used)
            publication = published.publication(connection) or {}
            gone = erased.gone_of(connection, self._names, customer_ids)
            # Another thread may read another shelf meanwhile: this view keeps to its own.
            shelf = published.shelf_of(connection, self._shelf)
        self._shelf = shelf
        if online.events.height:
            pasts.append(_as_history(online.events, shelf, settings=settings))
        history = pl.concat(pasts, rechunk=True) if pasts else History.create_empty()
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
            erased=gone,
        )

    def as_history(self, events: pl.DataFrame, *, settings: FeatureSettings) -> pl.DataFrame:
        """Events as features read them; their products' categories come from the shelf."""
        return _as_history(events, self._shelf, settings=settings)

    # Events told online

    @timed
    def append_events(self, events: pl.DataFrame) -> Taken:
        """Keep events (columns of Events); they are durable when this returns."""
        with self._connections.writing() as connection:
            return inbox.take(connection, events, self._names)

    def online_events(self, event_ids: Collection[str]) -> pl.DataFrame:
        """Those of these events that no publication has taken over yet, columns of Events."""
        with self._connections.reading() as connection:
            return inbox.online_events(connection, event_ids)

    def uncompacted(self, limit: int) -> Inbox:
        with self._connections.reading(unhurried=True) as connection:
            return inbox.uncompacted(connection, limit)

    def mark_compacted(self, numbers: Sequence[int]) -> int:
        with self._connections.writing(unhurried=True) as connection:
            return inbox.mark_compacted(connection, numbers)

    def last_compaction(self) -> int:
        with self._connections.reading() as connection:
            return inbox.last_compaction(connection)

    # What webhooks brought

    @timed
    def keep_deliveries(self, brought: Sequence[Delivery]) -> None:
        """Keep bodies as they came; they are durable when this returns."""
        with self._connections.writing() as connection:
            deliveries.keep(connection, brought)

    @timed
    def claim_deliveries(
        self, sources: Collection[str], *, limit: int, now: datetime, lasts: timedelta
    ) -> list[Waiting]:
        """The oldest that nobody is at, for whoever asks to parse within `lasts`."""
        with self._connections.writing() as connection:
            return deliveries.claim(connection, sources, limit=limit, now=now, lasts=lasts)

    @timed
    def settle_delivery(
        self, waiting: Waiting, events: pl.DataFrame, dead: Sequence[Dead], *, at: datetime
    ) -> Taken | None:
        """Let a delivery become events and dead letters; None where another did so before."""
        with self._connections.writing() as connection:
            take = partial(inbox.take, names=self._names)
            return deliveries.settle(connection, waiting, events, dead, take=take, at=at)

    def delivery_counts(self) -> dict[str, int]:
        """How many wait to be parsed, and how many dead letters there are."""
        with self._connections.reading() as connection:
            return deliveries.counts(connection)

    @timed
    def lags(self) -> Lags:
        """How far behind what comes in is worked on."""
        with self._connections.reading() as connection:
            return lags_of(connection)

    def dead_letters(
        self, *, numbers: Collection[int] | None, source: str | None
    ) -> list[DeadLetter]:
        with self._connections.reading() as connection:
            return deliveries.letters(connection, numbers=numbers, source=source)

    def revive(self, found: Sequence[DeadLetter]) -> int:
        """Let dead letters be parsed again; returns how many still lay there."""
        with self._connections.writing() as connection:
            return deliveries.revive(connection, found)

    def drop_dead_letters(self, numbers: Collection[int]) -> int:
        with self._connections.writing() as connection:
            return deliveries.drop(connection, numbers)

    # Decisions

    def promised(self, *, now: datetime) -> pl.DataFrame:
        """Every mail that is promised and not known to be sent, columns of MAIL."""
        with self._connections.reading(unhurried=True) as connection:
            return decided.mail_of(connection, None, now)

    @timed
    def remembered(self, asked: Mapping[str, str]) -> dict[str, Kept | OtherBody]:
        """What was answered before, by request id; `asked` gives the hash of each body."""
        with self._connections.reading() as connection:
            return decided.remembered(connection, asked)

    @timed
    def record(self, records: Sequence[Record], *, at: datetime) -> list[Kept | OtherBody | Outrun]:
        kept: list[Kept | OtherBody | Outrun] = []
        with suppress(_TakenBack), self._connections.writing() as connection:
            kept = decided.record(connection, records, self._names, at=at)
            if self.is_rehearsal:
                raise _TakenBack
            if not self._is_launched and any(isinstance(one, Kept) for one in kept):
                note_launch(connection, at)
        self._is_launched |= not self.is_rehearsal and any(isinstance(one, Kept) for one in kept)
        return kept

    def record_plans(self, plans: Sequence[Record]) -> None:
        """Keep the decisions of a night, some customers at a time: a plan binds nobody."""
        for start in range(0, len(plans), published.CHUNK):
            with self._connections.writing() as connection:
                some = plans[start : start + published.CHUNK]
                decided.record_plans(connection, some, self._names)

    @timed
    def decision(self, decision_id: str) -> Decided | None:
        with self._connections.reading() as connection:
            return decided.decision(connection, decision_id)

    @timed
    def recent_decisions(self, customer_id: str, *, limit: int) -> list[Decided]:
        with self._connections.reading() as connection:
            return decided.recent_decisions(connection, customer_id, limit)

    def left_to_chance(self) -> Explored:
        """How many live decisions were drawn by chance, and when."""
        with self._connections.reading(unhurried=True) as connection:
            return decided.left_to_chance(connection)

    @timed
    def cancel(self, decision_id: str) -> State | None:
        with self._connections.writing() as connection:
            return decided.cancel(connection, decision_id)

    # Customers who want to be gone, or to know

    @timed
    def erase(self, customer_id: str, *, at: datetime) -> Erasure:
        """Let nothing of the customer be left here but a keyed hash; the lake is not looked at."""
        with self._connections.writing() as connection:
            return erasure.erase(connection, self._names, customer_id, at=at)

    def erasures(self) -> list[Erasure]:
        """Everybody who was erased, oldest first."""
        with self._connections.reading() as connection:
            return erased.all_erasures(connection)

    def erasures_of(self, customer_ids: Collection[str]) -> dict[str, Erasure]:
        """Those of these customers who were erased, by id."""
        with self._connections.reading() as connection:
            return erased.erasures_of(connection, self._names, customer_ids)

    def admit(self, events: pl.DataFrame) -> pl.DataFrame:
        """Of events that go into the lake, those that are not of an erased life."""
        with self._connections.writing() as connection:
            return erased.admit(connection, self._names, events)

    def note_swept(self, names: Collection[str], *, at: datetime) -> None:
        """Note that nothing outside the store holds those of these names since `at`."""
        with self._connections.writing() as connection:
            erased.note_swept(connection, names, at)
            erasure.forget_mails(connection, before=at - erasure.MAILS_KEPT)

    def drop_unparsed(self, *, at: datetime) -> int:
        """Let go of what webhooks brought of who was erased and nobody parses; how much it was."""
        with self._connections.writing(unhurried=True) as connection:
            before = at - erasure.UNPARSED_KEPT
            return erasure.drop_unparsed(connection, self._names, before=before)

    def was_erased(self, decision_id: str) -> bool:
        """Whether the customer of this decision, a mail that was under way, was erased."""
        with self._connections.reading() as connection:
            return erasure.was_erased(connection, self._names, decision_id)

    def scrub(self) -> None:
        """Let the database's own files hold nothing of what was deleted, as far as it can."""
        scrub(self._connections.writer)

    def holding(self, customer_id: str) -> Iterator[Holding]:
        """Every row that the store holds of this customer, table by table."""
        with self._connections.reading(unhurried=True) as connection:
            yield from export.holding(connection, customer_id)

    # What holds for all customers alike

    def conditions(self) -> Conditions:
        """Those in force; NO_CONDITIONS until some were kept."""
        with self._connections.reading() as connection:
            return conditions_of(connection)

    def conditions_at(self, now: datetime) -> Conditions:
        """Those in force, with the complaints that were told online since."""
        with self._connections.reading() as connection:
            return complaints.conditions_now(connection, now)

    def keep_arrivals(self, told: pl.DataFrame, *, delivered: int, as_of: datetime) -> Conditions:
        """Keep the complaints that the lake knows, and how many mails arrived in seven days."""
        with self._connections.writing() as connection:
            return complaints.keep_arrivals(connection, told, delivered=delivered, as_of=as_of)

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
        with self._connections.reading(unhurried=True) as connection:
            return exposures_since(connection, since)

    # Keys of callers

    @timed
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

    @timed
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

    @timed
    def patches(self) -> list[Patch]:
        """The changes in force, in their order."""
        with self._connections.reading() as connection:
            return patches.patches(connection)

    def keep_settings(self, fingerprint: str, text: str) -> None:
        """Let a receipt that names this fingerprint lead to the settings that it was made under."""
        if fingerprint in self._kept_settings or self.is_rehearsal:
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
        with self._connections.reading(unhurried=True) as connection:
            kept = patches.all_kept_settings(connection)
            some = {fingerprint: text for fingerprint, text in kept.items() if wanted(text)}
            return [some[name] for name in some if decided.is_live_under(connection, name)]

    def all_patches(self) -> list[Patch]:
        """The history of changes: also those that were taken back, when and by whom."""
        with self._connections.reading() as connection:
            return patches.all_patches(connection)

    # Copying everything

    @contextmanager
    def copied(self) -> Iterator[tuple[dict[str, int], Iterator[tuple[str, pl.DataFrame]]]]:
        """The last number each table gave, and all tables as of one moment, some rows at a time."""
        with self._connections.reading(unhurried=True) as connection:
            yield copying.counters_of(connection), copying.frames_of(connection)

    # Letting go of what is kept for long enough

    def count_older(self, until: Mapping[Kind, datetime], *, now: datetime) -> dict[Kind, int]:
        with self._connections.reading(unhurried=True) as connection:
            return retention.count_older(connection, until, now=now)

    def drop_older(self, kind: Kind, before: datetime, *, now: datetime) -> int:
        """Let go of some rows of a kind from before then; 0 where none is left."""
        with self._connections.writing(unhurried=True) as connection:
            return retention.drop_some(connection, kind, before, now=now)


class _TakenBack(Exception):
    """Ends a rehearsal's transaction."""


def _as_history(
    events: pl.DataFrame, shelf: Shelf | None, *, settings: FeatureSettings
) -> pl.DataFrame:
    ids = events["product_id"].drop_nulls().unique()
    products = shelf.of(ids) if shelf else Products.create_empty()
    return to_history(events, products, settings=settings)
