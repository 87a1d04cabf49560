"""Where candidates come from beside a customer's own items. Whole numbers only are summed."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.feature import DAY
from features.shelf import new_products
from training.model.known import UNIT, Floats, Ints, Known, Links
from training.model.own_items import Own

# How many tastes a customer is a mixture of.
MIXED = 4
# A product is new for so long after its release: till then its own orders are too few to rank it
# by. E-mails call new what is younger than a season (serving.shelf_facts).
NEW_DAYS = 28
# New products come from so many of the customer's categories, the favourite first.
FAVOURED = 3


def linked(
    own: Own, worth: Ints, speaks: NDArray[np.bool_], links: Links, stride: int
) -> tuple[Ints, Ints]:
    """Neighbours of the items that speak: keys (place * stride + code), rising, and their sums."""
    code = own.code[speaks]
    keys = (own.place[speaks, None] * stride + links.codes[code]).ravel()
    sums = (worth[speaks, None] * links.weights[code]).ravel()
    return summed(keys[sums > 0], sums[sums > 0])


def distinct(keys: Ints) -> Ints:
    """Each key once, rising; sorting numbers is several times as fast as hashing them."""
    rising: Ints = np.sort(keys)
    return rising[_starts(rising)]


def summed(keys: Ints, numbers: Ints) -> tuple[Ints, Ints]:
    """Distinct keys, rising, and the sum of the numbers of each."""
    if not len(keys):
        return keys, numbers
    order = np.argsort(keys)
    keys = keys[order]
    starts = _starts(keys)
    return keys[starts], np.add.reduceat(numbers[order], starts)


def _starts(rising: Ints) -> Ints:
    """Where each run of equal numbers starts."""
    return np.flatnonzero(np.diff(rising, prepend=rising[:1] - 1))


def mixture_of(own: Own, known: Known, places: int) -> Ints:
    """The MIXED tastes nearest to each place [places, at most MIXED]; everybody's where none is."""
    tastes = known.directions.shape[1]
    if not tastes:
        return np.zeros((places, 1), dtype=np.int64)
    near = np.zeros((places, tastes), dtype=np.int64)
    if own.is_known.any():
        place, code = own.place[own.is_known], own.code[own.is_known]
        # Liking something twice as much is not twice the taste.
        liking = np.rint(UNIT * np.log1p(own.weights[own.is_known] / UNIT)).astype(np.int64)
        starts = _starts(place)
        near[place[starts]] = np.add.reduceat(
            liking[:, None] * known.directions[code], starts, axis=0
        )
    mixture = np.argsort(-near, axis=1, kind="stable")[:, :MIXED]
    resembles = np.take_along_axis(near, mixture, axis=1) > 0
    return np.where(resembles, mixture, tastes)


def of_categories(own: Own, known: Known) -> tuple[Ints, Ints]:
    """Keys (place * categories + category), rising, and the weight of the own items in each."""
    category = known.categories[own.code[own.is_known]]
    has_one = category >= 0
    keys = own.place[own.is_known] * len(known.category_codes) + category
    return summed(keys[has_one], own.weights[own.is_known][has_one])


def looked_up(wanted: Ints, keys: Ints, numbers: Ints) -> Floats:
    """The number of each wanted key, 0 where it is not among the (rising) keys."""
    if not len(keys):
        return np.zeros(len(wanted))
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found: Floats = np.where(keys[at] == wanted, numbers[at], 0).astype(np.float64)
    return found


def newcomers(
    shelf: pl.DataFrame | None, spine: pl.DataFrame, known: Known, *, depth: int
) -> pl.DataFrame:
    """Products released within NEW_DAYS before some `as_of`: item, category (code), released_at."""
    empty: dict[str, pl.DataType] = {
        "item": pl.String(),
        "category": pl.Int64(),
        "released_at": pl.Datetime("us", "UTC"),
    }
    if shelf is None or spine.is_empty() or not known.category_codes:
        return pl.DataFrame(schema=empty)
    released = new_products(shelf, category_depth=depth)
    if released.is_empty():
        return pl.DataFrame(schema=empty)
    moments, new = spine.get_column("as_of"), pl.duration(days=NEW_DAYS)
    recent = released.filter(
        pl.col("released_at") <= moments.max(),
        pl.col("released_at") > pl.lit(moments.min()) - new,
    )
    codes = [known.category_codes.get(name, -1) for name in recent.get_column("category")]
    return (
        recent.select(
            pl.col("product_id").alias("item"),
            pl.Series("category", codes, dtype=pl.Int64),
            "released_at",
        )
        .filter(pl.col("category") >= 0)
        .sort("category", "item")
    )


def new_in_favoured(
    new: pl.DataFrame, spine: pl.DataFrame, keys: Ints, weights: Ints, categories: int
) -> tuple[Ints, Ints]:
    """(place, row of `new`) of what is new in each place's FAVOURED categories at its `as_of`."""
    nothing = np.zeros(0, dtype=np.int64)
    if new.is_empty() or not len(keys):
        return nothing, nothing
    place, category = keys // categories, keys % categories
    order = np.lexsort((category, -weights, place))
    place, category = place[order], category[order]
    first = np.arange(len(place)) - np.searchsorted(place, place) < FAVOURED
    place, category = place[first], category[first]
    of_new = new.get_column("category").to_numpy()
    start = np.searchsorted(of_new, category, side="left")
    end = np.searchsorted(of_new, category, side="right")
    count = end - start
    places = np.repeat(place, count)
    rows = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    rows += np.repeat(start, count)
    released = new.get_column("released_at").dt.epoch("us").to_numpy()[rows]
    moment = spine.get_column("as_of").dt.epoch("us").to_numpy()[places]
    is_new = (released <= moment) & (released > moment - NEW_DAYS * DAY)
    return places[is_new], rows[is_new]
