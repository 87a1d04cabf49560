"""Rows of the simulated shop as EVENTS."""

from __future__ import annotations

import polars as pl

from features.contracts import CHANNELS, SIMULATED
from pipelines.simulator.rows import REASONS
from pipelines.simulator.shelf import CATEGORIES, CURRENCY

WORDS = tuple(name.rsplit(" ", 1)[1].lower() for name in CATEGORIES)
PAYMENTS = ("card", "paypal", "invoice")
# What is said of the mail itself names it; what a customer does on the site afterwards does not.
NAMING = ("send", "deliver", "open", "click", "bounce", "complaint", "unsubscribe")


def as_events(
    happened: pl.DataFrame,
    *,
    names: pl.Series,
    products: pl.Series,
    uses_app: pl.Series,
    mails: pl.DataFrame,
) -> pl.DataFrame:
    """EVENTS (`known_at` = `at`) of rows of the simulated shop."""
    kind = pl.col("kind")
    of_mail = mails.lazy().with_row_index("mail").with_columns(pl.col("mail").cast(pl.Int32))
    is_named = kind.is_in([*NAMING, "redeem"])
    money = kind.is_in(["order", "refund", "cart_add", "cart_remove"])
    customer = pl.col("customer").cast(pl.UInt32)
    at = pl.col("at").cast(pl.Datetime("us", "UTC"))
    bought = kind.is_in(["order", "refund"])
    return (
        happened.lazy()
        .join(of_mail, on="mail", how="left", maintain_order="left")
        .select(
            event_id=pl.when("caused")
            .then(pl.format("{}-{}", "message_id", "place"))
            .otherwise(
                pl.when(kind == "redeem")
                .then(pl.format("redeem-{}", "order"))
                .otherwise(pl.format("own-{}", "number"))
            ),
            customer_id=pl.lit(names).gather(customer),
            at=at,
            known_at=at,
            kind=kind,
            channel=pl.when("by_mail")
            .then(pl.lit("email"))
            .when(pl.lit(uses_app).gather(customer))
            .then(pl.lit("app"))
            .otherwise(pl.lit("web"))
            .cast(pl.Enum(CHANNELS)),
            product_id=pl.lit(products).gather(pl.col("product").cast(pl.UInt32)),
            quantity=pl.col("quantity").cast(pl.Float64),
            amount=_money("cents"),
            currency=pl.when(money).then(pl.lit(CURRENCY)),
            discount=pl.when(kind == "order").then(_money("off")),
            coupon=pl.when(kind.is_in(["order", "redeem"]) & pl.col("off").is_not_null()).then(
                pl.format("coupon of {}", "email")
            ),
            payment=pl.when(kind == "order").then(
                pl.lit(pl.Series(PAYMENTS)).gather(customer % len(PAYMENTS))
            ),
            link=pl.when(kind == "click").then(
                pl.coalesce(
                    pl.format("/products/{}", pl.lit(products).gather(pl.col("product"))),
                    pl.lit("/"),
                )
            ),
            query=pl.lit(pl.Series(WORDS)).gather(pl.col("word").cast(pl.UInt32)),
            reason=pl.lit(pl.Series(REASONS)).gather(pl.col("reason").cast(pl.UInt32)),
            duration_s=pl.col("seconds").cast(pl.Float64).round(1),
            order_id=pl.when(bought & pl.col("caused"))
            .then(pl.format("{}-order", "message_id"))
            .when(bought)
            .then(pl.format("order-{}", "order")),
            message_id=pl.when(is_named).then("message_id"),
            decision_id=pl.when(is_named).then("decision_id"),
            email=pl.when(is_named).then("email"),
            variant=pl.when(is_named).then("variant"),
            machine=pl.lit(None, pl.Boolean),
            source=pl.lit(SIMULATED),
            attributes=pl.lit(None, pl.String),
        )
        .collect()
    )


def _money(column: str) -> pl.Expr:
    return (pl.col(column) / 100).round(2).cast(pl.Decimal(18, 4))
