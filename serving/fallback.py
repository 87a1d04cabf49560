"""What stands in for a model that is not there yet: the merchant's word and the customer's past.

Only what is known of the one customer is read, never who else is asked for in the same call.
"""

from __future__ import annotations

import polars as pl

from serving.tables import KEY

NEWEST_ON_THE_SHELF = 50


def default_hours(spine: pl.DataFrame, default_hour: int, pull: float) -> pl.DataFrame:
    """48 rows per spine row: the nearer an hour is to the default hour, the likelier.

    The shares of a day add up to 1; they say no more than "around the shop's usual hour", and no
    hour is better than that one. The columns are those of training.model.hours.score_hours.
    """
    distance = [min((hour - default_hour) % 24, (default_hour - hour) % 24) for hour in range(24)]
    nearness = [13 - hours for hours in distance]
    lift = [round((near / 13) ** pull, 9) for near in nearness]
    day = pl.DataFrame(
        {
            "hour": range(24),
            "probability": [near / sum(nearness) for near in nearness],
            "lift": lift,
            "lift_low": lift,
        },
        schema_overrides={"hour": pl.Int8},
    ).with_columns(
        pl.lit(None, pl.Float64).alias(whose) for whose in ("customer", "segment", "everyone")
    )
    week = pl.concat([day.with_columns(weekend=pl.lit(weekend)) for weekend in (False, True)])
    return spine.select(KEY).join(
        week.select("weekend", pl.exclude("weekend"), source=pl.lit("default")),
        how="cross",
        maintain_order="left_right",
    )


def own_items_first(
    items: pl.DataFrame, spine: pl.DataFrame, *, shelf: pl.DataFrame | None = None
) -> pl.DataFrame:
    """A customer's own items, the most often and most lately ordered first; then new products.

    The columns of training.model.items.score_items, `probability` null: nobody estimated one.
    """
    ordered = items.sort(
        *KEY, "orders_365d", "days_since_order", "item",
        descending=[False, False, True, False, False], nulls_last=True,
    ).select(*KEY, "item", "due_ratio", "days_since_order", own=pl.lit(True))  # fmt: skip
    found = [ordered]
    if shelf is not None:
        newest = (
            shelf.filter("available")
            .sort("released_at", "product_id", descending=[True, False], nulls_last=True)
            .head(NEWEST_ON_THE_SHELF)
            .select(item="product_id")
        )
        others = spine.select(KEY).join(newest, how="cross", maintain_order="left_right")
        found.append(
            others.join(ordered, on=[*KEY, "item"], how="anti", maintain_order="left").with_columns(
                due_ratio=pl.lit(None, pl.Float64),
                days_since_order=pl.lit(None, pl.Float64),
                own=pl.lit(False),
            )
        )
    return pl.concat(found).select(
        *KEY,
        "item",
        probability=pl.lit(None, pl.Float64),
        rank=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).over(KEY),
        due_ratio="due_ratio",
        days_since_order="days_since_order",
        own="own",
    )
