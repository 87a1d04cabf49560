"""What came out when: read off a shelf once, for all who ask while it is the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from features.history import category_of


@dataclass(frozen=True, eq=False)
class Same:
    """One very frame: its contents are not compared."""

    frame: pl.DataFrame

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.frame is self.frame

    def __hash__(self) -> int:
        return id(self.frame)


def new_products(shelf: pl.DataFrame, *, category_depth: int) -> pl.DataFrame:
    """What is on the shelf (PRODUCTS) and has a date of release: product_id, category (cut to that
    depth), released_at."""
    return _new_products(Same(shelf), category_depth)


@lru_cache(maxsize=4)
def _new_products(shelf: Same, category_depth: int) -> pl.DataFrame:
    return shelf.frame.filter("available", pl.col("released_at").is_not_null()).select(
        "product_id", "released_at", category=category_of("category", depth=category_depth)
    )
