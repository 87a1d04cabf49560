"""The truth of a simulated shop as a matrix: what a newsletter brings at six hours of a day."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from pipelines.simulator.run import begin
from pipelines.simulator.world import create
from pipelines.simulator.worlds import known_world
from training.evaluate import Floats

WORLD = "rich"
HOURS = (6, 9, 12, 15, 18, 21)


def simulated_chances(*, customers: int, seed: int) -> Floats:
    """Chances of a click [customers, hours] on the first Tuesday: the hidden truth."""
    world = create(known_world(WORLD), customers=customers, history_weeks=1, weeks=1, seed=seed)
    run = begin(world)
    mails = world.customers.select("customer_id").with_columns(
        email=pl.lit("newsletter"),
        trigger=pl.lit("newsletter"),
        variant=pl.lit("plain"),
        products=pl.lit([], dtype=pl.List(pl.String)),
        discount=pl.lit(0.0),
        send_cost=pl.lit(0.0),
    )
    clicks = [
        run.chances(mails.with_columns(at=pl.lit(world.start + timedelta(days=1, hours=hour))))
        for hour in HOURS
    ]
    chances = np.stack([one.get_column("click").to_numpy() for one in clicks], axis=1)
    is_there = ~np.isnan(chances).any(axis=1)
    # Some never click, and the mood of some weeks adds to the chance of others.
    return np.clip(chances[is_there], 1e-6, 0.5)
