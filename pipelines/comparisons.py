"""All experiments of a merchant as they stand: what `onje experiments` tells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import polars as pl

from features.lake import Lake
from pipelines.exposures import (
    acts_of,
    first_moment,
    money_of_customers,
    units_of,
    units_of_variants,
    variants_as_experiment,
)
from pipelines.settings import Settings
from serving.assignment import shares_of
from serving.experiment_settings import ExperimentSettings
from serving.store.exposures import EXPOSURES
from serving.store.store import Store
from training.evaluable import NotEvaluable
from training.evaluate import Interval
from training.experiment import ArmResult, Units, customers_missing, mismatch, results
from training.settings import ComparisonSettings
from training.uplift import holdout_uplift

State = Literal["not begun", "running", "over"]
HOLDOUT = "holdout"
OF_VARIANTS = ".variants"


@dataclass(frozen=True)
class Comparison:
    """One experiment as it stands; `shares` are those in force, `missing` about how many more."""

    name: str
    one: ExperimentSettings
    state: State
    shares: Mapping[str, float]
    units: Units
    arms: list[ArmResult]
    mismatch: str | None
    missing: int | None
    lift: float

    @property
    def verdict(self) -> str:
        """What it comes to, in words."""
        if self.mismatch:
            return f"do not trust it: {self.mismatch}"
        if not len(self.units):
            return "nobody's answer is known yet"
        first = self.arms[0].arm
        sure = [*_sure(self.arms, first)]
        if sure:
            return "; ".join(sure)
        if self.missing is None:
            return "too few answers to say anything"
        change = f"a change of {100 * self.lift:g} %"
        if self.missing:
            return (
                f"no difference is sure; about {_rounded(self.missing):,} more customers "
                f"find {change} with one look at the end, and looking all along takes more"
            )
        return f"no difference is sure, with customers enough to find {change}"

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "experiment": self.name,
            "email": self.one.email,
            "factor": self.one.factor,
            "split": self.one.split,
            "metric": self.one.metric,
            "outcome_days": self.one.outcome_days,
            "state": self.state,
            "customers": len(self.units),
            "arms": [
                {
                    "arm": told.arm,
                    "share": self.shares[told.arm],
                    "customers": told.customers,
                    "answered": told.answered,
                    "mean": told.mean,
                    "effect": _as_json(told.effect),
                }
                for told in self.arms
            ],
            "mismatch": self.mismatch,
            "needs_more": self.missing,
            "verdict": self.verdict,
        }


def comparisons(
    lake: Lake, store: Store, *, now: datetime, settings: Settings
) -> tuple[list[Comparison], pl.DataFrame]:
    """Each experiment of onje.toml, then the variants of each e-mail that has some; and the acts.

    Nothing is written; what came in online since the last `onje compact` is not counted yet.
    """
    acts = acts_of(lake, versions=lake.versions(), now=now, settings=settings)
    found = settings.experiments
    since = min((first_moment(one) for one in found.values()), default=now)
    exposures = store.exposures_since(since) if found else EXPOSURES.to_frame()
    learnt = store.conditions().shares
    told = [
        _compared(
            name,
            one,
            units_of(name, one, exposures, acts, now=now, settings=settings),
            shares_of(name, one, learnt),
            now=now,
            settings=settings.training.experiments,
        )
        for name, one in found.items()
    ]
    days = settings.training.response.click_days
    for email, written in settings.emails.items():
        if len(written.variants) > 1:
            as_one = variants_as_experiment(settings, email, days=days)
            units = units_of_variants(email, as_one, acts, now=now, settings=settings)
            told.append(
                _compared(
                    f"{email}{OF_VARIANTS}",
                    as_one,
                    units,
                    as_one.fixed_shares,
                    now=now,
                    settings=settings.training.experiments,
                )
            )
    return told, acts


def holdout_told(
    acts: pl.DataFrame, store: Store, *, now: datetime, settings: Settings
) -> Interval | NotEvaluable:
    """Margin per customer that mailing has brought since the first live decision.

    Where the share of customers held out has changed since, those who were held out for a part of
    the time alone are left out.
    """
    since = store.conditions().launched_at
    if since is None or since >= now:
        return NotEvaluable("no decision was made live yet")
    shares = _holdout_shares(store, settings)
    money = money_of_customers(
        acts, since=since, until=now, holdout_shares=shares, settings=settings
    )
    if money.is_empty():
        return NotEvaluable("nobody was known before the first live decision")
    treated = money.get_column("treated").to_numpy()
    before = money.get_column("before").to_numpy()
    found = holdout_uplift(
        money.get_column("after").to_numpy(),
        treated,
        np.arange(len(money)),
        before=before if before.any() else None,
        level=settings.training.experiments.level,
    )
    if isinstance(found, NotEvaluable) and len(shares) > 1:
        were = ", ".join(f"{share:g}" for share in sorted(shares))
        return NotEvaluable(
            f"{found.reason}; holdout_share was {were} since the first live decision, and only who "
            "was held out all the time, or never, is counted"
        )
    return found


def _holdout_shares(store: Store, settings: Settings) -> set[float]:
    """Those in force now and whenever a live decision was made."""
    of_today = settings.policy.holdout_share
    others = store.settings_lived_under(lambda text: _holdout_share(text) != of_today)
    return {of_today, *map(_holdout_share, others)}


def _holdout_share(kept_settings: str) -> float:
    share: float = json.loads(kept_settings)["serving"]["policy"]["holdout_share"]
    return share


def _compared(
    name: str,
    one: ExperimentSettings,
    units: Units,
    shares: Mapping[str, float],
    *,
    now: datetime,
    settings: ComparisonSettings,
) -> Comparison:
    state: State = "not begun" if now.date() < one.started_on else "over"
    if one.runs_on(now.date()):
        state = "running"
    return Comparison(
        name=name,
        one=one,
        state=state,
        shares=shares,
        units=units,
        arms=results(units, one.arms, settings),
        mismatch=mismatch(units, settings),
        missing=customers_missing(units, len(one.arms), one.metric, settings),
        lift=settings.lift,
    )


def _sure(arms: list[ArmResult], first: str) -> Iterator[str]:
    for told in arms:
        if isinstance(told.effect, Interval) and told.effect.low > 0:
            yield f"{told.arm} brings more than {first}"
        elif isinstance(told.effect, Interval) and told.effect.high < 0:
            yield f"{told.arm} brings less than {first}"


def _as_json(effect: Interval | NotEvaluable | None) -> dict[str, Any] | str | None:
    if isinstance(effect, Interval):
        return asdict(effect)
    return effect.reason if effect else None


def _rounded(count: int) -> int:
    """Two digits say all that such a number knows; upwards."""
    step: int = 10 ** max(0, len(str(count)) - 2)
    return -(-count // step) * step
