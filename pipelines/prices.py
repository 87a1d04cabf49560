"""What one more e-mail, coupon or unsubscribe is worth while budgets bind: the duals of a night.

    most money:   max  sum of x(customer, e-mail) v(customer, e-mail)
    one at most:  for each customer, the sum of x over e-mails <= 1
    budgets:      the sum of x <= mails, of coupons x <= coupons, of unsubscribes x <= unsubscribes

with 0 <= x: the linear relaxation, solved by HiGHS. At its solution the customer's best choice by v
less prices is the whole's best choice, for all but as many customers as there are budgets; so each
can be decided alone, by night and live alike (Dantzig and Wolfe 1960).

Prices are those of one night and are not smoothed: they solve that night's budget, and a price that
lags behind would break it. They move with what customers are worth, so slowly on most nights, and
jump where a budget was changed, or begins or ceases to bind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
import polars as pl

from serving.budget_settings import BudgetSettings
from serving.conditions import Conditions

# About so many customers tell the prices of all; more would take long and change them little.
MOST_CUSTOMERS = 20_000
DAYS_OF_WEEK = 7
# What a budget counts, in the order of the prices of Conditions.
COUNTED = {"mails": "mail_price", "coupons": "coupon_price", "unsubscribes": "unsubscribe_price"}


@dataclass(frozen=True)
class Prices:
    """Money of one more e-mail, coupon, expected unsubscribe; zero where its budget leaves room."""

    mail_price: float
    coupon_price: float
    unsubscribe_price: float

    def upon(self, conditions: Conditions) -> Conditions:
        """The conditions with these prices in place of their own."""
        return replace(conditions, **asdict(self))


NO_PRICES = Prices(0.0, 0.0, 0.0)


def limits_of(budget: BudgetSettings) -> dict[str, float]:
    """What one night may use of each budget that there is; a night gets its part of a week."""
    nightly = {
        "mails": float(budget.mails_per_day),
        "coupons": budget.coupons_per_week / DAYS_OF_WEEK,
        "unsubscribes": budget.unsubscribes_per_week / DAYS_OF_WEEK,
    }
    return {name: limit for name, limit in nightly.items() if limit > 0}


def prices_of(arms: pl.DataFrame, limits: Mapping[str, float]) -> Prices:
    """The prices at which the best choices of all customers together keep the `limits`.

    `arms`: what may go to whom; customer_id, value (money, without prices), and per budget how much
    of it the e-mail uses (mails, coupons, unsubscribes). What is worth nothing takes no part.
    """
    from scipy import sparse
    from scipy.optimize import linprog

    worthy = arms.filter(pl.col("value") > 0)
    if worthy.is_empty() or not limits:
        return NO_PRICES
    whose = worthy.get_column("customer_id").rank("dense").cast(pl.Int64).to_numpy() - 1
    count = worthy.height
    once = sparse.csr_array((np.ones(count), (whose, np.arange(count))))
    uses = sparse.csr_array(np.stack([worthy.get_column(name).to_numpy() for name in limits]))
    solved = linprog(
        -worthy.get_column("value").to_numpy(),
        A_ub=sparse.vstack([once, uses], format="csr"),
        b_ub=np.concatenate([np.ones(once.shape[0]), list(limits.values())]),
        bounds=(0, None),
        method="highs",
    )
    if not solved.success:
        raise AssertionError(f"no prices: {solved.message}")  # x = 0 always keeps every limit
    found = -solved.ineqlin.marginals[once.shape[0] :]
    # Never negative, and no price where only rounding asks for one.
    told = {
        COUNTED[name]: max(round(float(price), 9), 0.0)
        for name, price in zip(limits, found, strict=True)
    }
    return Prices(**{**{price: 0.0 for price in COUNTED.values()}, **told})
