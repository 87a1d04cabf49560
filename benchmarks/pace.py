"""Questions at a pace, as callers ask in the world: without an answer, again by the same id."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from benchmarks.load import STRIDE, Asked, Connection, connect

# Answers after which the same question is asked again, and how often.
COME_AGAIN = {429, 503}
ATTEMPTS = 40
PAUSE_S = 0.25


@dataclass
class Told:
    """What came of a paced load: latencies of accepted answers with their moment, by request."""

    answers: dict[str, bytes] = field(default_factory=dict)
    at: list[float] = field(default_factory=list)  # seconds since the load began
    latencies: list[float] = field(default_factory=list)  # in ms
    statuses: Counter[str] = field(default_factory=Counter)
    without_retry_after: int = 0
    broken: int = 0  # requests whose connection broke, or that got a status nobody announced
    unanswered: int = 0  # requests that were given up at last
    asked: int = 0

    def percentile(self, share: float) -> float:
        return float(np.percentile(self.latencies, share)) if self.latencies else float("inf")

    def by_second(self) -> dict[int, float]:
        """The p99 of what was answered in each second."""
        seconds = np.array(self.at, dtype=int)
        return {
            int(one): float(np.percentile(np.array(self.latencies)[seconds == one], 99))
            for one in np.unique(seconds)
        }


async def paced(asked: Asked, *, per_second: float, is_patient: bool, numbers: count[int]) -> Told:
    """So many questions a second for `asked.seconds`, over `asked.concurrency` connections.

    Who is patient asks again, by the same id, until there is an answer; who is not takes the first
    one that comes. Where all connections are busy, questions wait for one: nothing is left out,
    but latencies count from when a question is sent.
    """
    told = Told()
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(asked.concurrency):
        free.put_nowait(await connect(asked.host, asked.port))
    begun = time.perf_counter()
    under_way: set[asyncio.Task[None]] = set()
    for number in range(int(per_second * asked.seconds)):
        late = begun + number / per_second - time.perf_counter()
        if late > 0:
            await asyncio.sleep(late)
        elif time.perf_counter() - begun > asked.seconds:
            break
        connection = await free.get()
        task = asyncio.create_task(
            _ask(connection, next(numbers), asked, told, free, begun, is_patient)
        )
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    while not free.empty():
        free.get_nowait().close()
    return told


async def _ask(
    connection: Connection,
    number: int,
    asked: Asked,
    told: Told,
    free: asyncio.Queue[Connection],
    begun: float,
    is_patient: bool,
) -> None:
    name = f"{asked.prefix}-{number}"
    customer = f"customer-{number * STRIDE % asked.customers:07d}"
    body = f'{{"request_id":"{name}","customer_id":"{customer}"}}'.encode()
    request = b"%b%d\r\n\r\n%b" % (asked.head(), len(body), body)
    told.asked += 1
    has_broken = False
    for _ in range(ATTEMPTS if is_patient else 1):
        if connection.is_lost:  # nothing was asked on it: any client opens another
            connection = await _reconnected(asked)
        sent = time.perf_counter()
        try:
            status, answer = await connection.ask(request)
        except OSError:
            has_broken = True
            connection = await _reconnected(asked)
            continue
        told.statuses[str(status)] += 1
        if status == 200:
            told.latencies.append((time.perf_counter() - sent) * 1000)
            told.at.append(time.perf_counter() - begun)
            told.answers[name] = answer
            break
        if status not in COME_AGAIN:
            has_broken = True
        elif connection.retry_after is None:
            told.without_retry_after += 1
        if is_patient:
            await asyncio.sleep(PAUSE_S)
    else:
        told.unanswered += is_patient
    told.broken += has_broken
    free.put_nowait(connection)


async def _reconnected(asked: Asked) -> Connection:
    while True:
        try:
            return await connect(asked.host, asked.port)
        except OSError:
            await asyncio.sleep(PAUSE_S)
