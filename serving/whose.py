"""Whose rows they are: places instead of keys, for a join of a few rows takes longer than both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.numbers import null_where
from serving.tables import KEY

Places: TypeAlias = NDArray[np.int64]
# The place of each person by customer and moment, the latter in microseconds.
Index: TypeAlias = Mapping[tuple[str, int], int]

NOBODY = -1


def index_of(people: pl.DataFrame) -> Index:
    """Of rows with KEY, each of which there is once."""
    return {key: place for place, key in enumerate(keys_of(people))}


def keys_of(frame: pl.DataFrame) -> Iterator[tuple[str, int]]:
    """KEY of each row, the moment in microseconds: as an object it is slow to make and compare."""
    customers, moments = (frame.get_column(name) for name in KEY)
    return zip(customers.to_list(), moments.cast(pl.Int64).to_list(), strict=True)


def only(frame: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """These columns; to select them by name takes several times as long."""
    return pl.DataFrame([frame.get_column(name) for name in names])


def places_of(frame: pl.DataFrame, index: Index) -> Places:
    """The place of whom each row of `frame` (KEY) is about; NOBODY where they are not there.

    Rows of one person mostly lie together, so only where they begin is looked up.
    """
    first = begins_of(frame)
    keys = keys_of(only(frame, KEY)[first])
    found = np.array([index.get(key, NOBODY) for key in keys], dtype=np.int64)
    return np.repeat(found, np.diff(np.append(first, frame.height)))


def begins_of(frame: pl.DataFrame) -> Places:
    """The rows of `frame` that have another KEY than the one before."""
    return np.flatnonzero(frame.select(_CHANGES).to_series().to_numpy())


def nullable(places: Places) -> pl.Series:
    """Places to gather, null where there is none."""
    return null_where(places.astype(np.uint32), places < 0)


def gathered(frame: pl.DataFrame, places: Places) -> pl.DataFrame:
    """The rows at these places; a row of nulls where there is none."""
    if not len(places) or places.min() >= 0:
        return frame[places]
    return frame[nullable(places)]


_CHANGES = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in KEY)
