"""Whom a body names: its texts and numbers, in whatever form they were sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

# What stands between two texts of a body that is no JSON: of a form, of lines of a table.
BETWEEN = re.compile(r"[\s,;&=\"'<>|()\[\]{}]+")


def texts_of(value: Any) -> Iterator[str]:
    """Each value of a JSON document as an id would be written, be it a number there."""
    match value:
        case dict():
            for inner in value.values():
                yield from texts_of(inner)
        case list():
            for inner in value:
                yield from texts_of(inner)
        case bool():
            return
        case float() if value.is_integer():
            yield from (str(value), str(int(value)))
        case str() | int() | float():
            yield str(value)


def texts_in(body: bytes) -> frozenset[str]:
    """The texts that may be ids in a body of bytes as they came, JSON or not."""
    text = body.decode("utf-8", "replace")
    try:
        return frozenset(texts_of(json.loads(text)))
    except (ValueError, RecursionError):
        words = BETWEEN.split(text)
        return frozenset([*words, *map(unquote_plus, words)])


def names(body: bytes, customer_id: str) -> bool:
    """Whether the body holds the id as a whole text, quoted or not, or as a number."""
    ways = (json.dumps(customer_id), json.dumps(customer_id, ensure_ascii=False))
    if any(way.encode("utf-8", "surrogatepass") in body for way in ways):
        return True
    return customer_id in texts_in(body)
