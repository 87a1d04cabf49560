"""Results of several policies and seeds side by side, with intervals.

Policies of one seed meet the same customers with the same luck, so differences are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse
from scipy.stats import t as student

from pipelines.evaluation.logged import verdict_of
from pipelines.evaluation.names import NOBODY, ONJE, ORACLE, POLICIES, RULES
from pipelines.evaluation.plan import Plan
from pipelines.evaluation.result import Result
from pipelines.settings import Settings
from pipelines.simulator.world import START
from training.evaluable import NotEvaluable
from training.evaluate import Interval, Metric, intervals, mean
from training.gate import Verdict
from training.settings import ResamplingSettings
from training.uplift import holdout_uplift

# With fewer seeds the spread between them says nothing.
SEEDS_FOR_INTERVAL = 3
TOTALS = ("margin", "gain", "orders", "unsubscribes", "complaints", "mails")


@dataclass(frozen=True)
class Line:
    """One policy; totals are means over seeds, of all customers of one world together.

    `over_seeds` holds the interval of each total, empty with fewer than SEEDS_FOR_INTERVAL seeds.
    `over_nobody` is margin per customer beyond the world without mail, `share` is the part of the
    oracle's gain over the rules that it reaches.
    """

    policy: str
    totals: Mapping[str, float]
    over_seeds: Mapping[str, Interval]
    mails_per_customer: float
    over_nobody: Interval | NotEvaluable
    share: Interval | NotEvaluable
    fixed: str | None


@dataclass(frozen=True)
class Comparison:
    """`uplift` of Onje per customer is measured by the holdout, as a merchant would have to.

    `regret`: by policy the sum, week by week, of what the oracle's mails were expected to add to
    the margin beyond its own, mean over seeds; empty without an oracle. `verdict`: whether Onje may
    replace the rules, as the gate judges from Onje's own log; None where it did not play.
    """

    plan: Plan
    lines: tuple[Line, ...]
    uplift: Interval | NotEvaluable
    regret: Mapping[str, tuple[float, ...]]
    verdict: Verdict | None

    def as_dict(self) -> dict[str, Any]:
        """The comparison as plain JSON."""
        return {
            "world": self.plan.world,
            "synthetic": True,
            "customers": self.plan.customers,
            "weeks": self.plan.weeks,
            "history_weeks": self.plan.history_weeks,
            "every_days": self.plan.every_days,
            "seeds": list(self.plan.seeds),
            "policies": [_line_as_dict(line) for line in self.lines],
            "uplift": _as_json(self.uplift),
            "regret": {policy: list(sums) for policy, sums in self.regret.items()},
            "gate": self.verdict
            and {
                "promote": self.verdict.promote,
                "reasons": list(self.verdict.reasons),
            },
        }


def compare(plan: Plan, results: Sequence[Result], *, settings: Settings) -> Comparison:
    """Put the results, one per policy and seed of the plan, side by side."""
    resampling = settings.training.resampling
    by_policy = {
        policy: [one for one in results if one.figures.policy == policy] for policy in plan.policies
    }
    customers = {policy: _customers(ones) for policy, ones in by_policy.items()}
    gains = {policy: frame.get_column("gain").to_numpy() for policy, frame in customers.items()}
    return Comparison(
        plan,
        tuple(
            _line(policy, plan, by_policy[policy], customers, gains, resampling)
            for policy in plan.policies
        ),
        _uplift(customers.get(ONJE), resampling),
        _regret(by_policy, plan),
        _verdict(by_policy.get(ONJE, ()), settings),
    )


def _customers(results: Sequence[Result]) -> pl.DataFrame:
    """All customers of all seeds, in the same order for every policy."""
    frames = [
        one.customers.sort("customer_id").with_columns(seed=pl.lit(one.figures.seed))
        for one in results
    ]
    return pl.concat(frames)


def _line(
    policy: str,
    plan: Plan,
    results: Sequence[Result],
    customers: Mapping[str, pl.DataFrame],
    gains: Mapping[str, Any],
    resampling: ResamplingSettings,
) -> Line:
    found = {
        name: np.array([float(getattr(one.figures, name)) for one in results]) for name in TOTALS
    }
    totals = {name: float(values.mean()) for name, values in found.items()}
    over_seeds = {
        name: _over_seeds(values, resampling)
        for name, values in found.items()
        if len(values) >= SEEDS_FOR_INTERVAL
    }
    return Line(
        policy,
        totals,
        over_seeds,
        totals["mails"] / plan.customers,
        _over_nobody(policy, customers, resampling),
        _share(policy, customers, gains, resampling),
        results[0].figures.fixed,
    )


def _over_nobody(
    policy: str, customers: Mapping[str, pl.DataFrame], resampling: ResamplingSettings
) -> Interval | NotEvaluable:
    if NOBODY not in customers:
        return NotEvaluable(f"the policy {NOBODY} was not played")
    alone = customers[NOBODY].get_column("margin")
    gained = (customers[policy].get_column("margin") - alone).to_numpy()
    seeds = customers[policy].get_column("seed").to_numpy()
    by_seed = np.array([gained[seeds == seed].mean() for seed in np.unique(seeds)])
    if len(by_seed) >= SEEDS_FOR_INTERVAL:
        return _over_seeds(by_seed, resampling)
    everyone = np.arange(len(gained))
    return intervals({"gain": mean(gained)}, everyone, settings=resampling)["gain"]


def _share(
    policy: str,
    customers: Mapping[str, pl.DataFrame],
    gains: Mapping[str, Any],
    resampling: ResamplingSettings,
) -> Interval | NotEvaluable:
    """(policy - rules) / (oracle - rules), of customers outside the holdout."""
    missing = [name for name in (RULES, ORACLE) if name not in customers]
    if missing:
        return NotEvaluable(f"{' and '.join(missing)} did not play")
    outside = ~customers[policy].get_column("holdout").to_numpy()
    own, rules, oracle = (gains[name][outside] for name in (policy, RULES, ORACLE))
    seeds = customers[policy].get_column("seed").to_numpy()[outside]
    found = intervals(
        {"gain": mean(oracle), "lead": mean(oracle - rules)},
        np.arange(len(own)),
        settings=resampling,
    )
    if found["gain"].low <= 0:
        return NotEvaluable("in this world no mail surely earns more than it costs to send")
    if found["lead"].low <= 0:
        return NotEvaluable("in this world the oracle itself is not surely better than the rules")
    by_seed = np.array(
        [
            (own - rules)[seeds == seed].sum() / (oracle - rules)[seeds == seed].sum()
            for seed in np.unique(seeds)
        ]
    )
    if len(by_seed) >= SEEDS_FOR_INTERVAL:
        return _over_seeds(by_seed, resampling)
    ratio = Metric(
        sparse.csr_array(np.stack([own - rules, oracle - rules])),
        lambda sums: sums[0] / sums[1],
        least=-np.inf,
        most=np.inf,
    )
    return intervals({"share": ratio}, np.arange(len(own)), settings=resampling)["share"]


def _over_seeds(values: Any, resampling: ResamplingSettings) -> Interval:
    """The mean over worlds of different seeds, with Student's interval."""
    count = len(values)
    error = values.std(ddof=1) / np.sqrt(count)
    wide = float(student.ppf((1 + resampling.level) / 2, count - 1) * error)
    middle = float(values.mean())
    return Interval(middle - wide, middle, middle + wide)


def _uplift(
    customers: pl.DataFrame | None, resampling: ResamplingSettings
) -> Interval | NotEvaluable:
    if customers is None:
        return NotEvaluable(f"the policy {ONJE} was not played")
    return holdout_uplift(
        customers.get_column("margin").to_numpy(),
        treated=~customers.get_column("holdout").to_numpy(),
        customers=np.arange(customers.height),
        before=customers.get_column("before").to_numpy(),
        level=resampling.level,
    )


def _verdict(results: Sequence[Result], settings: Settings) -> Verdict | None:
    logs = [
        one.log.with_columns(customer_id=pl.format(f"{one.figures.seed} {{}}", "customer_id"))
        for one in results
    ]
    if not logs:
        return None
    return verdict_of(pl.concat(logs), list(settings.emails), settings=settings.training.offpolicy)


def _regret(by_policy: Mapping[str, Sequence[Result]], plan: Plan) -> dict[str, tuple[float, ...]]:
    if ORACLE not in by_policy:
        return {}
    weekly = {policy: _weekly_gain(ones, plan) for policy, ones in by_policy.items()}
    return {
        policy: tuple(np.cumsum(weekly[ORACLE] - gain).round(6).tolist())
        for policy, gain in weekly.items()
    }


def _weekly_gain(results: Sequence[Result], plan: Plan) -> Any:
    mails = pl.concat([one.mails for one in results])
    week = (mails.get_column("at") - START).dt.total_days() // 7
    return np.bincount(week, mails.get_column("gain"), plan.weeks) / len(results)


def _line_as_dict(line: Line) -> dict[str, Any]:
    return {
        "policy": line.policy,
        "means": POLICIES[line.policy],
        **{name: round(value, 4) for name, value in line.totals.items()},
        "over_seeds": {name: _as_json(found) for name, found in line.over_seeds.items()},
        "mails_per_customer": round(line.mails_per_customer, 4),
        "margin_per_customer_over_nobody": _as_json(line.over_nobody),
        "share_of_oracle": _as_json(line.share),
        "fixed": line.fixed,
    }


def _as_json(found: Interval | NotEvaluable) -> dict[str, Any]:
    if isinstance(found, NotEvaluable):
        return {"low": None, "estimate": None, "high": None, "reason": found.reason}
    return {"low": found.low, "estimate": found.estimate, "high": found.high}
