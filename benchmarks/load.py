"""A small HTTP load generator: keep-alive connections, one question at a time on each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Load:
    """What was measured: latencies in milliseconds, answers per second, how many said "send",
    and how many were other than 200.
    """

    concurrency: int
    p50_ms: float
    p99_ms: float
    per_second: float
    sends: int
    failed: int


async def measure(
    host: str,
    port: int,
    path: str,
    body: Callable[[int], bytes],
    *,
    concurrency: int,
    seconds: float,
    warm_up: int,
) -> Load:
    """Ask `path` with `body(n)` for the n-th question, for so many seconds after a warm-up."""
    numbers = iter(range(10**9))
    latencies: list[float] = []
    failed = sends = 0

    async def ask_until(end: float | None, rounds: int | None, keep: bool) -> None:
        nonlocal failed, sends
        reader, writer = await asyncio.open_connection(host, port)
        while (end is None or time.perf_counter() < end) and (rounds is None or rounds > 0):
            rounds = None if rounds is None else rounds - 1
            text = body(next(numbers))
            head = (
                f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(text)}\r\n\r\n"
            )
            begun = time.perf_counter()
            writer.write(head.encode() + text)
            status, answer = await _answer(reader)
            if keep:
                latencies.append(time.perf_counter() - begun)
                failed += status != 200
                sends += b'"action":"send"' in answer
        writer.close()

    await asyncio.gather(*(ask_until(None, warm_up, False) for _ in range(concurrency)))
    begun = time.perf_counter()
    await asyncio.gather(*(ask_until(begun + seconds, None, True) for _ in range(concurrency)))
    lasted = time.perf_counter() - begun
    p50, p99 = np.percentile(np.array(latencies) * 1000, [50, 99])
    return Load(concurrency, float(p50), float(p99), len(latencies) / lasted, sends, failed)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.split("content-length:")[1].split("\r\n")[0])
    body = await reader.readexactly(length)
    return int(head.split(" ", 2)[1]), body
