"""Luck that belongs to a customer and a day, so that two policies meet the same one."""

from __future__ import annotations

import numpy as np

from features.hashing import stable_hash
from pipelines.simulator.arrays import DAY, Floats, Ints
from pipelines.simulator.splitmix import mixed, uniform


def thrown(purpose: str, customer: Ints, at: Ints, *, seed: int) -> Floats:
    """A uniform number in [0, 1) for each customer and UTC day of `at` (microseconds)."""
    start = np.uint64(stable_hash(purpose, f"dice {seed}"))
    by_customer = mixed(customer.astype(np.uint64) ^ start)
    return uniform(mixed(by_customer ^ (at // DAY).astype(np.uint64)))


def generator(purpose: str, seed: int, number: int = 0) -> np.random.Generator:
    """A stream of its own for each purpose, seed and number."""
    return np.random.default_rng([stable_hash(purpose, "generator"), seed, number])
