"""The night's part of experiments that learn: what share of customers each arm gets from now on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from features.lake import Lake
from pipelines.exposures import acts_of, first_moment, units_of
from pipelines.settings import Settings
from serving.store.store import Store
from training.bandit import learnt_shares


def learn_shares(lake: Lake, store: Store, *, now: datetime, settings: Settings) -> None:
    """Keep the shares of all bandits that run at `now` by what their arms have done until then.

    Those of experiments that run no more, or are no bandits, are forgotten: receipts keep them.
    """
    running = {
        name: one
        for name, one in settings.experiments.items()
        if one.split == "bandit" and one.started_on <= now.date() <= one.ends_on
    }
    if running:
        exposures = store.exposures_since(min(first_moment(one) for one in running.values()))
        acts = acts_of(lake, now=now, settings=settings)
    shares = {
        name: learnt_shares(
            units_of(name, one, exposures, acts, now=now, settings=settings),
            one.arms,
            settings.training.experiments.least_share,
        )
        for name, one in running.items()
    }
    if shares != store.conditions().shares:
        store.change_conditions(lambda found: replace(found, shares=shares))
