"""The one road from events to features: many dates for training, one night, one live request."""

from __future__ import annotations

from typing import get_args

import polars as pl

from features.catalog import CATALOG
from features.feature import Grain
from features.lifecycle import STEPS
from features.past import Past, past_of, portions
from features.segments import SEGMENTS, STAGES, first_that_applies
from features.settings import FeatureSettings
from features.touched import items_of
from features.views import acts_of


def features_as_of(
    history: pl.DataFrame,
    spine: pl.DataFrame,
    customers: pl.DataFrame,
    *,
    settings: FeatureSettings,
) -> pl.DataFrame:
    """One row per spine row, in its order: customer_id, as_of, timezone, zone_known, the CATALOG,
    segment and stage.

    From what happened before `as_of` and was known by then. The answer for a customer does not
    depend on who else is asked for, on the order of rows or on rows given twice.
    """
    described = [
        features_of(
            past_of(
                history,
                portion,
                customers,
                default_timezone=settings.default_timezone,
                limit=settings.newest_events,
            ),
            settings=settings,
        )
        for portion in portions(history, spine)
    ]
    return spine.select("customer_id", "as_of").join(
        pl.concat(described), on=["customer_id", "as_of"], how="left", maintain_order="left"
    )


def features_of(past: Past, *, settings: FeatureSettings) -> pl.DataFrame:
    """`features_as_of` for a past that is there already: one row per distinct spine row."""
    views = {
        "acts": acts_of(past),
        "products": items_of(past, "product_id"),
        "categories": items_of(past, "category"),
    }
    described = past.rows
    for grain, view in views.items():
        values = view.group_by("row").agg(_AGGREGATED[grain])
        if values.height == described.height:  # everybody has some: no need to look
            described = described.hstack(values.sort("row").drop("row"))
        else:
            described = described.join(values, on="row", how="left", maintain_order="left")
    described = described.with_columns(_WITHOUT_HISTORY)
    for step in STEPS:
        described = described.with_columns(step)
    return (
        described.with_columns(_AGGREGATED["customer"])
        .with_columns(
            segment=first_that_applies(SEGMENTS, settings=settings),
            stage=first_that_applies(STAGES, settings=settings),
        )
        .select(_COLUMNS)
    )


def _expressions(grain: Grain) -> list[pl.Expr]:
    described = [
        feature.expression.alias(feature.name) for feature in CATALOG if feature.grain == grain
    ]
    return described if grain == "customer" else [*described, pl.len().alias(_lines_of(grain))]


def _lines_of(grain: Grain) -> str:
    return f"lines of {grain}"


def _without_history() -> list[pl.Expr]:
    """Values for rows without a line; a null that came of lines means "unknown" and stays."""
    return [
        pl.when(pl.col(_lines_of(feature.grain)).is_not_null())
        .then(feature.name)
        .otherwise(pl.lit(feature.when_no_history))
        .alias(feature.name)
        for feature in CATALOG
        if feature.when_no_history is not None and feature.grain != "customer"
    ]


# Made once: building and reading expressions is most of the price of asking for one customer.
_AGGREGATED = {grain: _expressions(grain) for grain in get_args(Grain)}
_WITHOUT_HISTORY = _without_history()
_COLUMNS = [
    "customer_id",
    "as_of",
    "timezone",
    "zone_known",
    *(feature.name for feature in CATALOG),
    "segment",
    "stage",
]
