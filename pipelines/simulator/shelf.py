"""The simulated shop's products, and how people choose among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.tables import PRODUCTS
from pipelines.simulator.arrays import DAY, Flags, Floats, Ints, moment
from pipelines.simulator.dice import generator

CATEGORIES = (
    "Coffee > Beans", "Coffee > Capsules", "Tea > Loose", "Tea > Bags", "Kitchen > Knives",
    "Kitchen > Pans", "Kitchen > Storage", "Home > Candles", "Home > Textiles", "Home > Light",
    "Garden > Seeds", "Garden > Tools", "Care > Hair", "Care > Skin", "Pets > Dogs", "Pets > Cats",
)  # fmt: skip
PER_CATEGORY = 40
MEDIAN_PRICE = (9, 7, 8, 5, 35, 40, 15, 12, 28, 45, 4, 22, 11, 16, 18, 14)
BRANDS = ("Aldan", "Borea", "Corvin", "Dahl", "Ester", "Fjord")
CURRENCY = "USD"
# Within a category, the product of rank k is chosen in proportion to 1 / k^ZIPF.
ZIPF = 0.9


@dataclass(frozen=True)
class Shelf:
    """Products by number: those of category k are k x PER_CATEGORY to (k + 1) x PER_CATEGORY - 1.

    `frame` is the PRODUCTS table in the same order; `dear` and `cheap` are the expected prices (in
    units of the currency) of one product drawn by popularity and of the cheaper one of two, by
    category.
    """

    frame: pl.DataFrame
    cents: Ints
    popular: Floats  # cumulative chance by rank, the same in each category
    dear: Floats
    cheap: Floats

    def drawn(self, category: Ints, first: Floats, second: Floats, is_thrifty: Flags) -> Ints:
        """A product of each category: by popularity, the thrifty take the cheaper one of two."""
        one = category * PER_CATEGORY + np.searchsorted(self.popular, first, side="right")
        two = category * PER_CATEGORY + np.searchsorted(self.popular, second, side="right")
        return np.where(is_thrifty & (self.cents[two] < self.cents[one]), two, one)


def category_of(product: Ints) -> Ints:
    return product // PER_CATEGORY


def stocked(begins: int, *, seed: int) -> Shelf:
    """The shelf of a world whose history begins at `begins` (microseconds)."""
    random = generator("shelf", seed)
    shape = (len(CATEGORIES), PER_CATEGORY)
    prices = np.array(MEDIAN_PRICE)[:, None] * random.lognormal(0, 0.45, shape)
    cents = np.rint(100 * np.maximum(prices, 1)).astype(np.int64)
    weights = 1 / np.arange(1, PER_CATEGORY + 1) ** ZIPF
    chance = weights / weights.sum()
    pairs = np.minimum(cents[:, :, None], cents[:, None, :])
    released = begins - random.integers(0, 900, cents.size) * DAY
    names = [f"p{number:04d}" for number in range(cents.size)]
    leaves = [name.rsplit(" ", 1)[1] for name in CATEGORIES]
    frame = pl.DataFrame(
        {
            "product_id": names,
            "title": [
                f"{leaves[number // PER_CATEGORY]} no. {number % PER_CATEGORY + 1} (simulated)"
                for number in range(cents.size)
            ],
            "category": [CATEGORIES[number // PER_CATEGORY] for number in range(cents.size)],
            "brand": [BRANDS[i] for i in random.integers(0, len(BRANDS), cents.size)],
            "price": (cents.ravel() / 100).round(2),
            "currency": CURRENCY,
            "released_at": [moment(int(us)) for us in released],
            "available": True,
        }
    )
    return Shelf(
        frame=PRODUCTS.check(frame),
        cents=cents.ravel(),
        popular=np.cumsum(chance)[:-1],
        dear=cents @ chance / 100,
        cheap=np.einsum("kij,i,j->k", pairs, chance, chance) / 100,
    )
