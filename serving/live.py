"""What a running service holds: the store, the models, the settings, a clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from prometheus_client import CollectorRegistry

from features.errors import OnjeError
from serving.access.admission import Admission
from serving.effective import SettingsShelf
from serving.metrics import Metrics
from serving.models import ModelShelf
from serving.night import NightScores
from serving.secret import Secret
from serving.store import Store

log = logging.getLogger("onje")

# Of the time a request may take; the rest is for what was begun before it ran out.
SHARE_OF_TIME = 0.8

P = ParamSpec("P")
T = TypeVar("T")

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Live:
    """Everything a request needs, opened once per process."""

    store: Store
    models: ModelShelf
    settings: SettingsShelf
    clock: Clock
    metrics: Metrics
    registry: CollectorRegistry
    threads: CapacityLimiter
    gate: Admission
    secret: Secret
    home: Path
    night: NightScores

    def now(self) -> datetime:
        """The present as the data has it: a demo's data may live some days behind the clock."""
        return self.clock() - self.settings.current.clock_offset

    def time_limit(self) -> Callable[[], bool]:
        """Whether there is time left to begin something, for a request that comes now."""
        until = monotonic() + self.settings.current.serving.service.timeout_seconds * SHARE_OF_TIME
        return lambda: monotonic() < until

    async def in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what computes or waits for the disk beside the event loop, a few at a time."""
        return await to_thread.run_sync(lambda: work(*args, **kwargs), limiter=self.threads)

    def refresh(self) -> None:
        """Take over new settings and models, if there are any that can be used."""
        self.gate.keys.refresh()
        if self.settings.refresh():
            self.metrics.refused.labels("settings").inc()
        for name in self.models.refresh(self.settings.current.features):
            self.metrics.refused.labels(name).inc()
        self.metrics.tell_models(self.models.current.versions)
        self.metrics.tell_lags(self.store.lags(), now=self.now())

    async def keep_fresh(self) -> None:
        """Refresh for ever, so that a moved pointer or a new patch is in force within seconds.

        Whatever goes wrong in it is told and tried again: nothing ends it but the service's end.
        """
        told = ""
        while True:
            await asyncio.sleep(self.settings.current.serving.service.reload_seconds)
            [problem] = await asyncio.gather(
                to_thread.run_sync(self.refresh), return_exceptions=True
            )
            if isinstance(problem, OnjeError | OSError):
                log.error("settings and models stay as they are: %s", problem)
            elif problem is not None:  # a fault of Onje's own, with its traceback, once
                self.metrics.refused.labels("refresh").inc()
                if told != repr(problem):
                    log.critical("settings and models stay as they are", exc_info=problem)
            told = repr(problem)
