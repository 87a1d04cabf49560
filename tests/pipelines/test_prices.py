"""Prices of budgets: they keep the budget, they cost as little as can be, night and live agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product

import numpy as np
import polars as pl
import pytest

from features.lake import Lake
from features.tables import CUSTOMERS, EVENTS, PRODUCTS
from pipelines.console import silently
from pipelines.prices import NO_PRICES, Prices, limits_of, prices_of
from pipelines.rescore import ONJE, rescore
from pipelines.settings import load_settings
from serving.answer import answer
from serving.budget_settings import BudgetSettings
from serving.knowledge import Knowledge
from serving.models import NO_MODELS
from serving.receipts import decision_hash
from serving.store.store import Store
from serving.tables import MAIL
from serving.valuation import OWN
from tests.pipelines.test_settings import ROOT
from tests.serving.histories import NOW, requests, shelf

NAMES = [f"c{number:03}" for number in range(60)]
BOUND = {"mails_per_day": 20, "coupons_per_week": 28, "unsubscribes_per_week": 0.14}


def arms(seed: int, customers: int, emails: int) -> pl.DataFrame:
    dice = np.random.default_rng(seed)
    count = customers * emails
    return pl.DataFrame(
        {
            "customer_id": [f"c{n // emails}" for n in range(count)],
            "value": dice.normal(0.2, 0.3, count),
            "mails": np.ones(count),
            "coupons": (dice.random(count) < 0.5).astype(float),
            "unsubscribes": dice.uniform(0.0005, 0.005, count),
        }
    )


def chosen(offered: pl.DataFrame, prices: Prices) -> pl.DataFrame:
    cost = (
        prices.mail_price * pl.col("mails")
        + prices.coupon_price * pl.col("coupons")
        + prices.unsubscribe_price * pl.col("unsubscribes")
    )
    return (
        offered.with_columns(worth=(pl.col("value") - cost).round(6))
        .filter(pl.col("worth") > 0)
        .sort("worth", descending=True)
        .unique("customer_id", keep="first", maintain_order=True)
    )


def test_no_budget_no_prices():
    free = BudgetSettings(mails_per_day=0, coupons_per_week=0, unsubscribes_per_week=0)
    assert limits_of(free) == {}
    assert prices_of(arms(1, 50, 3), {}) == NO_PRICES
    assert prices_of(arms(1, 50, 3), {"mails": 50.0}) == NO_PRICES  # there is room


def test_a_night_gets_a_seventh_of_a_week():
    budget = BudgetSettings(mails_per_day=5, coupons_per_week=14, unsubscribes_per_week=0.7)
    assert limits_of(budget) == pytest.approx({"mails": 5, "coupons": 2, "unsubscribes": 0.1})


@pytest.mark.parametrize("seed", range(5))
def test_choosing_alone_at_these_prices_keeps_the_budgets_and_wastes_little(seed):
    offered, limits = arms(seed, 400, 4), {"mails": 150.0, "coupons": 30.0, "unsubscribes": 0.25}
    alone = chosen(offered, prices_of(offered, limits))
    # As many customers as there are budgets may be split by the relaxation, and no more.
    for name, limit in limits.items():
        most = offered.get_column(name).max()
        assert alone.get_column(name).sum() <= limit + len(limits) * most
    used = {name: alone.get_column(name).sum() / limit for name, limit in limits.items()}
    assert max(used.values()) > 0.95


def test_the_prices_find_the_best_plan_of_all():
    """Of seven customers with two e-mails each, every plan is tried."""
    offered = arms(3, 7, 2)
    values = offered.get_column("value").to_numpy().reshape(7, 2)
    best = max(
        sum(values[n, pick] for n, pick in enumerate(plan) if pick < 2)
        for plan in product(range(3), repeat=7)
        if sum(pick < 2 for pick in plan) <= 3
    )
    alone = chosen(offered, prices_of(offered, {"mails": 3.0}))
    # The customer on the margin is worth its price exactly, and waits: one may be missing.
    assert alone.height in (2, 3)
    assert alone.get_column("value").sum() <= best + 1e-9
    assert alone.get_column("value").sum() >= best - values.max(axis=1)[values.max(axis=1) > 0].min()


@pytest.fixture
def told(tmp_path):
    """Sixty customers with a cart each, of baskets that differ; a lake and a store of their own."""
    events = []
    for number, name in enumerate(NAMES):
        base = {"customer_id": name, "channel": "web"}
        signed = NOW - timedelta(days=300)
        events += [
            base | {"event_id": f"{name} c", "kind": "consent", "at": signed, "channel": "email",
                    "value": "granted"},
            base | {"event_id": f"{name} o", "kind": "order", "at": NOW - timedelta(days=12),
                    "order_id": f"o {name}", "product_id": "bread", "quantity": 1.0,
                    "amount": 5.0 + number, "currency": "USD"},
            base | {"event_id": f"{name} a", "kind": "cart_add", "at": NOW - timedelta(hours=3),
                    "product_id": "bun", "quantity": 1.0},
        ]  # fmt: skip
    return events


def test_night_and_live_agree_under_budgets(told, tmp_path):
    settings = load_settings(
        ROOT / "onje.toml", [{"budget": BOUND, "policy": {"explore_emails_at_first": 0.05}}]
    )
    from decimal import Decimal

    rows = [
        {**row, "known_at": row["at"], "source": "test",
         "amount": Decimal(str(row["amount"])) if "amount" in row else None}
        for row in told
    ]  # fmt: skip
    lake = Lake(tmp_path / "lake")
    lake.append(PRODUCTS, shelf())
    people = pl.DataFrame(
        {"customer_id": NAMES, "known_at": [NOW - timedelta(days=300)] * len(NAMES)}
    )
    lake.append(CUSTOMERS, CUSTOMERS.shape(people))
    lake.merge_events(EVENTS.shape(pl.DataFrame(rows, infer_schema_length=None)))
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}", patience_s=5)
    done = rescore(
        lake, store, NO_MODELS, as_of=NOW, out=tmp_path / "out", settings=settings, policy=ONJE,
        valuation=OWN, step=silently,
    )  # fmt: skip
    prices = store.conditions()
    assert prices.mail_price + prices.coupon_price + prices.unsubscribe_price > 0
    for one in done.budget:
        assert one["used"] <= one["limit"] + 1e-9
    plans = pl.read_parquet(done.folder / "decisions.parquet")
    assert plans.height == len(NAMES)
    told_of = plans.filter(pl.col("because").list.eval(
        pl.element().struct.field("code") == "budget_price").list.any()
    )  # fmt: skip
    assert told_of.height > 5
    store.close()
