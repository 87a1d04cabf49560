"""Refusing what cannot be a log, by naming the rows that are wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.errors import DataError

# How many rows a message names.
NAMED = 3


def refuse(wrong: NDArray[np.bool_], rule: str, remedy: str) -> None:
    """DataError naming the first of the rows [rows] that break `rule`, if any does."""
    if wrong.any():
        raise DataError(f"{rule}, but not in {counted(wrong)}; {remedy}")


def counted(rows: NDArray[np.bool_]) -> str:
    """How many rows these are, and which come first: `2 of 5 rows (rows 0, 3)`."""
    numbers = np.flatnonzero(rows)
    named = ", ".join(map(str, numbers[:NAMED])) + (", ..." if len(numbers) > NAMED else "")
    return f"{len(numbers):,} of {len(rows):,} rows (rows {named})"
