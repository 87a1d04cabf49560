"""The source `generic`: events in Onje's own words, signed as Standard Webhooks are.

A body is what `POST /v1/events` takes, {"events": [...]}, or a single event.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from pydantic import ValidationError

from pipelines import signatures
from serving.access import bodies
from serving.hooks import Hook, Parsed
from serving.schemas.events import Event
from serving.schemas.message import Fault, invalid
from serving.store import Dead, Delivery
from serving.telling import as_told

NAME = "generic"
# Written in one transaction, which others wait for: a second's work.
MOST_ITEMS = 10_000


def hook(secrets: Sequence[bytes]) -> Hook:
    """The source under these secrets, any of which may have signed."""
    return Hook(NAME, signatures.HEADERS, partial(_verify, secrets), parse)


def _verify(secrets: Sequence[bytes], delivery: Delivery, now: datetime) -> Fault | None:
    return signatures.fault_of(secrets, delivery.headers, delivery.body, now=now)


def parse(delivery: Delivery, now: datetime) -> Parsed:
    """Its events, known from `now` on; each that is none is kept aside alone."""
    hostile = bodies.fault_of(delivery.body)
    if hostile is not None:
        return _nothing(Dead(delivery.body, hostile), now)
    try:
        said = json.loads(delivery.body)
    except (ValueError, RecursionError) as problem:
        # The body itself is kept beside; the parser's message may quote it.
        return _nothing(Dead(delivery.body, f"no JSON ({type(problem).__name__})"), now)
    told = said.get("events", [said]) if isinstance(said, dict) else said
    if not isinstance(told, list):
        return _nothing(Dead(delivery.body, "neither an event nor a list of events"), now)
    if len(told) > MOST_ITEMS:
        return _nothing(Dead(delivery.body, f"more than {MOST_ITEMS:,} events in one body"), now)
    events: list[Event] = []
    places: list[int] = []
    dead: list[Dead] = []
    for place, item in enumerate(told):
        try:
            events.append(Event.model_validate(item))
            places.append(place)
        except ValidationError as problem:
            fault = invalid(problem.errors(include_url=False, include_input=False))
            dead.append(Dead(_alone(item), fault.found))
    rows, broken = as_told(events, now=now)
    dead += [Dead(_alone(told[places[place]]), reason) for place, reason in broken.items()]
    return Parsed(rows, dead)


def _nothing(dead: Dead, now: datetime) -> Parsed:
    return Parsed(as_told([], now=now)[0], [dead])


def _alone(item: Any) -> bytes:
    """A body of this item only, for the same parser."""
    return json.dumps({"events": [item]}).encode()
