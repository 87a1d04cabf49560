"""Moments as people type them, in UTC unless they say otherwise."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def moment(text: str) -> datetime:
    """The moment that `text` names (ISO 8601); without an offset it is UTC."""
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no moment; write 2017-12-01, 2017-12-01T06:00 or 2017-12-01T06:00+02:00"
        ) from None
    named = said.replace(tzinfo=UTC) if said.tzinfo is None else said
    try:
        found = named.astimezone(UTC)
    except OverflowError:
        found = LATEST
    if not EARLIEST <= found < LATEST:
        raise typer.BadParameter(f"{text} lies outside 1970 to 2200")
    return found
