"""The server's connections: none may wait for ever, none may say too much before it is known.

uvicorn has no time limit for headers, none for what a refused caller still sends, and with
httptools none for their length. So this protocol takes the place of the one it would choose.
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, ClassVar
from weakref import WeakSet

from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.access.noted import KEY
from serving.access.settings import AccessSettings
from serving.schemas.message import Fault

log = logging.getLogger("onje")

LOOKED_AT_EVERY_S = 0.5
# What a body may take beyond the gate's own limit, and a caller to fetch its answer.
GRACE_S = 2.0
# And how much of a body that nobody wants is still taken, so that its sender sees the answer.
MOST_LEFT_BYTES = 2 * 1024 * 1024
# Of all connections, the share that is closed at once when there are too many.
SHARE_CLOSED = 1 / 16
MOST_FILES = 1_048_576

UNREADABLE = Fault(code="unreadable", found="bytes that are no HTTP request", do="send HTTP/1.1")
TOO_LONG = Fault(
    code="headers_too_large",
    found="more headers than are read",
    do="send fewer or shorter ones; [access] header_kib and header_lines set the limits",
)
TOO_SLOW = Fault(
    code="too_slow",
    found="a request that has not arrived in time",
    do="send it at once; [access] header_seconds says how long is waited",
)


class TooLong(Exception):
    """A request whose headers are longer than anybody reads."""


class Connection(HttpToolsProtocol):
    """One connection with a deadline, unless the service itself is at work on its request.

    `due` is the moment on the loop's clock at which it is closed: while headers or a body are
    awaited, and while a caller leaves its answer lying.
    """

    access: ClassVar[AccessSettings]
    watched: ClassVar[WeakSet[asyncio.AbstractEventLoop]] = WeakSet()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.due: float | None = self.loop.time() + self.access.header_seconds
        self._bytes = self._lines = self._left = 0
        self._is_too_long = self._in_headers = self._in_message = False
        crowd = self.server_state.connections
        if len(crowd) > self.access.connections:
            _close_the_longest_waiting(crowd, newest=self)
        kind = type(self)
        if self.loop not in kind.watched:
            kind.watched.add(self.loop)
            self.loop.call_later(LOOKED_AT_EVERY_S, kind.watch, self.loop, crowd)

    @classmethod
    def watch(cls, loop: asyncio.AbstractEventLoop, crowd: set[Any]) -> None:
        """Close whatever is overdue, now and every half second from now on."""
        loop.call_later(LOOKED_AT_EVERY_S, cls.watch, loop, crowd)
        for connection in [one for one in crowd if one.is_overdue()]:
            loop.call_soon(connection.end)  # each by itself: one that fails keeps no other open

    def is_overdue(self) -> bool:
        return self.due is not None and self.due <= self.loop.time()

    def end(self) -> None:
        """Close if it still is overdue; at once where that was asked for and nobody fetches."""
        if not self.is_overdue():
            return
        if self.transport.is_closing():
            self.transport.abort()
            return
        if self.pipeline:  # the service is at work on the request before this one
            self.due = self.loop.time() + GRACE_S
            return
        if self._in_headers:
            self._answer(HTTPStatus.REQUEST_TIMEOUT, TOO_SLOW)
        self.transport.close()
        self.due = self.loop.time() + GRACE_S

    def data_received(self, data: bytes) -> None:
        if self.due is None and (self.cycle is None or self.cycle.response_complete):
            self.due = self.loop.time() + self.access.header_seconds
        super().data_received(data)
        if self._in_message and self.cycle and self.cycle.response_complete:
            self._left += len(data)
            if self._left > MOST_LEFT_BYTES:
                self.transport.close()

    def on_message_begin(self) -> None:
        self._bytes = self._lines = self._left = 0
        self._in_headers = self._in_message = True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines += 1
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def _count(self, length: int) -> None:
        self._bytes += length
        if self._bytes > self.access.header_kib * 1024 or self._lines > self.access.header_lines:
            self._is_too_long = True
            raise TooLong

    def on_headers_complete(self) -> None:
        # The gate gives up a body by itself; this is for one that it does not wait for.
        self.due = self.loop.time() + self.access.body_seconds + GRACE_S
        self._in_headers = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.due = None
        self._in_message = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        is_known = KEY in self.cycle.scope
        seconds = self.access.idle_seconds if is_known else self.access.header_seconds
        self.timeout_keep_alive = seconds  # type: ignore[assignment]  # the loop takes any number
        super().on_response_complete()
        if self._in_message or self.transport.is_closing():
            self.due = self.loop.time() + GRACE_S

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self.due = self.loop.time() + GRACE_S

    def send_400_response(self, msg: str) -> None:
        if self._is_too_long:
            self._answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, TOO_LONG)
        else:
            self._answer(HTTPStatus.BAD_REQUEST, UNREADABLE)
        self.transport.close()
        self.due = self.loop.time() + GRACE_S

    def _answer(self, status: HTTPStatus, fault: Fault) -> None:
        """An answer in the one shape where no request came to be that the app could answer."""
        body = json.dumps(fault.model_dump()).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)

    def _should_upgrade_to_ws(self) -> bool:
        return False  # nothing here speaks anything but HTTP

    def _unsupported_upgrade_warning(self) -> None:
        """Nobody is told of it: any stranger could fill the log."""


def _close_the_longest_waiting(crowd: Iterable[Any], *, newest: Connection) -> None:
    """Make room: close some that have waited longest for their callers, else the newest."""
    waiting = sorted((one for one in crowd if one.due is not None), key=lambda one: one.due)
    at_once = max(1, int(newest.access.connections * SHARE_CLOSED))
    for connection in waiting[:at_once] or [newest]:
        connection.transport.abort()


def guard_connections(access: AccessSettings) -> None:
    """Let uvicorn, started by BentoML in this process, take connections under these limits."""
    kind = type("GuardedConnection", (Connection,), {"access": access, "watched": WeakSet()})
    HTTP_PROTOCOLS["auto"] = kind  # type: ignore[assignment]


def allow_connections(count: int) -> None:
    """Let this process open so many, and a few files beside, where the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else hard
    wanted = min(most, max(soft, count + 512))
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < count + 512:
        log.warning(
            "this process may open %s files; [access] connections of %s needs %s: raise the "
            "limit (ulimit -n) or lower the setting", wanted, count, count + 512,
        )  # fmt: skip
