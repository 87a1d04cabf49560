"""What the accepted rows of a file say of customers, of products and of consent."""

from __future__ import annotations

import polars as pl

from pipelines.ingest.mapping import Mapping
from pipelines.ingest.sayings import CONSENT, OF_CUSTOMER, OF_PRODUCT


def customers_in(said: pl.DataFrame) -> pl.DataFrame:
    """One row per customer and change of what is said of them, known when it was first said."""
    described = [name for name in said.columns if name.startswith(OF_CUSTOMER)]
    if not described:
        return pl.DataFrame(schema={"customer_id": pl.String, "known_at": pl.Datetime("us", "UTC")})
    profile = pl.struct(described)
    is_change = (profile != profile.shift(1)).fill_null(True).over("customer_id")
    return (
        said.sort("customer_id", "known_at", "event_id")
        .unique(["customer_id", "known_at"], keep="last", maintain_order=True)
        .filter(is_change)
        .select("customer_id", "known_at", *_unprefixed(described, OF_CUSTOMER))
    )


def products_in(said: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    """One row per product; the newest row that says a thing is believed."""
    described = [name for name in said.columns if name.startswith(OF_PRODUCT)]
    if mapping.products is None:
        return pl.DataFrame(schema={"product_id": pl.String, "available": pl.Boolean})
    columns = _unprefixed(described, OF_PRODUCT)
    newest = (
        said.filter(pl.col("product_id").is_not_null())
        .sort("at", "event_id")
        .select("product_id", "currency", "at", "kind", *columns)
        .group_by("product_id", maintain_order=True)
        .agg(
            pl.col("at").filter(pl.col("kind") == "order").max().alias("sold_at"),
            pl.exclude("at", "kind").drop_nulls().last(),
        )
    )
    availability = mapping.products.availability
    if availability.how == "all":
        newest = newest.with_columns(available=True)
    if availability.how == "sold_lately":
        age = pl.col("sold_at").max() - pl.col("sold_at")
        is_sold = (age < pl.duration(days=availability.days)).fill_null(False)
        newest = newest.with_columns(available=is_sold)
    # A currency belongs to a price; without one it says nothing.
    currency = pl.when(pl.col("price").is_not_null()).then("currency")
    return newest.drop("sold_at").with_columns(currency=currency).sort("product_id")


def consent_in(said: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    """`consent` events: one per customer by decree, or one per change of what a column says."""
    consent = mapping.consent
    decided = {"kind": pl.lit("consent"), "channel": pl.lit("email")}
    if consent.how == "assumed":
        return (
            said.group_by("customer_id", maintain_order=True)
            .agg(pl.col("at", "known_at").min())
            .select(
                "customer_id",
                "at",
                "known_at",
                event_id=pl.format("{}:consent:{}", pl.lit(consent.source), "customer_id"),
                reason=pl.lit(consent.reason),
                source=pl.lit(consent.source),
                **decided,
            )
        )
    choices = said.filter(pl.col(CONSENT).is_not_null()).sort("customer_id", "at", "event_id")
    is_change = (pl.col(CONSENT) != pl.col(CONSENT).shift(1)).fill_null(True).over("customer_id")
    return choices.filter(is_change).select(
        "customer_id",
        "at",
        "known_at",
        "source",
        event_id=pl.format("{}:consent", "event_id"),
        reason=pl.col(CONSENT),
        **decided,
    )


def _unprefixed(columns: list[str], prefix: str) -> list[pl.Expr]:
    return [pl.col(name).alias(name.removeprefix(prefix)) for name in columns]
