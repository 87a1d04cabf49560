"""What an e-mail is worth in money: what models expect of it, else what the merchant does.

At an instant, `waited` hours after the decision:

value = pull x (margin of the orders it brings - discount on them)
        - pull x stays x discount on the orders that come anyway
        - still x (cost of sending + unsubscribes x worth of a customer who can be mailed)
        - prices

pull = lift of the hour x freshness; prices = of an e-mail + of its coupon + unsubscribes x of one
stays = 1/2 ^ (waited / settles_hours): of those who order anyway, the share who have not yet
still = 1 - anyway x (1 - stays): the chance that the customer has not ordered before it leaves

An order that an e-mail brings holds one of the products shown in place of one of the
`products_per_order` that the customer usually orders; one that comes anyway is as usual.

Money is per customer and e-mail; chances are of one customer. Whoever orders while an e-mail waits
gets none: waiting saves what would have been given away to them, and the costs; freshness is what
it costs. What the e-mail brings is about those who would not order without it, so no waiting
settles that. Prices are of budgets, which count what is planned: no hour changes them.

Only orders that would not have come anyway bring margin. Where a response model stands, it says how
many click, how many orders follow and how many of them the e-mail brings, how many order without
it, how many of the other orders use what it gives away, and how many unsubscribe; each of them else
comes from the e-mail's table in onje.toml. Clicks that were learnt hold the usual fit of products.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serving.conditions import Conditions
from serving.guardrail_settings import TRANSACTIONAL
from serving.settings import PolicySettings

# Paid for each e-mail that leaves, whatever comes of it, and for each that is planned.
COSTS = ("send_cost", "unsubscribe_cost")
PRICES = ("mail_price", "coupon_price", "unsubscribe_price")
# The value at an instant reads these of its arm.
OF_VALUE = (
    "margin", "given_brought", "given_anyway", "anyway", "settles_hours", "costs", "prices",
)  # fmt: skip

# The same formula for expressions and for long arrays, of which there are too many to lay beside
# each instant first.
Money = TypeVar("Money", pl.Expr, NDArray[np.float64])


def with_parts(arms: pl.DataFrame, policy: PolicySettings, conditions: Conditions) -> pl.DataFrame:
    """Add the parts of each arm's value, as it is at a pull of 1 and at once; counts are expected.

    `margin` and `given_brought` are of the orders it brings, `given_anyway` is what it gives away
    to those who order `anyway` (a chance); the prices are those of `conditions`, and none for
    transactional e-mail, which uses no budget.
    """
    for parts in _parts(
        policy, conditions.mail_price, conditions.coupon_price, conditions.unsubscribe_price
    ):
        arms = arms.with_columns(parts)
    return arms


# An expression takes longer to write out than to run.
@lru_cache(maxsize=8)
def _parts(
    policy: PolicySettings, mail_price: float, coupon_price: float, unsubscribe_price: float
) -> tuple[list[pl.Expr], ...]:
    """The columns of `with_parts`, those that others are made of first."""
    # The merchant's figure is about customers who stay; whoever is about to leave would not have
    # ordered anyway. Where nobody knows the churn, the figure holds as it is.
    bought_anyway = pl.col("bought_anyway") * (1 - pl.col("churn").fill_null(0.0))
    basket = pl.col("basket_value").fill_null(policy.typical_basket)
    brought = _basket_brought(basket, policy)
    earned = policy.margin * pl.col("spend_365d").fill_null(0.0)
    tired = 1 + policy.fatigue * pl.col("sends_7d").fill_null(0.0)
    orders = pl.coalesce("learnt_orders", "orders_per_click")
    uses_budget = pl.col("mail_class") != TRANSACTIONAL
    first = dict(
        fit=(1 + policy.fit_weight * (pl.col("chance").fill_null(0.5) - 0.5)).round(9),
        unsubscribes=pl.coalesce("learnt_unsubscribes", pl.col("unsubscribe_rate") * tired).clip(
            0, 1
        ),
        brings=pl.coalesce("learnt_brings", pl.col("orders_per_click") * (1 - bought_anyway)),
        gives_away=(pl.col("coupon") != "") | (pl.col("discount_share") > 0),
        # The merchant knows it of those who click, and of nobody else.
        anyway=pl.coalesce("learnt_without", pl.col("orders_per_click") * bought_anyway),
    )
    # What was learnt was learnt of e-mails that showed products such as these: their usual fit is
    # in it already.
    clicks = dict(clicks=pl.coalesce("learnt_clicks", pl.col("click_rate") * pl.col("fit")))
    then = dict(
        orders=pl.col("clicks") * orders,
        margin=pl.col("clicks") * pl.col("brings") * brought * policy.margin,
        given_brought=pl.col("clicks") * pl.col("brings") * brought * pl.col("discount_share"),
        given_anyway=(
            pl.col("clicks") * (orders - pl.col("brings")) * pl.coalesce("learnt_reduced", 1.0)
            + pl.col("learnt_redeemed").fill_null(0.0)
        )
        * basket
        * pl.col("discount_share"),
        unsubscribe_cost=pl.col("unsubscribes")
        * (policy.mailable_value + policy.mailable_share * earned),
        mail_price=pl.when(uses_budget).then(mail_price).otherwise(0.0),
        coupon_price=pl.when(uses_budget & pl.col("gives_away")).then(coupon_price).otherwise(0.0),
        unsubscribe_price=pl.when(uses_budget)
        .then(pl.col("unsubscribes") * unsubscribe_price)
        .otherwise(0.0),
    )
    sums = dict(costs=pl.sum_horizontal(COSTS), prices=pl.sum_horizontal(PRICES))
    return tuple(
        [expr.alias(name) for name, expr in parts.items()] for parts in (first, clicks, then, sums)
    )


def _basket_brought(basket: pl.Expr, policy: PolicySettings) -> pl.Expr:
    """Money of an order that an e-mail brings: one of the products is one of those shown."""
    if not policy.products_per_order:
        return basket
    others = 1 - 1 / max(policy.products_per_order, 1.0)
    return pl.coalesce(basket * others + pl.col("shown_price"), basket)


def value_of(part: Callable[[str], Money], pull: Money, waited: Money) -> Money:
    """The value at an instant, to a millionth, so that a tie is a tie.

    `part` gives the parts of `with_parts` by name, as expressions or as numbers.
    """
    gain, still = gain_and_still(part, pull, waited)
    return (gain - part("costs") * still - part("prices")).round(6)


def gain_and_still(part: Callable[[str], Money], pull: Money, waited: Money) -> tuple[Money, Money]:
    """What the orders bring at an instant, discount paid, and the chance that the e-mail leaves.

    The latter after so many hours, in which nobody has ordered.
    """
    stays, still = _stays_and_still(part, waited)
    given = part("given_brought") + part("given_anyway") * stays
    return (part("margin") - given) * pull, still


def parts_at_best() -> list[pl.Expr]:
    """The parts as they are at the best instant, open or not.

    Margin less discount, costs and prices is the value.
    """
    pull = pl.coalesce("pull", "unconstrained_pull")
    stays, still = _stays_and_still(pl.col, pl.coalesce("waited", "unconstrained_waited"))
    given = pl.col("given_brought") + pl.col("given_anyway") * stays
    return [
        *((pl.col(name) * pull).round(9).alias(name) for name in ("clicks", "orders", "margin")),
        (given * pull).round(9).alias("discount"),
        *((pl.col(name) * still).round(9).alias(name) for name in COSTS),
        *(pl.col(name).round(9) for name in PRICES),
        (1 - still).round(9).alias("ordered_before"),
    ]


def _stays_and_still(part: Callable[[str], Money], waited: Money) -> tuple[Money, Money]:
    """Of those who order anyway the share who have not yet; the chance of no order so far."""
    stays = _halved(waited / part("settles_hours")).round(9)
    return stays, 1 - part("anyway") * (1 - stays)


def _halved(times: Money) -> Money:
    """1/2 to so many times; numpy's general power takes five times as long."""
    return np.exp2(-times) if isinstance(times, np.ndarray) else 0.5**times
