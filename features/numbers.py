"""Texts as numbers, by which lines are grouped many times as fast, and numbers as columns."""

from __future__ import annotations

from math import prod

import numpy as np
import polars as pl
from numpy.typing import NDArray

# So many texts are looked up one by one before a query would have begun.
_FEW = 2_000


def numbered(texts: pl.Series) -> tuple[NDArray[np.int64], pl.Series]:
    """The place of each text among the distinct ones, which are sorted; -1 for null."""
    if len(texts) <= _FEW:
        told = texts.to_list()
        distinct = sorted({text for text in told if text is not None})
        number_of: dict[str | None, int] = {text: number for number, text in enumerate(distinct)}
        number_of[None] = -1
        numbers = np.array([number_of[text] for text in told], dtype=np.int64)
        return numbers, pl.Series(texts.name, distinct, dtype=pl.String)
    # Categories of their own: whatever else is in memory neither matters nor grows.
    kept = texts.cast(pl.Categorical(pl.Categories.random())).to_physical()
    found = kept.cast(pl.Int64).fill_null(-1).to_numpy()
    count = int(found.max(initial=-1)) + 1
    example = np.zeros(count, dtype=np.int64)
    is_text = found >= 0
    example[found[is_text]] = np.flatnonzero(is_text)
    names = texts[example]
    order = names.arg_sort().to_numpy()
    place = np.full(count + 1, -1, dtype=np.int64)
    place[order] = np.arange(count)
    return place[found], names[order]


def order_by(*columns: tuple[NDArray[np.int64], int]) -> NDArray[np.int64]:
    """The places of rows, sorted by the columns (numbers below so many); of equals the first."""
    if prod(count for _, count in columns) >= 2**63:
        return np.lexsort([numbers for numbers, _ in reversed(columns)])
    key = columns[0][0]
    for numbers, count in columns[1:]:
        key = key * count + numbers
    return np.argsort(key, kind="stable")


def starts_of(*columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a row is the first, or differs from the one before in any of the columns."""
    is_first = np.ones(len(columns[0]), dtype=np.bool_)
    is_first[1:] = False
    for numbers in columns:
        is_first[1:] |= numbers[1:] != numbers[:-1]
    return is_first


def null_where(values: NDArray[np.number], is_null: NDArray[np.bool_]) -> pl.Series:
    """The values, null where they do not hold."""
    series = pl.Series(values)
    return series.set(pl.Series(is_null), None) if is_null.any() else series


def places_in(texts: pl.Series, among: pl.Series) -> NDArray[np.int64]:
    """The place of each text among some that are distinct, -1 where it is none of them.

    Equal texts mostly stand together: then only the first of each run is looked up.
    """
    if not len(texts):
        return np.zeros(0, dtype=np.int64)
    is_first = np.ones(len(texts), dtype=np.bool_)
    is_first[1:] = (texts[1:] != texts[:-1]).to_numpy()
    first = np.flatnonzero(is_first)
    if len(first) <= _FEW:
        place = {text: number for number, text in enumerate(among.to_list())}
        places = np.array([place.get(text, -1) for text in texts[first].to_list()], dtype=np.int64)
    else:
        found = pl.DataFrame({"text": texts[first]}).join(
            pl.DataFrame({"text": among}).with_row_index("place"),
            on="text", how="left", maintain_order="left",
        )  # fmt: skip
        places = found.get_column("place").cast(pl.Int64).fill_null(-1).to_numpy()
    return np.repeat(places, np.diff(first, append=len(texts)))


def matched(
    wanted: NDArray[np.int64], rising: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Each pair of a place in `wanted` and one in `rising` that hold the same number, in order."""
    start, end = (np.searchsorted(rising, wanted, side) for side in ("left", "right"))
    count = end - start
    left = np.repeat(np.arange(len(wanted), dtype=np.uint32), count)
    right = np.arange(len(left)) + np.repeat(start - (np.cumsum(count) - count), count)
    return left, right
