"""The truth about mails: what moves it, in which direction, and by how much."""

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from features.errors import DataError
from pipelines.simulator.arrays import DAY, micros, moment
from pipelines.simulator.clock import ZONES
from pipelines.simulator.population import Population
from pipelines.simulator.run import begin
from pipelines.simulator.world import create
from pipelines.simulator.worlds import known_world
from tests.pipelines.simulator.shop import everybody, in_days, mails


@lru_cache
def world_of(name):
    return create(known_world(name), customers=3_000, history_weeks=8, weeks=4, seed=3)


def run_at(world, days=0):
    run = begin(world)
    run.pass_time(in_days(world, days))
    return run


def chances_at_local_hour(world, run, who, zones, day, hour):
    at = [datetime(*day, hour, 30, tzinfo=ZoneInfo(zone)) for zone in zones]
    block = mails(world, who, at, trigger="coupon_by_category")
    return run.chances(block)["click"].to_numpy()


def by_local_hour(world, hours):
    """Clicks of all customers: (weekday, weekend) x hour x customer."""
    run = run_at(world)
    who = everybody(world, at=world.start)
    zone = world.truth.population.zone[: len(world.customers)]
    known = world.truth.population.signed_up < micros(world.start)
    zones = [list(ZONES)[z] for z in zone[known]]
    return np.array(
        [
            [chances_at_local_hour(world, run, who, zones, day, hour) for hour in hours]
            for day in ((2026, 3, 4), (2026, 3, 7))
        ]
    )


def test_without_an_effect_of_the_hour_chances_do_not_depend_on_it():
    world = world_of("null-hour")
    clicks = by_local_hour(world, [9, 13, 20])
    # Whoever leaves the shop for good on one of these days clicks less from then on.
    people = world.truth.population
    there = people.signed_up < micros(world.start)
    leaves = people.leaves[there]
    stays = (leaves < micros(world.start)) | (leaves > micros(in_days(world, 8)))
    assert clicks.max() > 0
    assert np.allclose(clicks[:, 1:, stays], clicks[:, :1, stays], rtol=1e-9, atol=0)


@pytest.mark.parametrize(("name", "gain"), [("small-hour", 0.05), ("strong-hour", 0.25)])
def test_own_best_hours_beat_the_best_hour_for_all_by_what_the_world_says(name, gain):
    clicks = by_local_hour(world_of(name), range(8, 21))
    week = np.array([5 / 7, 2 / 7])
    own = week @ clicks.max(axis=1).sum(axis=-1)
    everyones = (week @ clicks.sum(axis=-1)).max()
    # Not all customers have signed up yet, for whom the strength was solved.
    assert own / everyones - 1 == pytest.approx(gain, abs=0.01)


def told(world, run=None, **mail):
    run = run or run_at(world)
    who = everybody(world, at=world.start)
    return run.chances(mails(world, who, in_days(world, 0, 15), **mail))


def test_products_to_the_taste_are_clicked_more_and_annoy_less():
    world = world_of("default")
    people = world.truth.population
    names = world.products["product_id"]
    best = people.tastes[0].argmax(axis=1)[0]
    worst = people.tastes[0].argmin(axis=1)[0]
    one = everybody(world, at=world.start)[:1]
    run = run_at(world)

    def of(category):
        shown = [names[int(category) * 40 + place] for place in range(35, 38)]
        return run.chances(mails(world, one, in_days(world, 0, 15), products=shown)).row(
            0, named=True
        )

    assert of(best)["click"] > 1.5 * of(worst)["click"]
    assert of(best)["unsubscribe"] < of(worst)["unsubscribe"]


def test_a_trigger_nobody_has_heard_of_works_like_a_newsletter():
    world = world_of("default")
    plain, unknown = told(world), told(world, trigger="horoscope")
    wording = unknown["click"].sum() / plain["click"].sum()
    assert 0.78 < wording < 1.28
    assert unknown["order"].sum() / plain["order"].sum() == pytest.approx(wording, rel=0.01)


def test_recent_mails_lower_clicks_and_raise_unsubscribes_until_they_are_forgotten():
    world = world_of("fatigue")
    calm = run_at(world)
    pressed = calm.fork()
    who = everybody(world, at=world.start)
    pressed.send(mails(world, who, in_days(world, 0, 1)))

    def ratio(days, column):
        block = mails(world, who, in_days(world, days))
        both = pl.DataFrame(
            {"calm": calm.chances(block)[column], "pressed": pressed.chances(block)[column]}
        ).drop_nulls()
        return both["pressed"].sum() / both["calm"].sum()

    assert ratio(1, "click") == pytest.approx(np.exp(-0.35 * np.exp(-23 / 24 / 5)), abs=0.01)
    assert ratio(1, "unsubscribe") > 2
    assert ratio(14, "click") > ratio(3, "click") > ratio(1, "click")
    assert ratio(14, "unsubscribe") < 1.15


def test_a_cart_reminder_is_worth_most_within_hours_and_little_after_a_day():
    world = world_of("null-hour")
    carts = world.life.events.filter(
        pl.col("kind") == "cart_add", pl.col("order").is_null(), pl.col("at") > 0
    )
    start = micros(world.start)
    cart = carts.filter(pl.col("at").is_between(start, start + 10 * DAY)).row(5, named=True)
    customer = world.truth.population.names[cart["customer"]]
    left_at = moment(cart["at"])
    run = begin(world)
    run.pass_time(left_at + timedelta(seconds=1))
    block = mails(
        world,
        [customer] * 3,
        [left_at + timedelta(hours=h) for h in (1, 10, 25)],
        trigger="cart_reminder",
    )
    soon, later, too_late = run.chances(block)["click"]
    assert soon > 2 * later > 2 * too_late
    reach = run.chances(mails(world, [customer], left_at + timedelta(hours=30)))["click"][0]
    assert too_late == pytest.approx(0.12 * reach * 0.070 / 0.011, rel=0.3)


def test_a_discount_costs_money_on_orders_that_would_have_come_anyway():
    world = world_of("default")
    without, with_coupon = told(world), told(world, discount=0.2)
    assert with_coupon["order"].sum() > without["order"].sum()
    assert with_coupon["margin"].sum() < without["margin"].sum()


def test_where_mail_does_nothing_it_costs_what_sending_costs():
    world = world_of("null-everything")
    found = told(world, discount=0.2, send_cost=0.003)
    assert found["click"].sum() > 0
    for column in ("order", "unsubscribe", "complaint"):
        assert found[column].sum() == 0
    assert found["margin"].unique().to_list() == found["value"].unique().to_list() == [-0.003]


def test_value_is_margin_less_what_is_lost_for_later():
    found = told(world_of("default"))
    assert (found["value"] <= found["margin"]).all()
    assert (found["value"] < found["margin"]).mean() > 0.9
    worse = told(world_of("fatigue"))
    lost = (found["margin"] - found["value"]).sum()
    assert (worse["margin"] - worse["value"]).sum() > 1.5 * lost


def test_somebody_unknown_is_refused():
    world = world_of("default")
    with pytest.raises(DataError, match="nobody in this world is called 'c9'"):
        begin(world).chances(mails(world, ["c9"], in_days(world, 0)))


def test_a_frame_without_its_columns_is_refused():
    world = world_of("default")
    block = mails(world, ["c000001"], in_days(world, 0)).drop("discount")
    with pytest.raises(DataError, match="no column discount"):
        begin(world).chances(block)


def test_what_drifts_drifts_when_the_evaluation_starts():
    world = world_of("drift")
    people: Population = world.truth.population
    changed = (people.rhythm[0] != people.rhythm[1]).any(axis=(1, 2))
    assert changed.mean() == pytest.approx(0.5, abs=0.04)
    assert ((people.tastes[0] != people.tastes[1]).any(axis=1) == changed).all()
    start = people.changes_at
    assert people.era(np.array([start - 1, start])).tolist() == [0, 1]
