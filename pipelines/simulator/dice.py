"""Luck that belongs to a customer and a day, so that two policies meet the same one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.hashing import stable_hash
from pipelines.simulator.arrays import DAY, Floats, Ints

# The finaliser of SplitMix64 (Steele, Lea, Flood 2014), counter-based: no state, no order.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def thrown(purpose: str, customer: Ints, at: Ints, *, seed: int) -> Floats:
    """A uniform number in [0, 1) for each customer and UTC day of `at` (microseconds)."""
    start = np.uint64(stable_hash(purpose, f"dice {seed}"))
    by_customer = _mix(customer.astype(np.uint64) ^ start)
    mixed = _mix(by_customer ^ (at // DAY).astype(np.uint64))
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def generator(purpose: str, seed: int, number: int = 0) -> np.random.Generator:
    """A stream of its own for each purpose, seed and number."""
    return np.random.default_rng([stable_hash(purpose, "generator"), seed, number])


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = values + _STEP
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    mixed: NDArray[np.uint64] = values ^ (values >> np.uint64(31))
    return mixed
