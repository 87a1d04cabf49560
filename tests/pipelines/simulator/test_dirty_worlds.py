"""The worlds that are known for their dirt have as much of it as they are known for."""

import polars as pl
import pytest

from features.once import unique_events
from pipelines.simulator.past_mail import send_history
from pipelines.simulator.run import begin
from pipelines.simulator.world import START, create
from pipelines.simulator.worlds import known_world


def share_of(kind, mark, world, *, seed):
    """How many events of that kind in a past carry the mark of a machine in their id."""
    made = create(known_world(world), customers=2_500, history_weeks=26, weeks=0, seed=seed)
    run = begin(made)
    send_history(made, run)
    seen = run.events(START).filter(pl.col("kind") == kind)
    return unique_events(seen)["event_id"].str.contains(mark, literal=True).mean()


def test_in_mpp_six_of_ten_opens_are_those_of_mail_apps():
    assert share_of("open", ":fetch", "mpp", seed=1) == pytest.approx(0.6, abs=0.04)


def test_in_bot_flood_a_third_of_the_clicks_are_those_of_scanners():
    shares = [share_of("click", ":scan:", "bot-flood", seed=seed) for seed in (1, 2)]
    assert sum(shares) / 2 == pytest.approx(1 / 3, abs=0.05)
