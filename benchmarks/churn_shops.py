"""The shops of the churn benchmark: two real ones, and a simulated one that somebody published."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from features.history import to_history
from features.settings import FeatureSettings
from features.tables import CUSTOMERS, HISTORY
from pipelines.ingest import completejourney
from pipelines.ingest.mapping_file import load_mapping
from pipelines.ingest.table import read_table
from training.trained import About

ROOT = Path(__file__).parents[1]
ORIGIN = About(
    lake_versions={},
    code_version="benchmark",
    trained_at=datetime(1970, 1, 1, tzinfo=UTC),
    synthetic=False,
)
Tables = tuple[pl.DataFrame, pl.DataFrame, FeatureSettings]


@dataclass(frozen=True)
class Shop:
    """A data set, how it is read, and how it is tested."""

    name: str
    read: Callable[[FeatureSettings], Tables | None]
    known_until: datetime
    test_snapshots: int


def cdnow(settings: FeatureSettings) -> tuple[pl.DataFrame, pl.DataFrame]:
    """History and (no) customers of the whole CDNOW cohort; an order is a day with purchases."""
    package = find_spec("lifetimes")
    if package is None or package.origin is None:
        raise SystemExit("the CDNOW data is in the package lifetimes; type `pip install onje[dev]`")
    lines = (Path(package.origin).parent / "datasets" / "CDNOW_master.txt").read_text().splitlines()
    rows = [line.split() for line in lines[1:] if line.strip()]
    bought = pl.DataFrame(rows, schema=["customer_id", "day", "discs", "dollars"], orient="row")
    order = pl.concat_str("customer_id", "day", separator="-")
    # Only the day is known; noon lies on that day in most of the world.
    at = (
        pl.col("day").str.to_datetime("%Y%m%d", time_unit="us", time_zone="UTC").dt.offset_by("12h")
    )
    events = bought.with_row_index("line").select(
        "customer_id",
        event_id=pl.col("line").cast(pl.String),
        at=at,
        known_at=at,
        kind=pl.lit("order"),
        channel=pl.lit("web"),
        quantity=pl.col("discs").cast(pl.Float64),
        amount=pl.col("dollars").cast(pl.Decimal(18, 4)),
        order_id=order,
    )
    return HISTORY.shape(events), CUSTOMERS.schema.create_empty()


def complete_journey(settings: FeatureSettings) -> tuple[pl.DataFrame, pl.DataFrame]:
    """History and customers of the demo's grocer."""
    ingested = completejourney.read()
    history = to_history(ingested.events, ingested.products, settings=settings)
    return history, ingested.customers


def online_retail(settings: FeatureSettings) -> Tables | None:
    """A British wholesaler through its mapping; None where the data is not there."""
    shared = Path(os.environ.get("ONJE_SHARED_DATA", ROOT.parent / "shared" / "data"))
    file = shared / "online_retail_uci" / "online_retail_to_2011_09.parquet"
    if not file.exists():
        return None
    pounds = settings.model_copy(
        update={"base_currency": "GBP", "default_timezone": "Europe/London"}
    )
    mapping = load_mapping(ROOT / "maps" / "online_retail_uci.toml")
    found = read_table(file, mapping, now=datetime(2012, 1, 1, tzinfo=UTC))
    return to_history(found.events, found.products, settings=pounds), found.customers, pounds


SHOPS = (
    Shop("CDNOW", lambda s: (*cdnow(s), s), datetime(1998, 5, 1, tzinfo=UTC), 1),
    Shop("Online Retail", online_retail, datetime(2011, 9, 30, tzinfo=UTC), 2),
    Shop(
        "Complete Journey",
        lambda s: (*complete_journey(s), s),
        datetime(2018, 1, 1, tzinfo=UTC),
        2,
    ),
)
