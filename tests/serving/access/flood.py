"""Callers that never finish: sockets that are opened and left, and what others see meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

NOTHING = b""
HALF_A_HEAD = b"POST /v1/decide HTTP/1.1\r\nHost: onje\r\nContent-Type: application/json\r\n"
HALF_A_BODY = HALF_A_HEAD + b'Content-Length: 90\r\n\r\n{"request_id": '
KINDS = (NOTHING, HALF_A_HEAD, HALF_A_BODY)


@dataclass(frozen=True)
class Seen:
    """What a caller with a key saw: statuses (0: no answer), and the slowest, in seconds."""

    statuses: list[int]
    slowest: float

    @property
    def served(self) -> float:
        return self.statuses.count(200) / len(self.statuses)


async def flooded(
    host: str, port: int, key: str, *, sockets: int, seconds: float, again: float
) -> Seen:
    """Hold so many half-open sockets and ask all the while.

    Each is opened anew `again` seconds after it was shut.
    """
    holders = [
        asyncio.create_task(_hold(host, port, KINDS[place % len(KINDS)], again))
        for place in range(sockets)
    ]
    await asyncio.sleep(min(1.0, seconds / 4))
    try:
        return await asked(host, port, key, seconds=seconds)
    finally:
        for holder in holders:
            holder.cancel()
        await asyncio.gather(*holders, return_exceptions=True)


async def asked(host: str, port: int, key: str, *, seconds: float) -> Seen:
    """Ask, each time on a connection of its own, as a caller does that has none yet."""
    loop = asyncio.get_running_loop()
    statuses, slowest = [], 0.0
    end = loop.time() + seconds
    while loop.time() < end:
        began = loop.time()
        try:
            async with asyncio.timeout(5):
                statuses.append(await _status(host, port, key, len(statuses)))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            statuses.append(0)
        slowest = max(slowest, loop.time() - began)
        await asyncio.sleep(0.02)
    return Seen(statuses, slowest)


async def _hold(host: str, port: int, said: bytes, again: float) -> None:
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(said)
                while await reader.read(4096):  # until the service shuts it
                    pass
            finally:
                writer.close()
        await asyncio.sleep(again)


async def _status(host: str, port: int, key: str, number: int) -> int:
    body = b'{"request_id": "flood-%d", "customer_id": "ann", "dry_run": true}' % number
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(
            b"POST /v1/decide HTTP/1.1\r\nHost: onje\r\nContent-Type: application/json\r\n"
            b"Connection: close\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s"
            % (key.encode(), len(body), body)
        )
        head = await reader.readuntil(b"\r\n")
        await reader.read()
        return int(head.split()[1])
    finally:
        writer.close()
