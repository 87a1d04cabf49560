"""The one road from events to features: many dates for training, one night, one live request."""

from __future__ import annotations

import polars as pl

from features.catalog import CATALOG, TEXTS
from features.feature import Feature, Grain
from features.past import past_of, rows_of
from features.segments import first_that_applies, segments, stages
from features.settings import FeatureSettings
from features.views import acts_of, items_of


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
    rows = rows_of(spine, customers, default_timezone=settings.default_timezone)
    past = past_of(history, rows, limit=settings.newest_events)
    views: dict[Grain, pl.LazyFrame] = {
        "acts": acts_of(past),
        "products": items_of(past, "product_id"),
        "categories": items_of(past, "category"),
    }
    described = rows.lazy()
    for grain, view in views.items():
        values = view.group_by("row").agg(f.expression.alias(f.name) for f in _of(grain))
        described = described.join(values, on="row", how="left", maintain_order="left")
    filled = (
        described.with_columns(_filled(f) for f in CATALOG if f.grain != "customer")
        .with_columns(_filled(f) for f in _of("customer"))
        .with_columns(
            segment=first_that_applies(segments(settings)),
            stage=first_that_applies(stages(settings)),
        )
        .select(
            "customer_id",
            "as_of",
            "timezone",
            "zone_known",
            *(f.name for f in CATALOG),
            "segment",
            "stage",
        )
        .collect()
    )
    return spine.select("customer_id", "as_of").join(
        filled, on=["customer_id", "as_of"], how="left", maintain_order="left"
    )


def _of(grain: Grain) -> tuple[Feature, ...]:
    return tuple(feature for feature in CATALOG if feature.grain == grain)


def _filled(feature: Feature) -> pl.Expr:
    dtype = pl.String() if feature.name in TEXTS else pl.Float64()
    value = feature.expression if feature.grain == "customer" else pl.col(feature.name)
    value = value.cast(dtype)
    if feature.when_no_history is not None:
        value = value.fill_null(pl.lit(feature.when_no_history, dtype))
    return value.alias(feature.name)
