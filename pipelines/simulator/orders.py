"""All orders that customers place by themselves, found by customer and time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.simulator.arrays import Ints

# A key is a customer and milliseconds: 40 bits last 34 years, 23 are left for customers.
BITS = 40
MILLISECOND = 1000


@dataclass(frozen=True)
class Orders:
    """Sorted by customer and time; also those before the history and after the evaluation.

    `first` says where each customer's begin (one more entry than customers).
    """

    customer: Ints
    at: Ints
    cents: Ints
    refunded_at: Ints  # NEVER if it is kept
    first: Ints
    keys: Ints
    earliest: int

    def next_after(self, customer: Ints, at: Ints) -> Ints:
        """The number of each customer's first order after those times, -1 if there is none."""
        found = np.searchsorted(self.keys, _keys(customer, at, self.earliest), side="right")
        return np.where(found < self.first[customer + 1], found, -1)

    def last_before(self, customer: Ints, at: Ints, *, otherwise: Ints) -> Ints:
        """When each customer's last order before those times was, `otherwise` if there is none."""
        found = np.searchsorted(self.keys, _keys(customer, at, self.earliest), side="left") - 1
        is_there = found >= self.first[customer]
        return np.where(is_there, self.at[np.maximum(found, 0)], otherwise)


def orders_of(
    customer: Ints, at: Ints, cents: Ints, refunded_at: Ints, *, customers: int
) -> Orders:
    """Orders of columns that are sorted by customer and time."""
    earliest = int(at.min()) if len(at) else 0
    first = np.searchsorted(customer, np.arange(customers + 1))
    keys = _keys(customer, at, earliest)
    return Orders(customer, at, cents, refunded_at, first, keys, earliest)


def _keys(customer: Ints, at: Ints, earliest: int) -> Ints:
    return (customer << BITS) + np.clip((at - earliest) // MILLISECOND, 0, 2**BITS - 1)
