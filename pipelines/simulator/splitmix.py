"""The finaliser of SplitMix64 (Steele, Lea, Flood 2014): luck from numbers, with no state.

Each bit of the input moves all of the output, so that neighbours have nothing to do with each
other, whoever asks and in what order.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipelines.simulator.arrays import Floats

Words: TypeAlias = NDArray[np.uint64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def mixed(values: Words) -> Words:
    """Other 64 bits for each value, always the same."""
    values = values + _STEP
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    words: Words = values ^ (values >> np.uint64(31))
    return words


def uniform(words: Words) -> Floats:
    """Mixed words as numbers in [0, 1): their upper 53 bits, as many as a float holds."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
