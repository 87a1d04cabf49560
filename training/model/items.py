"""Affinity scores: which categories or products a customer is likely to order next.

A quick score picks the candidates that trees look at; whatever else is listed follows them with the
quick score's own probability. One road for categories and products.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import polars as pl

from training.model.candidates import INPUTS, Candidates, Limits, candidates_of
from training.model.known import Floats, Ints, Known, known_from
from training.model.model import Model, sigmoid
from training.model.own_items import KEY
from training.model.quick import quick_scores

__all__ = ["INPUTS", "KEY", "MEANINGS", "score_items"]

MEANINGS = {
    "orders_28d": "own orders of the item in the last 28 days",
    "orders_91d": "own orders of the item in the last 91 days",
    "orders_365d": "own orders of the item in the last 365 days",
    "weight_30d": "own orders of the item, each half as heavy after 30 days",
    "weight_120d": "own orders of the item, each half as heavy after 120 days",
    "views_28d": "own views of the item in the last 28 days",
    "carts_28d": "how often the customer put the item into the cart in the last 28 days",
    "share_365d": "share of the customer's orders of 365 days that hold the item",
    "days_since_order": "days since the customer last ordered the item",
    "days_since_view": "days since the customer last viewed the item",
    "gap_days": "the customer's mean gap between two orders of the item",
    "due_ratio": "days since the last order of the item over that gap",
    "popularity": "ln of the share of recent customers who ordered the item",
    "trend": "ln of the item's buyers of 28 days over those of the whole recent period",
    "week_trend": "ln of the item's buyers of 7 days over those of the whole recent period",
    "habit": "orders of the item per buyer: how often it is bought again",
    "usual_gap": "days between two orders of the item by one customer, over all customers",
    "liked": "how much those who like the customer's items like this one",
    "together": "how often the item is in one order with what is on the customer's mind",
    "taste": "how much customers of a similar taste order the item",
    "category_weight": "share of the customer's orders, fading, that is of the item's category",
    "usual_due": "days since the last order of the item over everybody's usual gap",
    "last_order": "days since the customer ordered anything",
    "own_orders": "the customer's orders in the last 365 days",
    "own_items": "how many different candidates are the customer's own",
}
# Models in use at a time whose tables are kept as arrays, old ones of a swap among them.
KEPT = 8


def score_items(
    model: Model, items: pl.DataFrame, spine: pl.DataFrame, *, shelf: pl.DataFrame | None
) -> pl.DataFrame:
    """The candidates of each spine row with `probability` of an order and `rank` from 1.

    `items`: features.items of the spine; `shelf`: PRODUCTS, where the items are products.
    Columns: customer_id, as_of, item, probability, rank, due_ratio, days_since_order, own. Rows
    follow the spine, the likeliest item first; a tie goes to the more popular.
    """
    known, limits = _known(model), _limits(model)
    found = listed(
        candidates_of(items, spine, known, shelf=shelf, limits=limits),
        model.tables,
        limits,
    )
    candidates, probability, standing = found
    scored = np.flatnonzero(standing < limits.scored)
    probability[scored] = sigmoid(model.booster.raw(candidates.only(scored).inputs()))
    # Whatever the trees have not looked at comes after all that they have.
    later = standing >= limits.scored
    order = np.lexsort((candidates.code, -probability, later, candidates.place))
    chosen, probability = candidates.only(order), probability[order]
    rank = np.arange(len(order)) - np.searchsorted(chosen.place, chosen.place) + 1
    # Built of whole columns: for one customer, each query would cost as much as all of the above.
    return pl.DataFrame(
        {
            **{name: spine.get_column(name)[chosen.place] for name in KEY},
            "item": chosen.names[chosen.code],
            "probability": pl.Series(probability, dtype=pl.Float64),
            "rank": pl.Series(rank.astype(np.uint32), dtype=pl.UInt32),
            "due_ratio": _nullable(chosen.of_own("due_ratio")),
            "days_since_order": _nullable(chosen.of_own("days_since_order")),
            "own": pl.Series(chosen.mine >= 0, dtype=pl.Boolean),
        }
    )


def listed(
    candidates: Candidates, tables: Mapping[str, pl.DataFrame], limits: Limits
) -> tuple[Candidates, Floats, Ints]:
    """The first `limits.listed` of each place by quick score, its probability, its place from 0.

    Rows by place, the best first; a tie goes to the more popular.
    """
    scores = quick_scores(candidates, tables["quick"])
    order = np.lexsort((-scores, candidates.place))  # of equals, the more popular stays first
    place = candidates.place[order]
    standing = np.arange(len(order)) - np.searchsorted(place, place)
    first = standing < limits.listed
    return candidates.only(order[first]), sigmoid(scores[order[first]]), standing[first]


@lru_cache(maxsize=KEPT)
def _known(model: Model) -> Known:
    return known_from(model.tables)


def _limits(model: Model) -> Limits:
    return Limits(**model.tables["candidates"].row(0, named=True))


def _nullable(numbers: Floats) -> pl.Series:
    return pl.Series(numbers, dtype=pl.Float64, nan_to_null=True)
