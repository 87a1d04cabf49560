"""A customer's own items, the most interesting first, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.model.known import UNIT, Floats, Ints, Known

KEY = ("customer_id", "as_of")
# Of the customer and the item, from features.items; zero where the customer never touched it.
COUNTS = (
    "orders_28d", "orders_91d", "orders_365d", "weight_30d", "weight_120d", "views_28d",
    "carts_28d", "share_365d",
)  # fmt: skip
# Null where there is nothing to measure: never ordered, never viewed, ordered but once.
SPANS = ("days_since_order", "days_since_view", "gap_days", "due_ratio")
# How much a customer likes an item, before anything else is known.
INTERESTS = ("weight_120d", "views_28d", "carts_28d")
# How many of the own items say which others the customer may like, the heaviest first.
SPEAKING = 12
# Viewed within so many days, or in the cart within 28: on their mind.
ON_MIND_DAYS = 7.0


@dataclass(frozen=True, eq=False)
class Own:
    """Rows by `place` (of the spine row), the most interesting item of each place first.

    `code` is the item's of Known; from `count` of Known on, it is one of `strange`, which the
    model does not know. `weights` are the orders that fade, in units of 1 / UNIT. `speaks`: whether
    the item says which others the customer may like; `on_mind`: ordered last, viewed or carted.
    Of each place: `last_order` (days; infinite if never), `orders` of a year, `items`.
    """

    place: Ints
    code: Ints
    strange: pl.Series
    counts: Floats
    spans: Floats
    weights: Ints
    is_known: NDArray[np.bool_]
    speaks: NDArray[np.bool_]
    on_mind: NDArray[np.bool_]
    last_order: Floats
    orders: Floats
    items: Floats

    def count(self, name: str) -> Floats:
        """One of COUNTS."""
        return self.counts[:, COUNTS.index(name)]

    def span(self, name: str) -> Floats:
        """One of SPANS."""
        return self.spans[:, SPANS.index(name)]


def own_items(items: pl.DataFrame, spine: pl.DataFrame, known: Known, *, most: int) -> Own:
    """The first `most` of each spine row's items: by orders that fade, then carts and views."""
    place = _places(items, spine)
    here = place >= 0
    if not here.all():
        items, place = items.filter(here), place[here]
    interest = sum((items.get_column(name).to_numpy() for name in INTERESTS), np.zeros(len(place)))
    order = np.argsort(-interest, kind="stable")  # of equal interest in alphabetical order
    order = order[np.argsort(place[order].astype(_narrowest(spine.height)), kind="stable")]
    place = place[order]
    standing = np.arange(len(place)) - np.searchsorted(place, place)
    first = standing < most
    order, place, standing = order[first], place[first], standing[first]
    numbers = np.empty((len(order), len(COUNTS) + len(SPANS)))
    for column, name in enumerate((*COUNTS, *SPANS)):
        numbers[:, column] = items.get_column(name).to_numpy()[order]
    code, strange = _codes(items.get_column("item")[order], known)
    counts, spans = np.hsplit(numbers, [len(COUNTS)])
    days, viewed = (spans[:, SPANS.index(name)] for name in ("days_since_order", "days_since_view"))
    last = np.full(spine.height, np.inf)
    np.minimum.at(last, place, np.nan_to_num(days, nan=np.inf))
    is_known = code < known.count
    return Own(
        place=place,
        code=code,
        strange=strange,
        counts=counts,
        spans=spans,
        weights=np.rint(UNIT * counts[:, COUNTS.index("weight_120d")]).astype(np.int64),
        is_known=is_known,
        speaks=is_known & (standing < SPEAKING),
        on_mind=(days == last[place])
        | (counts[:, COUNTS.index("carts_28d")] > 0)
        | (viewed <= ON_MIND_DAYS),
        last_order=last,
        orders=_orders(place, counts, spine.height),
        items=np.bincount(place, minlength=spine.height).astype(np.float64),
    )


def _narrowest(count: int) -> type[np.uint16 | np.int64]:
    """Numbers of 16 bits are sorted a hundred times as fast."""
    return np.uint16 if count < 2**16 else np.int64


def _places(items: pl.DataFrame, spine: pl.DataFrame) -> Ints:
    """The place of the spine row of each row of `items`, -1 where it has none.

    Rows of one customer and moment stand together, as features.items writes them: only the first of
    them is looked up.
    """
    if items.is_empty():
        return np.zeros(0, dtype=np.int64)
    customer, moment = items.get_column("customer_id"), items.get_column("as_of").to_physical()
    moved = np.flatnonzero(
        (customer[1:] != customer[:-1]).to_numpy() | (moment[1:] != moment[:-1]).to_numpy()
    )
    starts = np.append(0, moved + 1)
    asked = zip(
        spine.get_column("customer_id"), spine.get_column("as_of").to_physical(), strict=True
    )
    place = {row: number for number, row in enumerate(asked)}
    met = zip(customer[starts], moment[starts], strict=True)
    found = np.array([place.get(row, -1) for row in met], dtype=np.int64)
    return np.repeat(found, np.diff(starts, append=items.height))


def _codes(names: pl.Series, known: Known) -> tuple[Ints, pl.Series]:
    """The code of each item, and the names of those that are not known, in order."""
    get = known.codes.get
    texts = names.to_list()
    code = np.array([get(name, -1) for name in texts], dtype=np.int64)
    unknown = np.flatnonzero(code < 0)
    strange = sorted({texts[row] for row in unknown})
    number = {name: place for place, name in enumerate(strange, start=known.count)}
    code[unknown] = [number[texts[row]] for row in unknown]
    return code, pl.Series("item", strange, dtype=pl.String)


def _orders(place: Ints, counts: Floats, places: int) -> Floats:
    """Orders of a year: whoever has ordered an item knows which share of them held it."""
    share = counts[:, COUNTS.index("share_365d")]
    of_item = np.rint(counts[:, COUNTS.index("orders_365d")] / np.where(share > 0, share, 1.0))
    orders = np.zeros(places)
    np.maximum.at(orders, place, of_item)
    return orders
