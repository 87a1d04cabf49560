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
    marked = _marked(frame, zone_column, default)
    local = local_of(marked.get_column(column), marked.get_column("__zone"))
    return marked.with_columns(local.alias(f"local_{column}")).drop("__zone")


def local_of(times: pl.Series, zones: pl.Series) -> pl.Series:
    """Each time (UTC) by the clock of its own zone, naive; every zone has to be one."""
    distinct = zones.unique().to_list()
    if len(distinct) == 1:
        return _local(times, distinct[0])
    # Polars converts a whole column to one zone, so each zone's times are converted by themselves.
    placed = pl.DataFrame({"time": times, "zone": zones}).with_row_index("place")
    parts = [
        part.select("place", _local(part.get_column("time"), zone))
        for (zone,), part in placed.partition_by("zone", as_dict=True).items()
    ]
    empty = pl.DataFrame(schema={"place": pl.UInt32, "time": pl.Datetime("us")})
    return pl.concat([empty, *parts]).sort("place").get_column("time")


def timezones_of(customers: pl.DataFrame, spine: pl.DataFrame, default: str) -> pl.DataFrame:
    """The spine with `timezone` (always one that can be converted to) and `zone_known`.

    The zone is the one known at `as_of`: a customer who moves later has not moved yet.
    """
    said = as_known(customers, spine).select(*spine.columns, "timezone")
    return _marked(said, "timezone", default).drop("timezone").rename({"__zone": "timezone"})


def _marked(frame: pl.DataFrame, zone_column: str, default: str) -> pl.DataFrame:
    """Add `zone_known` and `__zone`, the zone that is used."""
    if not is_zone(default):
        raise SettingsError(
            f"[features] default_timezone is {default!r}, which is no time zone; "
            'type one of the IANA list, for example "America/New_York"'
        )
    distinct = frame.get_column(zone_column).unique().to_list()
    known = [zone for zone in distinct if zone is not None and is_zone(zone)]
    is_known = pl.col(zone_column).is_in(known).fill_null(False)
    zone = pl.when(is_known).then(zone_column).otherwise(pl.lit(default))
    return frame.with_columns(is_known.alias("zone_known"), zone.alias("__zone"))


def _local(times: pl.Series, zone: str) -> pl.Series:
    return times.dt.convert_time_zone(zone).dt.replace_time_zone(None)
