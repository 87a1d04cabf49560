"""What the affinity models learn from: candidates of customers at moments, ordered or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from features.items import Item, items_as_of, popularity_as_of
from features.settings import FeatureSettings
from training.affinity_labels import ordered_after
from training.model.items import KEY, candidate_items
from training.settings import AffinitySettings
from training.snapshots import spine_of

TREND_DAYS = 28
# Whose popularity is known. Further down a list, items are bought by few, and looking each of them
# up at every decision would cost more time than it saves in log-loss (none, with 38,000 products).
MOST_KNOWN = 5_000


@dataclass(frozen=True, eq=False)
class Cases:
    """Candidates with `label` (1.0 = ordered within the horizon), and all that was ordered.

    `ordered` also holds what was no candidate (customer_id, as_of, item), with `repeat`: whether
    the customer had ordered the item before.
    """

    candidates: pl.DataFrame
    ordered: pl.DataFrame


def cases_at(
    history: pl.DataFrame,
    dates: Iterable[datetime],
    *,
    item: Item,
    known_until: datetime,
    settings: AffinitySettings,
    feature_settings: FeatureSettings,
) -> Cases:
    """Everybody who had ordered by each date, or a sample of them if they are too many."""
    spine = spine_of(history, dates)
    most = settings.examples // (settings.own_candidates + settings.popular_candidates)
    if spine.height > most:
        spine = spine.sample(most, seed=settings.seed).sort("as_of", "customer_id")
    items = items_as_of(history, spine, item=item, settings=feature_settings)
    candidates = pl.concat(
        candidate_items(
            items.filter(pl.col("as_of") == as_of),
            popular_items(history, as_of, item=item, settings=settings),
            some,
            most_own=settings.own_candidates,
            most_popular=settings.popular_candidates,
        ).drop("place")
        for (as_of,), some in spine.group_by("as_of", maintain_order=True)
        if isinstance(as_of, datetime)
    )
    ordered = ordered_after(
        history,
        spine,
        item=item,
        horizon=timedelta(days=settings.horizon_days),
        known_until=known_until,
    )
    pair = [*KEY, "item"]
    labels = ordered.with_columns(label=pl.lit(1.0))
    return Cases(
        candidates=candidates.join(labels, on=pair, how="left", maintain_order="left").with_columns(
            pl.col("label").fill_null(0.0)
        ),
        ordered=ordered.join(
            items.select(*pair, repeat=pl.col("days_since_order").is_not_null()),
            on=pair,
            how="left",
        ).with_columns(pl.col("repeat").fill_null(False)),
    )


def popular_items(
    history: pl.DataFrame, as_of: datetime, *, item: Item, settings: AffinitySettings
) -> pl.DataFrame:
    """item, rank, popularity, trend, habit (see training.model.items), the most popular first,
    and no more than MOST_KNOWN of them.
    """
    days = settings.popular_days
    sold = popularity_as_of(history, as_of, item=item, days=days)
    lately = popularity_as_of(history, as_of, item=item, days=TREND_DAYS)
    # Who has bought anything counts, so that a growing shop does not seem to like all its items.
    everyone = history.filter(
        pl.col("kind") == "order",
        pl.col("at") < as_of,
        pl.col("at") >= as_of - timedelta(days=days),
        pl.col("known_at") <= as_of,
    ).get_column("customer_id")
    customers = pl.col("customers").cast(pl.Float64)
    return (
        sold.head(MOST_KNOWN)
        .join(
            lately.select("item", recent="customers"), on="item", how="left", maintain_order="left"
        )
        .select(
            "item",
            "rank",
            popularity=customers.log() - pl.lit(max(1, everyone.n_unique())).log(),
            # In tenths: finer steps are chance, by which trees would tell one item from another.
            trend=((pl.col("recent").fill_null(0) + 1).log() - (customers + 1).log()).round(1),
            habit=pl.col("orders") / customers,
        )
    )
