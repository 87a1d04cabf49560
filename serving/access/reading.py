"""What the gate reads of a request: some headers, then the body, within a time and a size."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.types import Receive

from serving.access import bodies
from serving.access.admission import Refusal
from serving.access.paths import Way
from serving.access.scopes import MIB, Scope
from serving.schemas.message import Fault

ASKED = frozenset(
    (
        b"authorization", b"content-length", b"transfer-encoding", b"content-type",
        b"content-encoding",
    )
)  # fmt: skip

NOT_JSON = Fault(
    code="not_json",
    found="a body that is not told to be JSON",
    do="send UTF-8 JSON with the header Content-Type: application/json",
)
COMPRESSED = Fault(
    code="compressed", found="a Content-Encoding", do="send the body as it is, not compressed"
)
TOO_SLOW = Fault(
    code="too_slow",
    found="a body that has not arrived in time",
    do="send it at once; [access] body_seconds says how long is waited",
)


@dataclass(frozen=True)
class Told:
    """What the headers say that the gate asks for; doubled headers count as absent or hostile."""

    authorization: bytes | None
    length: bytes | None
    is_chunked: bool
    content_type: bytes
    encoding: bytes

    @property
    def has_body(self) -> bool:
        return self.is_chunked or (self.length is not None and self.length.strip(b"0") != b"")


def told_by(headers: Iterable[tuple[bytes, bytes]]) -> Told:
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in ASKED:
            # Two keys are no key; two types or encodings are none that would be taken.
            found[name] = b"," if name in found else value
    return Told(
        found.get(b"authorization"),
        found.get(b"content-length"),
        b"transfer-encoding" in found,
        found.get(b"content-type", b""),
        found.get(b"content-encoding", b""),
    )


async def whole_body(
    way: Way, told: Told, receive: Receive, *, seconds: float
) -> bytes | Refusal | None:
    """The whole body; a Refusal where it breaks a limit; None where its sender went away."""
    if told.encoding.lower() not in (b"", b"identity"):
        return Refusal(415, COMPRESSED)
    if _is_json(way) and not _says_json(told.content_type):
        return Refusal(415, NOT_JSON)
    if told.length is not None and not (
        told.length.isdigit() and len(told.length) < 20 and int(told.length) <= way.most_bytes
    ):
        return Refusal(413, too_large(way.most_bytes))
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                part = message.get("body", b"")
                size += len(part)
                if size > way.most_bytes:
                    return Refusal(413, too_large(way.most_bytes))
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        return Refusal(408, TOO_SLOW)


def too_large(most_bytes: int) -> Fault:
    return Fault(
        code="too_large",
        found=f"more than {most_bytes // MIB} MiB",
        do="send fewer items at a time",
    )


def _is_json(way: Way) -> bool:
    # What comes without a key has other forms, and whoever checks its signature reads it raw.
    return isinstance(way.asked, Scope)


def _says_json(content_type: bytes) -> bool:
    kind = content_type.split(b";", 1)[0].strip().lower()
    return kind == b"application/json" or (
        kind.startswith(b"application/") and kind.endswith(b"+json")
    )


def hostile(way: Way, body: bytes) -> Fault | None:
    """What in it no parser should see."""
    found = bodies.fault_of(body) if _is_json(way) else None
    if found is None:
        return None
    return Fault(
        code="unreadable", found=found, do="send plain UTF-8 JSON, as /v1/docs describes it"
    )
