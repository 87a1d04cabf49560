"""Real, dirty rows: returns, guests, postage, exact duplicates, goods without a price."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from pipelines.ingest.mapping_file import load_mapping
from pipelines.ingest.table import read_table
from tests.shared_data import shared_data

MAP = Path(__file__).parents[3] / "maps" / "online_retail_uci.toml"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def file():
    return shared_data("online_retail_uci", "online_retail_to_2011_09.parquet")


@pytest.fixture(scope="module")
def retail(file):
    return read_table(file, load_mapping(MAP), now=NOW)


def test_each_of_its_rows_is_event_refund_duplicate_or_reject(retail):
    account = retail.accounts[0]
    assert account.rows == 370_931
    assert account.unaccounted == 0
    assert account.became == {"order": 262_640, "refund": 6_063, "duplicate": 2_813}
    assert account.rejected == {
        "a guest: no customer is named": 98_056,
        "not a product: postage, fees, discounts, samples, corrections by hand": 1_338,
        "no price: given away or written off": 21,
    }


def test_the_account_agrees_with_the_file_counted_by_other_means(retail, file):
    rows = pl.read_parquet(file)
    named = rows.filter(pl.col("CustomerID").is_not_null())
    is_cancelled = pl.col("InvoiceNo").str.starts_with("C")
    has_digits = pl.col("StockCode").str.contains(r"^\d{5}|^PADS$")
    goods = named.filter(has_digits, pl.col("UnitPrice") > 0).unique()
    assert goods.filter(is_cancelled).height == retail.accounts[0].became["refund"]
    assert goods.filter(~is_cancelled).height == retail.accounts[0].became["order"]


def test_no_money_is_lost_between_the_file_and_the_events(retail, file):
    goods = (
        pl.read_parquet(file)
        .filter(
            pl.col("CustomerID").is_not_null(),
            pl.col("StockCode").str.contains(r"^\d{5}|^PADS$"),
            pl.col("UnitPrice") > 0,
        )
        .unique()
    )
    amounts = [
        abs(Decimal(repr(price)) * quantity)
        for price, quantity in goods.select("UnitPrice", "Quantity").rows()
    ]
    assert retail.events["amount"].sum() == sum(amounts)


def test_its_times_are_british(retail, file):
    told = pl.read_parquet(file).select(order_id="InvoiceNo", said="InvoiceDate").unique("order_id")
    orders = retail.events.unique("order_id").join(told, on="order_id")
    shift = pl.col("said").cast(pl.Datetime("us")) - pl.col("at").dt.replace_time_zone(None)
    by_month = orders.group_by(month=pl.col("at").dt.month()).agg(
        hours=shift.dt.total_hours().unique()
    )
    hours = dict(by_month.rows())
    assert (hours[1], hours[7]) == ([0], [1])


def test_customers_live_where_their_country_is(retail):
    zones = dict(retail.customers.select("country", "timezone").drop_nulls().rows())
    assert zones["FR"] == "Europe/Paris"
    assert zones["JP"] == "Asia/Tokyo"
    assert retail.customers["customer_id"].n_unique() == retail.events["customer_id"].n_unique()
