"""A statement takes a limited number of values."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TypeVar

AT_ONCE = 500

Value = TypeVar("Value")


def some_at_a_time(values: Collection[Value]) -> Iterator[list[Value]]:
    """All of them, in their order, as many at a time as a statement takes."""
    every = list(values)
    for start in range(0, len(every), AT_ONCE):
        yield every[start : start + AT_ONCE]
