"""Results side by side: hand-made ones, whose comparison can be worked out on paper."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from pipelines.evaluation.compare import compare
from pipelines.evaluation.logged import LOG
from pipelines.evaluation.names import FIXED, NOBODY, ONJE, ORACLE, POLICIES, RULES
from pipelines.evaluation.plan import planned
from pipelines.evaluation.result import Figures, Result, load, save
from pipelines.settings import load_settings
from pipelines.simulator.world import START
from training.evaluable import NotEvaluable

ROOT = Path(__file__).parents[3]
CUSTOMERS = 400


@pytest.fixture(scope="module")
def settings():
    return load_settings(ROOT / "onje.toml", [])


def plan_of(policies, seeds=1):
    return planned(
        world="default", customers=CUSTOMERS, history_weeks=8, weeks=2, every_days=7,
        retrain_weeks=4, first_seed=1, seeds=seeds, policies=",".join(policies),
    )  # fmt: skip


def result_of(policy, *, gain, seed=1, margin=None, weekly=(0.0, 0.0)):
    """Every tenth customer is in the holdout; gains differ a little from one to the next."""
    number = pl.int_range(CUSTOMERS, eager=True)
    holdout = number % 10 == 0
    wobble = 1 + (number % 7 - 3) / 100
    gains = (wobble * gain).set(holdout, 0.0)
    customers = pl.DataFrame(
        {
            "customer_id": [f"c{place:03d}" for place in range(CUSTOMERS)],
            "holdout": holdout,
            "margin": 10 + gains if margin is None else margin,
            "orders": number * 0,
            "unsubscribes": number * 0,
            "complaints": number * 0,
            "mails": number * 0 + 2,
            "before": (number % 5).cast(pl.Float64),
            "gain": gains,
        }
    )
    figures = Figures(
        policy=policy, seed=seed, margin=float(customers["margin"].sum()), gain=float(gains.sum()),
        orders=0, unsubscribes=0, complaints=0, mails=2 * CUSTOMERS, explored=0,
        models={}, fixed=None,
    )  # fmt: skip
    mails = pl.DataFrame(
        {"at": [START + timedelta(days=2), START + timedelta(days=13)], "gain": list(weekly)}
    )
    return Result(figures, customers, mails, LOG.to_frame().with_columns(reward=pl.lit(0.0)))


def by_policy(comparison):
    return {line.policy: line for line in comparison.lines}


def test_half_of_the_way_from_rules_to_oracle_is_half(settings):
    policies = (NOBODY, RULES, ONJE, ORACLE)
    results = [
        result_of(policy, gain=gain)
        for policy, gain in zip(policies, (0.0, 1.0, 2.0, 3.0), strict=True)
    ]
    lines = by_policy(compare(plan_of(policies), results, settings=settings))
    assert lines[ONJE].share.estimate == pytest.approx(0.5)
    assert lines[ONJE].share.low <= 0.5 <= lines[ONJE].share.high
    assert lines[RULES].share.estimate == pytest.approx(0.0)
    assert lines[ORACLE].share.estimate == pytest.approx(1.0)
    # Nine in ten get mail, and the wobble is 1 on average but for the last incomplete week of it.
    assert lines[ORACLE].over_nobody.estimate == pytest.approx(2.7, rel=0.01)
    assert lines[ORACLE].mails_per_customer == 2


def test_the_customers_of_the_holdout_have_no_part_in_the_share(settings):
    policies = (RULES, ONJE, ORACLE)
    results = [
        result_of(policy, gain=gain) for policy, gain in zip(policies, (1, 2, 3), strict=True)
    ]
    absurd = results[1].customers.with_columns(gain=pl.when("holdout").then(1e6).otherwise("gain"))
    results[1] = replace(results[1], customers=absurd)
    lines = by_policy(compare(plan_of(policies), results, settings=settings))
    assert lines[ONJE].share.estimate == pytest.approx(0.5)


def test_where_the_oracle_gains_nothing_no_share_is_told(settings):
    policies = (RULES, ONJE, ORACLE)
    results = [result_of(policy, gain=1.0) for policy in policies]
    comparison = compare(plan_of(policies), results, settings=settings)
    assert isinstance(by_policy(comparison)[ONJE].share, NotEvaluable)
    shown = comparison.as_dict()["policies"][1]["share_of_oracle"]
    assert shown["estimate"] is None and "oracle" in shown["reason"]


def test_from_three_seeds_on_the_interval_is_over_seeds(settings):
    """Gains of 1, 2, 3 over three seeds: mean 2, and 4.303 x 1 / sqrt(3) either side of it."""
    results = [
        result_of(policy, gain=gain, seed=seed, margin=margin)
        for seed, gain in ((1, 1.0), (2, 2.0), (3, 3.0))
        for policy, margin in (
            (NOBODY, pl.repeat(10.0, CUSTOMERS, eager=True)),
            (FIXED, pl.repeat(10.0 + gain, CUSTOMERS, eager=True)),
        )
    ]
    plan = plan_of((NOBODY, FIXED), seeds=3)
    found = by_policy(compare(plan, results, settings=settings))[FIXED].over_nobody
    assert found.estimate == pytest.approx(2)
    assert found.high - found.estimate == pytest.approx(4.3027 / 3**0.5, rel=1e-3)
    total = by_policy(compare(plan, results, settings=settings))[FIXED].over_seeds["margin"]
    assert total.high - total.estimate == pytest.approx(400 * 4.3027 / 3**0.5, rel=1e-3)


def test_where_no_mail_pays_no_share_is_told(settings):
    """Rules lose what sending costs, and the oracle's whole lead is that it sends nothing."""
    policies = (RULES, ONJE, ORACLE)
    results = [
        result_of(policy, gain=gain) for policy, gain in zip(policies, (-1, -1, 0), strict=True)
    ]
    share = by_policy(compare(plan_of(policies), results, settings=settings))[ONJE].share
    assert isinstance(share, NotEvaluable) and "no mail surely earns" in share.reason


def test_regret_is_what_the_oracle_gained_beyond_week_by_week(settings):
    policies = (RULES, ORACLE)
    results = [
        result_of(RULES, gain=1, weekly=(5.0, 6.0)),
        result_of(ORACLE, gain=3, weekly=(8.0, 11.0)),
    ]
    regret = compare(plan_of(policies), results, settings=settings).regret
    assert regret == {RULES: (3.0, 8.0), ORACLE: (0.0, 0.0)}


def test_an_outcome_comes_back_as_it_was_kept(tmp_path):
    result = result_of(RULES, gain=1)
    assert load(tmp_path / "rules") is None
    save(result, tmp_path / "rules")
    again = load(tmp_path / "rules")
    assert again.figures == result.figures
    assert again.customers.equals(result.customers) and again.mails.equals(result.mails)


@pytest.mark.parametrize("broken", ["figures.json", "customers.parquet", "mails.parquet"])
def test_an_outcome_that_cannot_be_read_is_none(tmp_path, broken):
    save(result_of(RULES, gain=1), tmp_path / "rules")
    file = tmp_path / "rules" / broken
    file.write_bytes(file.read_bytes()[:20])
    assert load(tmp_path / "rules") is None
    file.unlink()
    assert load(tmp_path / "rules") is None


def test_the_page_on_evaluation_lists_the_policies_that_there_are():
    page = (ROOT / "docs" / "evaluation.md").read_text("utf-8")
    for policy, means in POLICIES.items():
        assert f"| `{policy}` | {means} |" in page
