"""The night's part of experiments that learn: what share of customers each arm gets from now on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from features.lake import Lake
from pipelines.exposures import acts_of, first_moment, units_of
from pipelines.settings import Settings
from serving.store.store import Store
from training.bandit import learnt_shares


def shares_learnt(
    lake: Lake, store: Store, *, versions: Mapping[str, int], now: datetime, settings: Settings
) -> dict[str, dict[str, float]]:
    """The shares of all bandits that run at `now` by what their arms have done until then.

    Those of experiments that run no more, or are no bandits, are not among them: receipts keep
    them. Nothing is written.
    """
    running = {
        name: one
        for name, one in settings.experiments.items()
        if one.split == "bandit" and one.runs_on(now.date())
    }
    if not running:
        return {}
    exposures = store.exposures_since(min(first_moment(one) for one in running.values()))
    acts = acts_of(lake, versions=versions, now=now, settings=settings)
    return {
        name: learnt_shares(
            units_of(name, one, exposures, acts, now=now, settings=settings),
            one.arms,
            settings.training.experiments.least_share,
        )
        for name, one in running.items()
    }
