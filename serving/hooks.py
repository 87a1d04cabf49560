"""Webhooks: kept as they come before they are acknowledged, made into events afterwards."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
from anyio import CapacityLimiter, to_thread

from features.contracts import Events
from serving.live import Live
from serving.schemas.message import Fault
from serving.store import Dead, Delivery, StoreUnavailable, Waiting

log = logging.getLogger("onje")

# Whoever claims deliveries has done with them by then, or has died.
CLAIM_LASTS = timedelta(minutes=2)
AT_ONCE = 4
# A body that so many parsers stumbled over, or died of, is a dead letter.
MOST_CLAIMS = 5
# What takes longer than a millisecond to hash is not hashed where everybody waits.
MUCH = 64 * 1024
# How long to wait where nothing is there to parse; what comes to this process wakes it at once.
IDLE_S = 1.0


@dataclass(frozen=True)
class Parsed:
    """What a delivery says: events that keep their contract (columns EVENTS), and the rest."""

    events: pl.DataFrame
    dead: Sequence[Dead]


@dataclass(frozen=True)
class Hook:
    """A source of webhooks, as `POST /v1/hooks/{name}`.

    `headers` are those to keep, in lower case. `verify` says what is wrong with a delivery at a
    moment, by the real clock, or None; it must take the same time for every wrong signature.
    `parse` makes events of one, known from the given moment on; it is pure.
    """

    name: str
    headers: tuple[str, ...]
    verify: Callable[[Delivery, datetime], Fault | None]
    parse: Callable[[Delivery, datetime], Parsed]


NOTHING = Events.create_empty()


class Inlet:
    """Where deliveries come in and are parsed, one per process.

    Those that come while others are being written are written together: a disk makes some hundred
    writes durable in a second, however large they are.
    """

    def __init__(self, live: Live, hooks: Mapping[str, Hook]) -> None:
        self.hooks = hooks
        self._live = live
        self._arrived: list[tuple[Delivery, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        # Neither waits for decisions, nor do these wait for it.
        self._writer, self._parser, self._verifier = (CapacityLimiter(1) for _ in range(3))

    async def verify(self, hook: Hook, delivery: Delivery, now: datetime) -> Fault | None:
        """What is wrong with a delivery, or None."""
        if len(delivery.body) <= MUCH:
            return hook.verify(delivery, now)
        return await to_thread.run_sync(hook.verify, delivery, now, limiter=self._verifier)

    async def keep(self, delivery: Delivery) -> None:
        """Return when it is durable; StoreUnavailable where it is not kept."""
        kept = asyncio.get_running_loop().create_future()
        self._arrived.append((delivery, kept))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await kept

    async def _write(self) -> None:
        while self._arrived:
            batch, self._arrived = self._arrived, []
            brought = [delivery for delivery, _ in batch]
            [outcome] = await asyncio.gather(
                to_thread.run_sync(self._live.store.keep_deliveries, brought, limiter=self._writer),
                return_exceptions=True,
            )
            for _, kept in batch:
                if kept.done():  # its sender went away
                    continue
                if isinstance(outcome, BaseException):
                    kept.set_exception(outcome)
                else:
                    kept.set_result(None)
            self._news.set()

    async def keep_parsing(self) -> None:
        """Parse what waits, for ever; whatever goes wrong is told and tried again."""
        while self.hooks:
            self._news.clear()
            [done] = await asyncio.gather(self.parse_some(), return_exceptions=True)
            if isinstance(done, StoreUnavailable):
                log.error("%s", done)
            elif isinstance(done, BaseException):
                log.critical("webhooks wait", exc_info=done)
            if done != AT_ONCE:
                try:
                    await asyncio.wait_for(self._news.wait(), IDLE_S)
                except TimeoutError:
                    continue

    async def parse_some(self) -> int:
        """Parse the oldest that wait; returns how many they were."""
        live = self._live
        claimed = await to_thread.run_sync(
            lambda: live.store.claim_deliveries(
                list(self.hooks), limit=AT_ONCE, now=live.clock(), lasts=CLAIM_LASTS
            ),
            limiter=self._parser,
        )
        for waiting in claimed:
            # Each alone: one that its parser stumbles over stands in nobody's way.
            [problem] = await asyncio.gather(
                to_thread.run_sync(self._settle, waiting, limiter=self._parser),
                return_exceptions=True,
            )
            if isinstance(problem, StoreUnavailable):
                raise problem
            if isinstance(problem, BaseException):
                log.critical(
                    "the parser of %s failed with %s on delivery %d",
                    waiting.delivery.source, type(problem).__name__, waiting.number,
                )  # fmt: skip
        return len(claimed)

    def _settle(self, waiting: Waiting) -> None:
        live, source = self._live, waiting.delivery.source
        now = live.now()
        if waiting.claims > MOST_CLAIMS:
            why = f"{MOST_CLAIMS} attempts to parse it came to no end"
            parsed = Parsed(NOTHING, [Dead(waiting.delivery.body, why)])
        else:
            parsed = self.hooks[source].parse(waiting.delivery, now)
        taken = live.store.settle_delivery(waiting, parsed.events, parsed.dead, at=now)
        if taken is None:
            return
        live.metrics.events.labels("accepted").inc(taken.accepted)
        live.metrics.events.labels("known_already").inc(taken.known_already)
        live.metrics.deliveries.labels(source, "parsed").inc()
        live.metrics.dead.labels(source).inc(len(parsed.dead))
