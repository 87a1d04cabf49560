"""Luck that belongs to an id: the same id draws the same number, whoever asks and in what order."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.hashing import stable_hash
from pipelines.simulator.arrays import Floats
from pipelines.simulator.splitmix import mixed, uniform

_WORD = 8  # bytes


def luck(ids: pl.Series, purpose: str, *, seed: int) -> Floats:
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
    state = np.full(len(ids), start) ^ lengths.astype(np.uint64)
    for place in range(0, width, _WORD):
        word = padded.bin.slice(place, _WORD).bin.reinterpret(dtype=pl.UInt64, endianness="little")
        # A shorter id does not notice how long the others of the batch are.
        state = np.where(lengths > place, mixed(state ^ word.to_numpy()), state)
    return uniform(mixed(state))
