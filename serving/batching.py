"""The line before `decide_together`: what waits there shares one read, one query and one write."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from time import monotonic, time_ns
from traceback import format_tb
from typing import TYPE_CHECKING

from anyio import CapacityLimiter, to_thread

from serving.deciding import BROKEN, TOO_BUSY, Outcome, decide_together
from serving.live import Live
from serving.schemas.decisions import DecisionRequest
from serving.schemas.message import Fault
from serving.settings import ServiceSettings
from serving.tracing import SPAN, STAGES, Stage, Tracing
from serving.turns import Questions, Turn

if TYPE_CHECKING:
    from opentelemetry.trace import Span

log = logging.getLogger("onje")

# Passes that one process computes at the same moment: its threads would only take turns.
PASSES = 1
# A list of questions takes this part of a pass while others wait for it, too.
SHARE_OF_LISTS = 1 / 4


@dataclass(eq=False)
class _Caller:
    """One request in the line, with those of its questions that are in no pass yet."""

    questions: Questions
    outcomes: list[Outcome | None]
    is_in_time: Callable[[], bool]
    told: asyncio.Future[list[Outcome]]
    since: float = field(default_factory=monotonic)
    span: Span | None = field(default_factory=SPAN.get)

    def is_gone(self) -> bool:
        """Nobody waits for the rest any more, or all of it was told."""
        return self.told.done()

    def tell(self, place: int, outcome: Outcome) -> None:
        self.outcomes[place] = outcome
        if not self.told.done() and None not in self.outcomes:
            self.told.set_result([one for one in self.outcomes if one is not None])

    def fail(self, place: int, problem: BaseException) -> None:
        """A fault of Onje's own: who asked alone gets it as it is, a list as one of its items."""
        if len(self.outcomes) > 1:
            # Where it happened, without its message: that may hold what was sent.
            at = "".join(format_tb(problem.__traceback__))
            log.critical("%s in a list of questions\n%s", type(problem).__name__, at)
            self.tell(place, BROKEN)
        elif not self.told.done():
            self.told.set_exception(problem)

    def give_up(self) -> None:
        """No time is left: whatever was not begun is told so."""
        while self.questions.left:
            place, _ = self.questions.left.popleft()
            self.tell(place, TOO_BUSY)


_Chosen = list[tuple[_Caller, int, DecisionRequest]]


class Batcher:
    """One line per process, worked on in its event loop.

    Who comes while nothing is under way is decided at once. Who comes while a pass runs waits for
    the next one, with all others who do: at most `largest_batch` questions, and of each customer
    and each request one, so that what is decided first is known to what is decided next. A list
    takes a part of each pass and then stands in line again, so that those who ask alone wait for
    one pass and not for a list.
    """

    def __init__(self, live: Live, tracing: Tracing | None = None) -> None:
        self._live = live
        self._tracing = tracing
        self._line: deque[_Caller] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._workers = 0
        self._threads = CapacityLimiter(PASSES)
        self._enough = asyncio.Event()
        self._wanted = 0

    @property
    def _settings(self) -> ServiceSettings:
        return self._live.settings.current.serving.service

    def is_crowded(self) -> bool:
        """More wait than can be answered while they are still waited for."""
        return len(self._line) >= self._settings.waiting_most

    async def ask(
        self, questions: Sequence[DecisionRequest], *, is_in_time: Callable[[], bool]
    ) -> list[Outcome]:
        """The outcome of each question; TOO_BUSY for those not begun when the time is up."""
        if not questions:
            return []
        lined_up = Questions(questions)
        caller = _Caller(
            lined_up,
            [lined_up.refused.get(n) for n in range(len(questions))],
            is_in_time,
            asyncio.get_running_loop().create_future(),
        )
        self._line.append(caller)
        self._live.metrics.waiting.set(len(self._line))
        if len(self._line) >= self._wanted:
            self._enough.set()
        if self._workers < PASSES:
            self._workers += 1
            # What it writes is of no single request, also not of the one that began it.
            worker = asyncio.create_task(self._work(), context=Context())
            self._tasks.add(worker)  # the loop itself holds no task
            worker.add_done_callback(self._tasks.discard)
        return await caller.told

    async def close(self) -> None:
        """Return when nothing is under way."""
        await asyncio.gather(*self._tasks)

    async def _work(self) -> None:
        try:
            while chosen := self._next_pass():
                # Whatever goes wrong, also beside the deciding itself: nobody waits for ever.
                [told] = await asyncio.gather(self._told(chosen), return_exceptions=True)
                outcomes = [told] * len(chosen) if isinstance(told, BaseException) else told
                for (caller, place, _), outcome in zip(chosen, outcomes, strict=True):
                    if isinstance(outcome, bytes | Fault):
                        caller.tell(place, outcome)
                    else:
                        caller.fail(place, outcome)
                if len(chosen) > 1:
                    await self._gather(len(chosen))
        finally:
            # Counted here, not when the task is seen to be done: who comes in between would wait
            # for a worker that has looked at the line for the last time.
            self._workers -= 1

    async def _gather(self, count: int) -> None:
        """Those just answered mostly ask again at once: give them a moment to share a pass."""
        self._wanted = count
        if len(self._line) < count and self._settings.gather_ms:
            self._enough.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), self._settings.gather_ms / 1000)

    def _next_pass(self) -> _Chosen:
        """What to decide now, in the order of the line."""
        room = self._settings.largest_batch
        portion = max(1, int(room * SHARE_OF_LISTS))
        chosen: _Chosen = []
        turn = Turn()
        callers = [one for one in self._line if self._is_waited_for(one)]
        found = True
        while found and room:
            found = False
            for caller in callers:
                taken = caller.questions.take(min(room, portion), turn)
                if taken:
                    found = True
                    room -= len(taken)
                    chosen += [(caller, place, question) for place, question in taken]
                if not room:
                    break
        begun = {caller for caller, _, _ in chosen}
        kept = [one for one in callers if one.questions.left]
        self._line = deque(
            [one for one in kept if one not in begun] + [one for one in kept if one in begun]
        )
        return chosen

    def _is_waited_for(self, caller: _Caller) -> bool:
        if not caller.is_gone() and not caller.is_in_time():
            caller.give_up()
        return not caller.is_gone() and bool(caller.questions.left)

    async def _told(self, chosen: _Chosen) -> list[Outcome | BaseException]:
        """One pass, with what the figures say of it and of those who waited for it."""
        self._live.metrics.waiting.set(len(self._line))
        self._live.metrics.passes.observe(len(chosen))
        now = monotonic()
        for caller in dict.fromkeys(caller for caller, _, _ in chosen):
            waited = now - caller.since
            self._live.metrics.stages.labels("wait").observe(waited)
            if caller.span and self._tracing:
                ended = time_ns()
                self._tracing.tell(caller.span, [Stage("wait", ended - int(waited * 1e9), ended)])
            caller.since = now
        return await self._traced(chosen)

    async def _traced(self, chosen: _Chosen) -> list[Outcome | BaseException]:
        """One pass; what it does is told below the span of each request that is traced."""
        questions = [question for _, _, question in chosen]
        spans = {id(caller): caller.span for caller, _, _ in chosen if caller.span}
        if not spans or not self._tracing:
            return await self._decided(questions)
        stages: list[Stage] = []
        token = STAGES.set(stages)
        try:
            return await self._decided(questions)
        finally:
            STAGES.reset(token)
            for span in spans.values():
                if span is not None:
                    self._tracing.tell(span, stages)

    async def _decided(self, questions: Sequence[DecisionRequest]) -> list[Outcome | BaseException]:
        """One pass; where it fails, each half of it alone, until only what fails has failed."""
        [told] = await asyncio.gather(
            to_thread.run_sync(self._decide, questions, limiter=self._threads),
            return_exceptions=True,
        )
        if not isinstance(told, BaseException):
            return list(told)
        if len(questions) == 1:
            return [told]
        half = len(questions) // 2
        return [
            *await self._decided(questions[:half]),
            *await self._decided(questions[half:]),
        ]

    def _decide(self, questions: Sequence[DecisionRequest]) -> list[Outcome]:
        live = self._live
        return decide_together(questions, live, now=live.now(), is_in_time=lambda: True)
