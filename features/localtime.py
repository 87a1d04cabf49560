"""The one place where UTC becomes local time."""

from __future__ import annotations

from functools import lru_cache

import polars as pl

from features.errors import SettingsError
from features.people import as_known


@lru_cache(maxsize=4096)
def is_zone(name: str) -> bool:
    """Whether Polars can convert to this zone (its list is its own, not the system's)."""
    try:
        pl.select(pl.lit(0).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(name))
    except pl.exceptions.ComputeError:
        return False
    return name != ""


def with_local(frame: pl.DataFrame, column: str, *, zone_column: str, default: str) -> pl.DataFrame:
    """Add `local_<column>` (naive, by the clock on the customer's wall) and `zone_known`.

    Where the zone is null or unheard of, `default` is used and `zone_known` is false.
    """
    _check_default(default)
    is_known = _is_known(frame.get_column(zone_column)).fill_null(False)
    marked = frame.with_columns(zone_known=is_known).with_columns(
        __zone=pl.when("zone_known").then(zone_column).otherwise(pl.lit(default))
    )
    local = f"local_{column}"
    zones = marked.get_column("__zone").unique().to_list()
    if len(zones) <= 1:
        return marked.with_columns(_local(column, *(zones or [default])).alias(local)).drop(
            "__zone"
        )
    # Polars converts a whole column to one zone, so each zone's rows are converted by themselves.
    parts = [
        part.with_columns(_local(column, zone).alias(local))
        for (zone,), part in marked.with_row_index("__place").group_by("__zone")
    ]
    return pl.concat(parts).sort("__place").drop("__place", "__zone")


def timezones_of(customers: pl.DataFrame, spine: pl.DataFrame, default: str) -> pl.DataFrame:
    """The spine with `timezone` (always one that can be converted to) and `zone_known`.

    The zone is the one known at `as_of`: a customer who moves later has not moved yet.
    """
    _check_default(default)
    said = as_known(customers, spine).select(*spine.columns, "timezone")
    is_known = _is_known(said.get_column("timezone")).fill_null(False)
    return said.with_columns(zone_known=is_known).with_columns(
        timezone=pl.when("zone_known").then("timezone").otherwise(pl.lit(default))
    )


def _is_known(zones: pl.Series) -> pl.Expr:
    known = [zone for zone in zones.unique().drop_nulls().to_list() if is_zone(zone)]
    return pl.col(zones.name).is_in(known)


def _local(column: str, zone: str) -> pl.Expr:
    return pl.col(column).dt.convert_time_zone(zone).dt.replace_time_zone(None)


def _check_default(default: str) -> None:
    if not is_zone(default):
        raise SettingsError(
            f"[features] default_timezone is {default!r}, which is no time zone; "
            'type one of the IANA list, for example "America/New_York"'
        )
