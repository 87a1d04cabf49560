"""Prices of budgets: they keep the budget, they cost as little as can be, night and live agree."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.history import to_history
from features.lake import Lake
from features.tables import CUSTOMERS, EVENTS
from pipelines.budget import used_by, within
from pipelines.console import silently
from pipelines.prices import COUNTED, NO_PRICES, Prices, limits_of, prices_of
from pipelines.rescore import ONJE, rescore
from pipelines.settings import load_settings
from serving.answer import answer
from serving.budget_settings import BudgetSettings
from serving.conditions import NO_CONDITIONS
from serving.invariants import BrokenInvariant
from serving.knowledge import Knowledge
from serving.models import NO_MODELS
from serving.receipts import decision_hash
from serving.store.store import Store
from serving.valuation import OWN
from tests.pipelines.test_settings import ROOT
from tests.serving.histories import NO_MAIL, requests, shelf
from tests.serving.shop import NOW

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


# Each budget alone, on one night of 400 customers of four e-mails each.
ALONE = {"mails_per_day": 150, "coupons_per_week": 210, "unsubscribes_per_week": 1.75}


@pytest.mark.parametrize("name", ALONE)
def test_each_budget_changes_who_gets_what(name):
    offered, none = arms(1, 400, 4), dict.fromkeys(ALONE, 0)
    free, bound = (
        chosen(offered, prices_of(offered, limits_of(BudgetSettings(**budget))))
        for budget in (none, {**none, name: ALONE[name]})
    )
    assert bound.height < free.height


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
    assert (
        alone.get_column("value").sum() >= best - values.max(axis=1)[values.max(axis=1) > 0].min()
    )


def carts() -> pl.DataFrame:
    """Sixty customers with a cart each, whose baskets differ."""
    base = {"known_at": None, "channel": "web", "source": "test", "currency": "USD"}
    rows = []
    for number, name in enumerate(NAMES):
        acts = [
            {"kind": "consent", "at": NOW - timedelta(days=300), "channel": "email",
             "reason": "granted"},
            {"kind": "order", "at": NOW - timedelta(days=12), "order_id": f"o {name}",
             "product_id": "bread", "quantity": 1.0, "amount": Decimal(5 + number)},
            {"kind": "cart_add", "at": NOW - timedelta(hours=3), "product_id": "bun",
             "quantity": 1.0},
        ]  # fmt: skip
        rows += [
            base | act | {"customer_id": name, "event_id": f"{name} {place}", "known_at": act["at"]}
            for place, act in enumerate(acts)
        ]
    return EVENTS.shape(pl.DataFrame(rows, infer_schema_length=None))


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A night under budgets that bind: what was told, the plans, and what was known."""
    folder = tmp_path_factory.mktemp("night")
    settings = load_settings(ROOT / "onje.toml", [{"budget": BOUND}])
    lake = Lake(folder / "lake")
    lake.append("products", shelf())
    people = {"customer_id": NAMES, "known_at": [NOW - timedelta(days=300)] * len(NAMES)}
    lake.append("customers", CUSTOMERS.shape(pl.DataFrame(people)))
    lake.merge_events(carts())
    store = Store.open(f"sqlite:///{folder / 'store.db'}", patience_s=5)
    done = rescore(
        lake, store, NO_MODELS, as_of=NOW, out=folder / "out", settings=settings, policy=ONJE,
        valuation=OWN, step=silently,
    )  # fmt: skip
    knowledge = Knowledge(
        history=to_history(lake.read("events"), lake.read("products"), settings=settings.features),
        customers=lake.read("customers"),
        products=lake.read("products"),
        mail=NO_MAIL,
        conditions=store.conditions(),
        lake_versions={},
    )
    store.close()
    return done, pl.read_parquet(done.folder / "decisions.parquet"), knowledge, settings


def codes(decisions: pl.DataFrame) -> pl.Series:
    told = pl.col("because").list.eval(pl.element().struct.field("code"))
    return decisions.select(told.alias("codes")).to_series()


def test_a_night_keeps_its_budgets_and_tells_the_prices(night):
    done, plans, knowledge, _ = night
    assert plans.height == len(NAMES)
    assert {one["of"] for one in done.budget} == {"mails", "coupons", "unsubscribes"}
    prices = asdict(knowledge.conditions)
    for one in done.budget:
        assert one["used"] <= one["limit"] + 1e-9
        assert one["price"] == prices[COUNTED[one["of"]]]
    assert max(one["used"] / one["limit"] for one in done.budget) > 0.8
    assert sum(one["price"] for one in done.budget) > 0
    waits = plans.filter(codes(plans).list.contains("budget_price"))
    assert waits.height > 5
    assert set(waits["action"]) == {"wait"}


def test_night_and_live_agree_but_for_those_cut_by_rounding(night):
    _, plans, knowledge, settings = night
    live = answer(
        requests(*NAMES), knowledge, NO_MODELS, settings=settings.serving,
        feature_settings=settings.features, valuation=OWN,
    )  # fmt: skip
    cut = codes(plans).list.contains("budget")
    assert cut.sum() <= 3
    for plan, said in zip(plans.rows(named=True), live.rows(named=True), strict=True):
        if "budget" not in {reason["code"] for reason in plan["because"]}:
            assert plan["hash"] == decision_hash(said), plan["customer_id"]


def test_what_is_over_a_budget_becomes_a_wait_the_least_worth_first(night):
    _, plans, _, settings = night
    sends = plans.filter(pl.col("action") == "send")
    most = sends.height - 2
    kept = within(plans.drop("hash"), {"mails": float(most)}, settings.serving)
    assert used_by(kept, settings.serving).height == most
    gone = kept.filter(codes(kept).list.contains("budget"))
    free = sends.filter(~pl.col("explored_email")).sort("value", "customer_id")
    assert set(gone["customer_id"]) == set(free["customer_id"].head(2))
    assert gone["email"].null_count() == gone["slots"].null_count() == 2
    # What was the chance of the e-mail is that of none.
    told = gone.explode("arms").unnest("arms", separator=".")
    sums = told.group_by("customer_id", "wait_propensity").agg(pl.col("arms.propensity").sum())
    for _, wait, others in sums.rows():
        assert wait + others == pytest.approx(1.0)
    assert gone["propensity"].to_list() == gone["wait_propensity"].to_list()


def test_only_a_night_of_onje_s_own_that_is_not_over_changes_what_is_in_force(
    tmp_path, monkeypatch
):
    settings = load_settings(ROOT / "onje.toml", [{"budget": BOUND}])
    lake = Lake(tmp_path / "lake")
    lake.append("products", shelf())
    people = {"customer_id": NAMES, "known_at": [NOW - timedelta(days=300)] * len(NAMES)}
    lake.append("customers", CUSTOMERS.shape(pl.DataFrame(people)))
    lake.merge_events(carts())
    base = {
        "channel": "email", "source": "test", "customer_id": "c001", "at": NOW - timedelta(days=1),
        "known_at": NOW - timedelta(days=1),
    }  # fmt: skip
    mails = [{**base, "event_id": kind, "kind": kind} for kind in ("deliver", "complaint")]
    lake.merge_events(EVENTS.shape(pl.DataFrame(mails)))
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}", patience_s=5)

    def night(as_of, policy):
        return rescore(
            lake, store, NO_MODELS, as_of=as_of, out=tmp_path / "out", settings=settings,
            policy=policy, valuation=OWN, step=silently,
        )  # fmt: skip

    latest = tmp_path / "out" / "latest"

    def standing():
        """The newest decisions of somebody, as they stand, and the table of scores."""
        plans = store.recent_decisions("c001", limit=9)
        scores = lake.versions().get("scores")
        return [(plan.decision_id, plan.state) for plan in plans], scores

    trial = night(NOW, "another")
    assert not trial.in_force and (trial.folder / "decisions.parquet").is_file()
    assert store.conditions() == NO_CONDITIONS
    assert not latest.is_symlink() and standing() == ([], None)
    this = night(NOW, ONJE)
    assert this.in_force
    kept, published = store.conditions(), standing()
    [(_, state)] = published[0]
    assert state == "issued"
    assert sum(asdict(kept)[price] for price in COUNTED.values()) > 0
    assert (kept.delivered_7d, kept.complaints_7d) == (1, 1)
    old = night(NOW - timedelta(days=60), ONJE)
    assert not old.in_force and (old.folder / "decisions.parquet").is_file()
    assert not night(NOW, "another").in_force
    assert store.conditions() == kept
    assert standing() == published and latest.readlink() == Path(this.run_id)
    with monkeypatch.context() as broken, pytest.raises(BrokenInvariant):
        broken.setattr("pipelines.rescore.decided", _never)
        night(NOW + timedelta(days=20), ONJE)
    assert store.conditions() == kept
    later = night(NOW + timedelta(days=20), ONJE)
    assert later.in_force and store.conditions().delivered_7d == 0
    assert latest.readlink() == Path(later.run_id)
    assert [state for _, state in standing()[0]] == ["issued", "superseded"]
    store.close()


def _never(*_args):
    raise BrokenInvariant("a row that must never be")
