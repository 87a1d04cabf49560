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
from training.model.sales import LEAST_SPREAD, MOST_SOLD
from training.response_fit import grow_orders
from training.settings import ResponseSettings
from training.trees import grow

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

FOLDS = 2
# A mail that was clicked almost surely, or never, says little by what others did; propensities
# are kept within these bounds.
LEAST_PROPENSITY, MOST_PROPENSITY = 0.001, 0.9
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
    people as likely to click who had the same e-mail and did not (AIPW for the treated,
    Chernozhukov et al. 2018). E-mails with few clicks are pulled towards all together
    (DerSimonian and Laird 1986).
    """
    clicked = (rows.get_column("click") > 0).fill_null(False).to_numpy()
    ordered = rows.get_column("order").to_numpy()
    _, whose = np.unique(rows.get_column("customer_id").to_numpy(), return_inverse=True)
    fold = _folds(whose, settings)
    without = expit(_never_seen(rows, ~clicked, fold, settings))
    emails = _brought(rows, clicked, ordered, without, whose, fold, settings)
    sales = shrunk_sales(*(emails.get_column(c).to_numpy() for c in ("brought", "error")))
    sold = emails.with_columns(sells=pl.Series(sales.each), sells_error=pl.Series(sales.errors))
    emails, used = _redeemed(rows, sold)
    found = emails.filter(pl.col("clicks") > 0)
    clicks = float(found.get_column("clicks").sum())
    brought = float(found.get_column("orders_brought").sum())
    error = float(np.sqrt((found.get_column("orders_error").to_numpy() ** 2).sum()))
    facts = {
        "evidence": ADJUSTED,
        "clicks": int(clicks),
        "orders_after_a_click": float(ordered[clicked].mean()),
        "orders_without_it": float(without[clicked].mean()),
        "brought_by_a_click": [
            (brought - 1.96 * error) / clicks, brought / clicks, (brought + 1.96 * error) / clicks
        ],
        "emails": emails.to_dicts(),
    }  # fmt: skip
    tables = {
        "emails": emails.select(
            "email",
            "clicks",
            "sells",
            "sells_error",
            "brought",
            "error",
            "organic",
            "redeemed",
            "after",
            "reduced",
        ),
        "orders": pl.DataFrame(
            {
                "sells": [sales.common],
                "error": [sales.error],
                "spread": [sales.spread],
                "adjusted_weight": [settings.adjusted_weight],
                "used": [used],
            }
        ),
    }
    return Fitted(grow_orders(rows.filter(pl.Series(~clicked)), settings), tables, facts)


@dataclass(frozen=True, eq=False)
class Sales:
    """What a click sells: in all e-mails together, how sure that is, how far e-mails lie apart.

    In each of them, and how sure that is (standard errors [emails], the common one given).
    """

    common: float
    error: float
    spread: float
    each: Floats
    errors: Floats


def shrunk_sales(brought: Floats, error: Floats) -> Sales:
    """What a click sells, each e-mail pulled towards all as far as little was seen of it.

    `brought` [emails] are estimates, `error` [emails] their standard errors.
    """
    weight = 1 / error**2
    middle = float((weight * brought).sum() / weight.sum())
    apart = float((weight * (brought - middle) ** 2).sum()) - (len(brought) - 1)
    unit = float(weight.sum() - (weight**2).sum() / weight.sum())
    between = max(apart / unit if unit > 0 else 0.0, LEAST_SPREAD**2)
    total = 1 / (error**2 + between)
    common = float(np.clip((total * brought).sum() / total.sum(), 0.0, MOST_SOLD))
    trust = between / (between + error**2)
    each: Floats = np.clip(common + trust * (brought - common), 0.0, MOST_SOLD)
    return Sales(
        common,
        float(np.sqrt(1 / total.sum())),
        float(np.sqrt(between)),
        each,
        np.sqrt(trust) * error,
    )


def _folds(whose: Ints, settings: ResponseSettings) -> Ints:
    """The fold of each row; all rows of a customer are in one."""
    dealt = np.random.default_rng(settings.seed).permutation(int(whose.max()) + 1) % FOLDS
    folds: Ints = dealt[whose]
    return folds


def _never_seen(rows: pl.DataFrame, learn: Bools, fold: Ints, settings: ResponseSettings) -> Floats:
    """Log-odds of an order without a click, by trees that never saw the customer."""
    inputs, odds = rows.select(OF_CUSTOMER).to_numpy(), np.empty(rows.height)
    for number in range(FOLDS):
        others = rows.filter(pl.Series((fold != number) & learn))
        odds[fold == number] = grow_orders(others, settings).raw(inputs[fold == number])
    return odds


def _brought(
    rows: pl.DataFrame,
    clicked: Bools,
    ordered: Floats,
    without: Floats,
    whose: Ints,
    fold: Ints,
    settings: ResponseSettings,
) -> pl.DataFrame:
    """email, clicks, `orders_brought` with `orders_error` (by customer), and both as the chance
    that a click sells to who would not have ordered anyway (`brought`, `error`).
    """
    is_mail = rows.get_column("click").is_not_null().to_numpy()
    propensity = _propensities(rows, clicked, is_mail, fold, settings)
    names = rows.get_column("email").fill_null("").to_numpy()
    found = []
    for email in np.unique(names[clicked]):
        mine = is_mail & (names == email)
        took = mine & clicked
        alike = np.where(mine & ~clicked, propensity / (1 - propensity), 0.0)
        # Weights are made to sum to as many as clicked: a few large ones must not rule.
        alike *= took.sum() / max(alike.sum(), 1e-9)
        told = np.where(took, 1.0, -alike) * (ordered - without)
        by_customer = np.bincount(whose, weights=np.where(mine, told, 0.0))
        open_to = float((1 - without)[took].sum())
        # One click more that could have gone either way: what was seen once is never sure.
        error = float(np.sqrt((by_customer**2).sum() + 0.25))
        found.append((email, float(took.sum()), by_customer.sum(), error, open_to))
    schema = ["email", "clicks", "orders_brought", "orders_error", "open_to"]
    return pl.DataFrame(found, schema=schema, orient="row").with_columns(
        brought=pl.col("orders_brought") / pl.col("open_to"),
        error=pl.col("orders_error") / pl.col("open_to"),
    )


def _propensities(
    rows: pl.DataFrame, clicked: Bools, is_mail: Bools, fold: Ints, settings: ResponseSettings
) -> Floats:
    """P(click) of each mail, by trees that never saw the customer."""
    inputs, odds = rows.select(OF_CUSTOMER).to_numpy(), np.zeros(rows.height)
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
    chances: Floats = np.clip(expit(odds), LEAST_PROPENSITY, MOST_PROPENSITY)
    return chances


def _redeemed(rows: pl.DataFrame, emails: pl.DataFrame) -> tuple[pl.DataFrame, float]:
    """The table `emails` with `organic` orders after mails that were not clicked, and `redeemed`,
    those at a reduced price; orders `after` a click, and `reduced` of them; and the share of orders
    at a reduced price after no mail.
    """
    organic = rows.filter(pl.col("click").fill_null(0.0) == 0, pl.col("order") > 0)
    mails = (
        organic.drop_nulls("email")
        .group_by("email")
        .agg(organic=pl.len().cast(pl.Float64), redeemed=pl.col("discounted").sum())
    )
    none = organic.filter(pl.col("email").is_null()).get_column("discounted")
    # An e-mail that nobody clicked is known by its coupons alone.
    clicked = (
        rows.filter(pl.col("click") > 0, pl.col("order") > 0)
        .group_by("email")
        .agg(after=pl.len().cast(pl.Float64), reduced=pl.col("discounted").sum())
    )
    found = emails.join(mails, on="email", how="left").join(clicked, on="email", how="left")
    filled = found.sort("email").with_columns(
        pl.col("organic", "redeemed", "after", "reduced").fill_null(0.0)
    )
    return filled, float(none.sum() / max(len(none), 1))
