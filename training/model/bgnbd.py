"""BG/NBD: how likely a customer is to order no more for a while, from the rhythm of orders alone.

Orders come by chance at a customer's own rate, and after each one the customer may leave for good;
rates and inclinations to leave differ between customers (Fader, Hardie and Lee 2005, "Counting Your
Customers the Easy Way", Marketing Science 24(2)). All times are in days.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# Logarithms of likelihood ratios beyond this are certain either way.
CERTAIN = 500.0


@dataclass(frozen=True)
class Rhythms:
    """What is told of each customer, [customers]: repeat orders, days from the first order to the
    last and from the first order to now."""

    repeats: Floats
    last: Floats
    age: Floats

    @classmethod
    def of(cls, features: pl.DataFrame) -> Rhythms:
        """From features of the catalog; NaN where somebody has never ordered."""
        orders, first, silence = (
            features.get_column(name).to_numpy()
            for name in ("orders", "days_since_first_order", "days_since_order")
        )
        age = np.maximum(first, silence)
        return cls(repeats=np.maximum(orders - 1, 0.0), last=age - silence, age=age)


@dataclass(frozen=True)
class BgNbd:
    """Order rates are Gamma(r, alpha) a day, chances to leave after a repeat order Beta(a, b)."""

    r: float
    alpha: float
    a: float
    b: float

    @classmethod
    def from_table(cls, table: pl.DataFrame) -> BgNbd:
        """Back from `as_table`."""
        return cls(**table.row(0, named=True))

    def as_table(self) -> pl.DataFrame:
        """One row, as it travels with a model."""
        return pl.DataFrame(asdict(self))

    def alive(self, of: Rhythms) -> Floats:
        """P(has not left yet) [customers].

        Exactly 1 for whoever ordered once, however long ago: by itself a broken score of churn.
        """
        gone = np.log(self.a / (self.b + np.maximum(of.repeats, 1.0) - 1.0)) + (
            self.r + of.repeats
        ) * np.log1p((of.age - of.last) / (self.alpha + of.last))
        left = np.exp(np.clip(gone, -CERTAIN, CERTAIN))
        alive: Floats = np.where(of.repeats > 0, 1.0 / (1.0 + left), 1.0)
        return alive

    def silent(self, of: Rhythms, days: float | Floats) -> Floats:
        """P(no order within the next `days`) [customers], NaN for whoever has never ordered.

        Either gone, or still there and silent all the same.
        """
        orders = -np.expm1(-(self.r + of.repeats) * np.log1p(days / (self.alpha + of.age)))
        silent: Floats = 1.0 - self.alive(of) * orders
        return silent
