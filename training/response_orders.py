"""The response model of orders: without a click, after one, and what of it is the mail's doing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit

from training.evaluate import Floats
from training.model.booster import Booster
from training.model.response import OF_CUSTOMER
from training.response_fit import after_clicks, grow_orders
from training.settings import ResponseSettings
from training.trees import grow

Bools = NDArray[np.bool_]

FOLDS = 2
# A mail that was clicked almost surely, or never, says little by what others did; propensities
# are kept within these bounds.
LEAST_PROPENSITY, MOST_PROPENSITY = 0.001, 0.9
# How far the doubly robust figure may be from the plain one before anything is seen.
CREDIT_SPREAD = 0.5
MOST_CREDIT = 1.5
ADJUSTED = (
    "adjusted, not randomised: clickers are compared with others like them, and your bought_anyway "
    "keeps its part"
)


@dataclass(frozen=True, eq=False)
class Fitted:
    """Trees of orders without a click, tables of the model, and what was found, as plain JSON."""

    booster: Booster
    tables: Mapping[str, pl.DataFrame]
    facts: Mapping[str, Any]


def fit_orders(rows: pl.DataFrame, settings: ResponseSettings) -> Fitted:
    """Learn from mails and moments without one (`click` null), see response_rows.

    What clicks bring is doubly robust: orders of clickers less what trees, which never saw these
    customers, expect of them without a click; corrected by how far these trees were off among
    people as likely to click who did not (AIPW for the treated, Chernozhukov et al. 2018).
    """
    clicked = (rows.get_column("click") > 0).fill_null(False).to_numpy()
    ordered = rows.get_column("order").to_numpy()
    odds = _never_seen(rows, ~clicked, settings)
    after = after_clicks(
        odds[clicked], ordered[clicked], rows.get_column("email").to_numpy()[clicked]
    )
    base = after["shrinkage"].item(0, "middle")
    expected = expit(base + after["slope"] * (odds - after["middle"]))
    plain = np.maximum(expected - expit(odds), 0.0)[clicked].sum()
    robust, error = _brought(rows, clicked, ordered, expit(odds), settings)
    credit = _credit(robust, error, plain)
    emails, used = _redeemed(rows, after["emails"])
    tables = {
        "emails": emails,
        "shrinkage": after["shrinkage"],
        "orders": pl.DataFrame(
            {
                "middle": [after["middle"]],
                "slope": [after["slope"]],
                "credit": [credit],
                "adjusted_weight": [settings.adjusted_weight],
                "used": [used],
            }
        ),
    }
    clicks = int(clicked.sum())
    facts = {
        "evidence": ADJUSTED,
        "clicks": clicks,
        "orders_after_a_click": float(ordered[clicked].mean()),
        "orders_without_it": float(expit(odds)[clicked].mean()),
        "brought_by_a_click": [
            (robust - 1.96 * error) / clicks, robust / clicks, (robust + 1.96 * error) / clicks
        ],
        "credit": credit,
        "emails": emails.to_dicts(),
    }  # fmt: skip
    return Fitted(grow_orders(rows.filter(pl.Series(~clicked)), settings), tables, facts)


def _folds(rows: pl.DataFrame, settings: ResponseSettings) -> NDArray[np.int64]:
    """The fold of each row; all rows of a customer are in one."""
    _, whose = np.unique(rows.get_column("customer_id").to_numpy(), return_inverse=True)
    dealt = np.random.default_rng(settings.seed).permutation(int(whose.max()) + 1) % FOLDS
    folds: NDArray[np.int64] = dealt[whose]
    return folds


def _never_seen(rows: pl.DataFrame, learn: Bools, settings: ResponseSettings) -> Floats:
    """Log-odds of an order without a click, by trees that never saw the customer."""
    inputs = rows.select(OF_CUSTOMER).to_numpy()
    fold, odds = _folds(rows, settings), np.empty(rows.height)
    for number in range(FOLDS):
        others = rows.filter(pl.Series((fold != number) & learn))
        odds[fold == number] = grow_orders(others, settings).raw(inputs[fold == number])
    return odds


def _brought(
    rows: pl.DataFrame,
    clicked: Bools,
    ordered: Floats,
    without: Floats,
    settings: ResponseSettings,
) -> tuple[float, float]:
    """How many orders all clicks together brought, and the standard error of that, by customer."""
    is_mail = rows.get_column("click").is_not_null().to_numpy()
    inputs = rows.select(OF_CUSTOMER).to_numpy()
    fold, odds = _folds(rows, settings), np.zeros(rows.height)
    for number in range(FOLDS):
        learn = (fold != number) & is_mail
        trees = grow(
            inputs[learn],
            clicked[learn].astype(np.float64),
            names=OF_CUSTOMER,
            monotone=[0] * len(OF_CUSTOMER),
            offset=None,
            weights=None,
            settings=settings,
        )
        odds[fold == number] = trees.raw(inputs[fold == number])
    propensity = np.clip(expit(odds), LEAST_PROPENSITY, MOST_PROPENSITY)
    missed = ordered - without
    alike = np.where(is_mail & ~clicked, propensity / (1 - propensity), 0.0)
    # Weights are made to sum to as many as clicked: a few large ones must not rule.
    alike *= clicked.sum() / max(alike.sum(), 1e-9)
    told = np.where(clicked, missed, 0.0) - alike * missed
    _, whose = np.unique(rows.get_column("customer_id").to_numpy(), return_inverse=True)
    by_customer = np.bincount(whose, weights=told)
    error = float(np.sqrt(((by_customer - by_customer.mean()) ** 2).sum()))
    return float(told.sum()), error


def _credit(robust: float, error: float, plain: float) -> float:
    """What to multiply the plain difference by: 1 where little was seen."""
    if plain <= 0:
        return 1.0
    trust = CREDIT_SPREAD**2 / (CREDIT_SPREAD**2 + (error / plain) ** 2)
    return float(np.clip(1 + trust * (robust / plain - 1), 0.0, MOST_CREDIT))


def _redeemed(rows: pl.DataFrame, emails: pl.DataFrame) -> tuple[pl.DataFrame, float]:
    """The table `emails` with `organic` orders after mails that were not clicked, and `redeemed`,
    those at a reduced price; and the share of these after no mail.
    """
    organic = rows.filter(pl.col("click").fill_null(0.0) == 0, pl.col("order") > 0)
    mails = (
        organic.drop_nulls("email")
        .group_by("email")
        .agg(organic=pl.len().cast(pl.Float64), redeemed=pl.col("discounted").sum())
    )
    none = organic.filter(pl.col("email").is_null()).get_column("discounted")
    found = emails.join(mails, on="email", how="full", coalesce=True).sort("email")
    filled = found.with_columns(pl.exclude("email").fill_null(0.0))
    return filled, float(none.sum() / max(len(none), 1))
