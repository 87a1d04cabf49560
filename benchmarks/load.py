"""A small HTTP load generator in a process of its own: keep-alive connections, one question each.

`python -m benchmarks.load` reads what to ask as JSON from standard input and prints what was
measured. Python, uvloop and a protocol without frills: some 40 microseconds a question, so that at
1,000 a second it takes a twentieth of one processor; it tells its share.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from typing import cast

import numpy as np
import uvloop

# Neighbours in the store are not asked one after the other.
STRIDE = 7_919


@dataclass(frozen=True)
class Asked:
    """What to ask, how many at once, for how long; `prefix` makes request ids that are new.

    Without `customers` the body is `{}`.
    """

    host: str
    port: int
    path: str
    key: str
    prefix: str
    customers: int
    dry_run: bool
    concurrency: int
    seconds: float
    warm_up_seconds: float

    def bodies(self) -> Iterator[bytes]:
        """A question about another customer each time."""
        if not self.customers:
            while True:
                yield b"{}"
        dry = ',"dry_run":true' if self.dry_run else ""
        for number in count():
            name = f"customer-{number * STRIDE % self.customers:07d}"
            yield (
                f'{{"request_id":"{self.prefix}-{number}","customer_id":"{name}"{dry}}}'
            ).encode()

    def head(self) -> bytes:
        return (
            f"POST {self.path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self.key}\r\nContent-Length: "
        ).encode()


@dataclass(frozen=True)
class Load:
    """What was measured: latencies in milliseconds, answers per second, how many said "send",
    how many came with which status, and how much of one processor this process took.
    """

    concurrency: int
    p50_ms: float
    p99_ms: float
    per_second: float
    answers: int
    sends: int
    statuses: dict[str, int]
    seconds: float
    generator_cpu: float

    @property
    def failed(self) -> int:
        return self.answers - self.statuses.get("200", 0)


class Connection(asyncio.Protocol):
    """One connection, one question at a time; an error where the other side ends it."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self.retry_after: str | None = None  # of the last answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        again = head.find(b"retry-after:")
        self.retry_after = (
            head[again + 12 :].split(b"\r\n", 1)[0].strip().decode() if again >= 0 else None
        )
        body, self._buffer = self._buffer[end + 4 : end + 4 + length], b""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((int(head[9:12]), body))

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("the service closed the connection"))

    @property
    def is_lost(self) -> bool:
        return self._transport is None

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Status and body of the answer; ConnectionResetError where none can come."""
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport is None:
            self._answer.set_exception(ConnectionResetError("there is no connection"))
        else:
            self._transport.write(request)
        return self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def connect(host: str, port: int) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(Connection, host, port)
    return connection


async def measure(asked: Asked) -> Load:
    """Ask for so many seconds after a warm-up, of which nothing is counted."""
    bodies, head = asked.bodies(), asked.head()
    latencies: list[float] = []
    statuses: Counter[str] = Counter()
    sends = 0
    begun = time.perf_counter() + asked.warm_up_seconds
    end = begun + asked.seconds

    async def ask_on() -> None:
        nonlocal sends
        connection = await connect(asked.host, asked.port)
        while (now := time.perf_counter()) < end:
            body = next(bodies)
            status, answer = await connection.ask(b"%b%d\r\n\r\n%b" % (head, len(body), body))
            if now >= begun:
                latencies.append(time.perf_counter() - now)
                statuses[str(status)] += 1
                sends += b'"action":"send"' in answer
        connection.close()

    cpu = time.process_time()
    whole = time.perf_counter()
    await asyncio.gather(*(ask_on() for _ in range(asked.concurrency)))
    cpu, whole = time.process_time() - cpu, time.perf_counter() - whole
    lasted = time.perf_counter() - begun
    p50, p99 = np.percentile(np.array(latencies) * 1000, [50, 99])
    return Load(
        concurrency=asked.concurrency,
        p50_ms=float(p50),
        p99_ms=float(p99),
        per_second=len(latencies) / lasted,
        answers=len(latencies),
        sends=sends,
        statuses=dict(statuses),
        seconds=lasted,
        generator_cpu=cpu / whole,
    )


def measured_apart(asked: Asked) -> Load:
    """The same in a process of its own, so that nothing of ours slows it down."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(asdict(asked)), stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return Load(**json.loads(run.stdout))


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(measure(Asked(**json.load(sys.stdin)))))))
