"""Onje's lists for the next basket: the same candidates, quick score and trees as for products.

Baskets have no dates, so each counts as a week: a customer's last basket lies a week back, the one
before it two, for everybody. Learnt from are each customer's last baskets within the history, as if
they were still to come (an inner leave-last-basket); what is in the future is never seen.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from features.errors import NotReadyError
from features.items import items_as_of
from features.settings import FeatureSettings
from features.tables import HISTORY, PRODUCTS
from pipelines.baskets.read import Baskets
from pipelines.console import Step
from training.affinity import learn_affinity
from training.affinity_cases import AT_A_TIME, Moment, limits_of, moments_of
from training.affinity_tables import tables_as_of
from training.model.candidates import candidates_of
from training.model.items import listed
from training.model.known import known_from
from training.settings import AffinitySettings

WEEK = timedelta(days=7)
NOW = datetime(2000, 1, 3, tzinfo=UTC)
# Nobody waits for an answer here: more is looked at closely than in service.
ROOM = {
    "horizon_days": 7,
    "own_candidates": 300,
    "popular_candidates": 100,
    "scored_candidates": 100,
    "listed_candidates": 100,
    "popular_days": 364,
    "examples": 1_500_000,
}
# A customer's last baskets from which is learnt.
LEARNT = 3
LONGEST = 20_000
DOING = "Onje: learning and listing"


def onje_lists(
    baskets: Baskets, *, top: int, settings: AffinitySettings, features: FeatureSettings, step: Step
) -> pl.DataFrame:
    """customer_id, item, rank (from 1 to `top`) of each customer who is judged."""
    stages = LEARNT + 2
    chosen = settings.model_copy(update=ROOM)
    features = features.model_copy(update={"newest_events": LONGEST})
    history = as_history(baskets.history)
    shelf = PRODUCTS.schema.create_empty()
    moments: list[Moment] = []
    for weeks in range(1, LEARNT + 1):
        step(DOING, weeks - 1, stages)
        date = NOW - weeks * WEEK
        before = history.filter(pl.col("at") < date)
        if before.is_empty():
            break
        moments += moments_of(
            history,
            shelf,
            [date],
            item="product_id",
            known_until=NOW,
            settings=chosen.model_copy(update={"examples": chosen.examples // LEARNT}),
            feature_settings=features,
        )
    if not moments:
        raise NotReadyError(
            "every customer has one basket in history.parquet, so there is no next basket to learn "
            "from; bring customers with two or more"
        )
    limits = limits_of(chosen, features)
    step(DOING, LEARNT, stages)
    learnt = learn_affinity(moments, limits, chosen)
    step(DOING, LEARNT + 1, stages)
    known = known_from(tables_as_of(history, NOW, item="product_id", settings=chosen))
    spine = (
        baskets.future.select("customer_id")
        .unique()
        .sort("customer_id")
        .with_columns(as_of=pl.lit(NOW).cast(pl.Datetime("us", "UTC")))
    )
    parts = []
    for start in range(0, spine.height, AT_A_TIME):
        some = spine[start : start + AT_A_TIME]
        items = items_as_of(
            history.join(some.select("customer_id"), on="customer_id"),
            some,
            item="product_id",
            settings=features,
        )
        found = candidates_of(items, some, known, shelf=None, limits=limits)
        first, _, standing = listed(found, {"quick": learnt.quick}, limits)
        scores = learnt.booster.raw(first.inputs())
        order = np.lexsort((first.code, -scores, first.place))
        place = first.place[order]
        rank = np.arange(len(order)) - np.searchsorted(place, place) + 1
        keep = rank <= top
        parts.append(
            some.select("customer_id")[place[keep]].with_columns(
                item=first.names.gather(first.code[order[keep]]),
                rank=pl.Series(rank[keep], dtype=pl.Int64),
            )
        )
    step(DOING, stages, stages)
    return pl.concat(parts)


def as_history(history: pl.DataFrame) -> pl.DataFrame:
    """HISTORY of baskets (customer_id, back, item), a basket a week, the last one a week ago."""
    at = pl.lit(NOW) - pl.duration(weeks="back")
    return HISTORY.shape(
        history.with_row_index("row").select(
            "customer_id",
            event_id=pl.col("row").cast(pl.String),
            at=at.cast(pl.Datetime("us", "UTC")),
            known_at=at.cast(pl.Datetime("us", "UTC")),
            kind=pl.lit("order"),
            channel=pl.lit("web"),
            order_id=pl.col("back").cast(pl.String),
            product_id="item",
        )
    )
