"""Luck that belongs to an id: the same id draws the same number, whoever asks and in what order."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.hashing import stable_hash

_WORD = 8
# The finaliser of SplitMix64 (Steele, Lea, Flood 2014): each bit of the input moves all of the
# output, so that ids which differ in one digit draw numbers that have nothing to do with another.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def luck(ids: pl.Series, purpose: str, *, seed: int) -> NDArray[np.float64]:
    """A uniform number in [0, 1) for each id; independent for each purpose and each seed.

    Whole columns at a time, 8 bytes of every id in one step: `features.hashing` would need a
    Python call for each of some million events.
    """
    lengths = ids.str.len_bytes().fill_null(0).to_numpy()
    longest = int(lengths.max()) if len(lengths) else 0
    width = -(-longest // _WORD) * _WORD
    padded = ids.fill_null("").cast(pl.Binary)
    if width:
        padded = ids.fill_null("").str.pad_end(width, "\0").cast(pl.Binary)
    start = np.uint64(stable_hash(purpose, f"luck {seed}"))
    mixed = np.full(len(ids), start) ^ lengths.astype(np.uint64)
    for place in range(0, width, _WORD):
        word = padded.bin.slice(place, _WORD).bin.reinterpret(dtype=pl.UInt64, endianness="little")
        # A shorter id does not notice how long the others of the batch are.
        mixed = np.where(lengths > place, _mix(mixed ^ word.to_numpy()), mixed)
    return (_mix(mixed) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = values + _STEP
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    mixed: NDArray[np.uint64] = values ^ (values >> np.uint64(31))
    return mixed
