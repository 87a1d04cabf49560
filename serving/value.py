"""What an e-mail is worth in money: what models expect of it, else what the merchant does.

value = (margin of the orders it brings - discount on all its orders) x pull of the instant
        - cost of sending - chance of an unsubscribe x worth of a customer who can be mailed

Only orders that would not have come anyway bring margin. Where a response model stands, it says how
many click, how many orders follow and how many of them the e-mail brings, how many other orders use
what it gives away, and how many unsubscribe; each of them else comes from the e-mail's table in
onje.toml.
"""

from __future__ import annotations

import polars as pl

from serving.settings import PolicySettings


def with_parts(arms: pl.LazyFrame, policy: PolicySettings) -> pl.LazyFrame:
    """Add the parts of each arm's value at a pull of 1; counts are expectations."""
    # The merchant's figure is about customers who stay; whoever is about to leave would not have
    # ordered anyway. Where nobody knows the churn, the figure holds as it is.
    anyway = pl.col("bought_anyway") * (1 - pl.col("churn").fill_null(0.0))
    basket = pl.col("basket_value").fill_null(policy.typical_basket)
    earned = policy.margin * pl.col("spend_365d").fill_null(0.0)
    tired = 1 + policy.fatigue * pl.col("sends_7d").fill_null(0.0)
    brings = pl.col("orders_per_click") * (1 - anyway)
    return (
        arms.with_columns(
            fit=(1 + policy.fit_weight * (pl.col("chance").fill_null(0.5) - 0.5)).round(9),
            unsubscribes=pl.coalesce(
                "learnt_unsubscribes", pl.col("unsubscribe_rate") * tired
            ).clip(0, 1),
        )
        .with_columns(clicks=pl.coalesce("learnt_clicks", "click_rate") * pl.col("fit"))
        .with_columns(orders=pl.col("clicks") * pl.coalesce("learnt_orders", "orders_per_click"))
        .with_columns(
            margin=pl.col("clicks") * pl.coalesce("learnt_brings", brings) * basket * policy.margin,
            discount=(pl.col("orders") + pl.col("learnt_redeemed").fill_null(0.0))
            * basket
            * pl.col("discount_share"),
            unsubscribe_cost=pl.col("unsubscribes")
            * (policy.mailable_value + policy.mailable_share * earned),
        )
    )


def value_at(pull: str) -> pl.Expr:
    """The value at an instant, to a millionth, so that a tie is a tie; null without an instant."""
    gain = pl.col("margin") - pl.col("discount")
    return (gain * pl.col(pull) - pl.col("send_cost") - pl.col("unsubscribe_cost")).round(6)


def at_pull(part: str) -> pl.Expr:
    """A part of the value as it is at the best instant; null where there is none."""
    return (pl.col(part) * pl.coalesce("pull", "unconstrained_pull")).round(6).alias(part)
