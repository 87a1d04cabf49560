"""The one road from events to features: many dates for training, one night, one live request."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.catalog import CATALOG
from features.feature import Feature, Grain
from features.lifecycle import STEPS
from features.lines import Lines, Reading, needs_of
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
    views: dict[Grain, pl.DataFrame] = {
        "acts": acts_of(past),
        "products": items_of(past, "product_id"),
        "categories": items_of(past, "category"),
    }
    read: dict[str, NDArray[np.float64] | pl.Series] = {}
    for grain, view in views.items():
        read |= _read(Lines(view, past.rows.height, _NEEDS[grain]), _OF_LINES[grain])
    described = past.rows.hstack(pl.DataFrame(read, nan_to_null=True))
    for step in STEPS:
        described = described.with_columns(step)
    return (
        described.with_columns(_OF_CUSTOMER)
        .with_columns(
            segment=first_that_applies(SEGMENTS, settings=settings),
            stage=first_that_applies(STAGES, settings=settings),
        )
        .select(_COLUMNS)
    )


def _read(
    lines: Lines, features: list[tuple[Feature, Reading]]
) -> dict[str, NDArray[np.float64] | pl.Series]:
    """The features of each row; a null that came of lines means "unknown" and stays, whatever a
    feature is without any."""
    nobody = lines.is_nobody
    found = {}
    for feature, reading in features:
        values = reading.read(lines)
        if nobody.any():
            if isinstance(values, pl.Series):
                values = values.set(pl.Series(nobody), feature.when_no_history)
            else:
                none = feature.when_no_history
                values[nobody] = np.nan if none is None else none
        found[feature.name] = values
    return found


def _readings_of(grain: Grain) -> list[tuple[Feature, Reading]]:
    return [
        (feature, feature.found_by)
        for feature in CATALOG
        if feature.grain == grain and isinstance(feature.found_by, Reading)
    ]


# Made once: building and reading expressions is most of the price of asking for one customer.
_GRAINS: tuple[Grain, ...] = ("acts", "products", "categories")
_OF_LINES = {grain: _readings_of(grain) for grain in _GRAINS}
_NEEDS = {
    grain: needs_of(reading for _, reading in readings) for grain, readings in _OF_LINES.items()
}
_OF_CUSTOMER = [
    feature.found_by.alias(feature.name)
    for feature in CATALOG
    if isinstance(feature.found_by, pl.Expr)
]
_COLUMNS = [
    "customer_id",
    "as_of",
    "timezone",
    "zone_known",
    *(feature.name for feature in CATALOG),
    "segment",
    "stage",
]
