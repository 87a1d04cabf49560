"""The historic log misleads whoever reads it plainly, in the ways in which real logs do."""

from functools import lru_cache

import polars as pl
import pytest

from features.localtime import local_of
from pipelines.simulator.past_mail import send_history
from pipelines.simulator.run import begin
from pipelines.simulator.world import create
from pipelines.simulator.worlds import known_world
from tests.pipelines.simulator.shop import of_kind


@lru_cache
def mails_of(name):
    """One row per mail: opened, clicked, local hour, how many the customer got within the month."""
    world = create(known_world(name), customers=6_000, history_weeks=13, weeks=0, seed=2)
    run = begin(world)
    send_history(world, run)
    seen = run.events(world.start)
    opened = of_kind(seen, "open").filter(~pl.col("machine").fill_null(False))["message_id"]
    zone = world.customers.select("customer_id", pl.col("timezone").fill_null("Etc/UTC"))
    sent = of_kind(seen, "send").unique("message_id").join(zone, on="customer_id").sort("at")
    return sent.with_columns(
        opened=pl.col("message_id").is_in(opened.implode()),
        hour=local_of(sent["at"], sent["timezone"]).dt.hour(),
        sender_hour=local_of(sent["at"], pl.Series(["America/New_York"])).dt.hour(),
        weekday=local_of(sent["at"], pl.Series(["America/New_York"])).dt.weekday(),
        mails=pl.col("message_id").count().over("customer_id"),
    )


@pytest.mark.parametrize("name", ["default", "confounded"])
def test_the_raw_open_rate_is_best_at_three_in_the_night(name):
    rates = mails_of(name).group_by("hour").agg(pl.col("opened").mean(), n=pl.len())
    often = rates.filter(pl.col("n") > 50).sort("opened", descending=True)
    assert often["hour"][0] == 3
    assert often["opened"][0] > 1.3 * mails_of(name)["opened"].mean()


def test_the_artefact_is_stronger_where_the_world_is_confounded():
    def at_night(name):
        return mails_of(name)["hour"].is_between(2, 4).sum() - by_day(name)

    def by_day(name):
        return mails_of(name).filter(pl.col("email") == "recommendation")["hour"].is_between(
            2, 4
        ).sum()  # fmt: skip

    assert at_night("confounded") > 1.5 * at_night("default")


def test_whoever_opens_is_sent_more():
    mails = mails_of("default")
    middle = mails["mails"].median()
    rates = mails.group_by(pl.col("mails") > middle).agg(pl.col("opened").mean()).sort("mails")
    few, many = rates["opened"]
    assert many > 1.15 * few


def test_most_mail_leaves_on_weekday_mornings_of_the_sender():
    mails = mails_of("default")
    assert 0.5 < mails["sender_hour"].is_between(7, 9).mean() < 0.75
    assert mails["weekday"].is_between(1, 5).mean() > 0.9


def test_nobody_who_declined_is_mailed_and_nobody_twice_within_a_night():
    world = create(known_world("default"), customers=1_000, history_weeks=8, weeks=0, seed=4)
    run = begin(world)
    send_history(world, run)
    sends = of_kind(run.events(world.start), "send").unique("message_id")
    consents = dict(zip(world.truth.population.names, world.truth.population.consents, strict=True))
    assert all(consents[customer] for customer in sends["customer_id"].unique())
    gaps = sends.sort("customer_id", "at").select(
        pl.col("at").diff().over("customer_id").drop_nulls()
    )
    assert gaps["at"].min().total_seconds() >= 20 * 3600
