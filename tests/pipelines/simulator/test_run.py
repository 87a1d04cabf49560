"""A run: what comes out of it is a proper log, the same each time, and its truth is true."""

from datetime import timedelta
from functools import lru_cache

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.once import unique_events
from features.tables import CUSTOMERS, EVENTS, PRODUCTS
from pipelines.simulator.arrays import DAY, micros
from pipelines.simulator.facts import CLICK_HOURS, FACTS, clicked_within
from pipelines.simulator.past_mail import send_history
from pipelines.simulator.response import own_order_within
from pipelines.simulator.run import begin
from pipelines.simulator.world import create
from pipelines.simulator.worlds import altered, known_world
from tests.pipelines.simulator.shop import everybody, in_days, mails, of_kind

CLEAN = {
    "mpp_share": 0.0, "gateway_share": 0.0, "soft_bounce_share": 0.0, "duplicate_share": 0.0,
    "late_share": 0.0,
}  # fmt: skip
FOREVER = 90


@lru_cache
def world_of(name="default", customers=2_000, seed=5, **changes):
    settings = altered(known_world(name), **changes)
    return create(settings, customers=customers, history_weeks=8, weeks=4, seed=seed)


@lru_cache
def with_history(name="default"):
    world = world_of(name)
    run = begin(world)
    send_history(world, run)
    return world, run


def after_history(name="default"):
    world, run = with_history(name)
    return world, run.fork()


def all_ledger(world, run):
    return run.ledger(world.begins - timedelta(days=1), in_days(world, FOREVER))


def test_the_same_seed_makes_the_same_world_and_another_seed_another():
    def log(seed):
        world = create(known_world("tiny"), customers=200, history_weeks=2, weeks=1, seed=seed)
        run = begin(world)
        send_history(world, run)
        return run.events(world.ends)

    assert_frame_equal(log(1), log(1))
    assert not log(1).equals(log(2))


def test_events_keep_the_contract_and_come_once_in_the_order_in_which_they_are_known():
    world, run = after_history()
    blocks = [run.events(in_days(world, days)) for days in (-30, -29, 0, 3, 3, 14, 21)]
    assert run.events(in_days(world, 14)).height == 0
    together = pl.concat(blocks)
    halves = EVENTS.split(together)
    assert halves.rejected.height == 0
    assert halves.accepted.height == together.height > 20_000
    assert together["known_at"].is_sorted()
    limits = (-30, -29, 0, 3, 3, 14, 21)
    for block, limit in zip(blocks, limits, strict=True):
        assert (block["known_at"] < in_days(world, limit)).all()
    # Each event once, apart from the copies that dirt makes.
    copies = together.height - unique_events(together).height
    assert 0 < copies < 0.01 * together.height
    CUSTOMERS.check(world.customers)
    PRODUCTS.check(world.products)
    assert set(together["customer_id"]) <= set(world.customers["customer_id"])


def test_blocks_do_not_matter():
    world, run = after_history()
    other = run.fork()
    at_once = run.events(in_days(world, 7))
    by_day = pl.concat([other.events(in_days(world, day)) for day in range(-56, 8)])
    order = ["event_id", "known_at"]
    assert_frame_equal(at_once.sort(order), by_day.sort(order))


def test_all_kinds_of_e_mail_and_of_events_occur():
    world, run = after_history()
    seen = run.events(world.start)
    assert seen["email"].drop_nulls().n_unique() == 7
    assert not set(seen["kind"].unique()) ^ {
        "signup", "consent", "profile", "session", "view", "search", "cart_add", "cart_remove",
        "checkout", "order", "refund", "redeem", "review", "send", "deliver", "open", "click",
        "bounce", "complaint", "unsubscribe",
    }  # fmt: skip
    named = of_kind(seen, "send", "deliver", "open", "click", "bounce", "unsubscribe")
    assert named["message_id"].null_count() == 0
    assert seen["decision_id"].null_count() == seen.height
    assert of_kind(seen, "order", "session")["message_id"].drop_nulls().len() == 0


def test_orders_follow_the_rhythm_by_the_local_clock():
    world, run = after_history()
    life = world.life.events.filter(pl.col("kind") == "session")
    people = world.truth.population
    who, at = life["customer"].to_numpy().astype(np.int64), life["at"].to_numpy()
    zone = people.zone[who]
    weight = people.rhythm[0, who, world.truth.clock.is_weekend(zone, at),
                           world.truth.clock.hour(zone, at)]  # fmt: skip
    # Drawn in proportion to the rhythm, visits fall where it is E[r^2] / E[r] high on average.
    expected = (people.rhythm[0, who] ** 2).mean(axis=(1, 2))
    assert weight.mean() == pytest.approx(expected.mean(), rel=0.05)


def test_mail_that_does_nothing_changes_nothing_but_the_cost_of_sending():
    world = world_of("null-everything")
    mailed, silent = begin(world), begin(world)
    send_history(world, mailed)
    who = everybody(world, at=world.start)
    mailed.send(mails(world, who, in_days(world, 1), discount=0.3))
    ledger, nobody = all_ledger(world, mailed), all_ledger(world, silent)
    assert ledger["mails"].sum() > 5 * world.customers.height
    for column in ("orders", "unsubscribes", "complaints"):
        assert_frame_equal(ledger.select(column), nobody.select(column))
    assert nobody["unsubscribes"].sum() == nobody["complaints"].sum() == 0
    back = ledger["margin"] + 0.001 * ledger["mails"]
    assert np.allclose(back, nobody["margin"])
    seen = mailed.events(in_days(world, 28))
    assert of_kind(seen, "click").height > 0
    assert of_kind(seen, "redeem", "unsubscribe", "complaint").height == 0


def test_two_policies_that_send_the_same_mail_meet_the_same_luck():
    world, run = after_history("rich")
    one, other = run.fork(), run.fork()
    who = everybody(world, at=world.start)
    same = mails(world, who, in_days(world, 0, 9))
    # The other policy has mailed half of the people the day before, and so they differ.
    other.send(mails(world, who[: len(who) // 2], in_days(world, 0, 1), trigger="win_back"))
    told_one, told_other = one.send(same), other.send(same)
    undisturbed = who[len(who) // 2 :]

    def answers(run):
        seen = unique_events(run.events(in_days(world, 28)))
        return seen.filter(
            pl.col("message_id").is_in(same["message_id"].implode()),
            pl.col("customer_id").is_in(undisturbed.implode()),
        ).sort("event_id")

    answered = answers(one)
    assert of_kind(answered, "click").height > 20
    assert_frame_equal(answered, answers(other))
    assert not told_one.equals(told_other)


def test_a_fork_goes_its_own_way():
    world, run = after_history()
    before = all_ledger(world, run)
    other = run.fork()
    other.send(mails(world, everybody(world, at=world.start), in_days(world, 0, 9)))
    other.events(in_days(world, 5))
    assert_frame_equal(all_ledger(world, run), before)
    assert not all_ledger(world, other).equals(before)
    assert run.present == world.start - timedelta(days=1)


def test_whoever_is_gone_gets_nothing():
    world = world_of("default", unsubscribe_rate=0.9)
    run = begin(world)
    who = everybody(world, at=in_days(world, -30))
    run.pass_time(in_days(world, -30))
    run.send(mails(world, who, in_days(world, -30)))
    gone = run.ledger(world.begins, world.start).filter(pl.col("unsubscribes") > 0)["customer_id"]
    assert 0.2 * len(who) < len(gone) < len(who)
    run.pass_time(world.start)
    again = mails(world, gone, in_days(world, 0, 9))
    assert run.send(again)["click"].null_count() == len(gone)
    later = run.ledger(world.start, in_days(world, FOREVER))
    assert later["mails"].sum() == 0


def test_clicks_come_after_the_time_that_the_facts_tell():
    world = world_of("rich", 6_000, **CLEAN)
    run = begin(world)
    for day in range(0, 27, 3):
        at = in_days(world, day, 9)
        run.pass_time(at)
        run.send(mails(world, everybody(world, at=at), at))
    seen = run.events(in_days(world, 27 + 20))
    deliver = of_kind(seen, "deliver").select("message_id", delivered="at")
    clicks = of_kind(seen, "click").join(deliver, on="message_id")
    hours = ((clicks["at"] - clicks["delivered"]).dt.total_microseconds() / 3.6e9).to_numpy()
    assert len(hours) > 2_000
    real = {fact.name: fact.real for fact in FACTS}
    for limit in CLICK_HOURS:
        share = real[clicked_within(limit)]
        noise = np.sqrt(share * (1 - share) / len(hours))
        assert (hours <= limit).mean() == pytest.approx(share, abs=3.5 * noise)


def test_who_clicks_visits_the_shop_at_that_time():
    world = world_of("rich", 2_000, **CLEAN)
    run = begin(world)
    run.pass_time(world.start)
    shown = world.products["product_id"].head(3).to_list()
    run.send(mails(world, everybody(world, at=world.start), in_days(world, 0, 9), products=shown))
    seen = run.events(in_days(world, 28))
    clicks = of_kind(seen, "click").filter(pl.col("at") > world.start)
    visits = of_kind(seen, "session").select("customer_id", at=pl.col("at") - timedelta(seconds=1))
    assert clicks.height > 50
    assert clicks.join(visits, on=["customer_id", "at"], how="anti").height == 0
    assert set(clicks["link"]) <= {f"/products/{product}" for product in shown}


# --- the truth is true -------------------------------------------------------------------------

ALL_KINDS = ("recommendation", "cart_reminder", "coupon_by_category", "replenishment")
# By name: the kinds of mail, the discount, on which days, and to whom it goes by days per order.
CASES = {
    "all kinds": (ALL_KINDS, 0.0, (0, 3, 6, 9), 10_000),
    "would come anyway": (("replenishment",), 0.0, range(14), 30),
    "coupons": (("win_back",), 0.2, (0, 8), 10_000),
}


@lru_cache
def expected_and_realised(case):
    """Margin, orders and unsubscribes of many single mails: truth, ledger, and noise."""
    kinds, discount, days, often = CASES[case]
    sums = {name: np.zeros(3) for name in ("margin", "order", "unsubscribe")}
    for seed in range(4, 8):
        world = world_of("default", 5_000, seed=seed, click_factor=20.0, unsubscribe_rate=0.02)
        silent = all_ledger(world, begin(world))
        products = world.products["product_id"]
        chosen = world.customers["customer_id"].filter(world.truth.population.gap_days < often)
        for number, day in enumerate(days):
            now = in_days(world, day)
            run = begin(world)
            run.pass_time(now)
            who = everybody(world, at=now)
            block = mails(
                world, who.filter(who.is_in(chosen.implode())), now + timedelta(hours=1 + number),
                trigger=kinds[number % len(kinds)], discount=discount,
                products=products.gather(range(number, number + 200, 50)).to_list(),
            )  # fmt: skip
            told = run.send(block)
            found = all_ledger(world, run)
            differs = {
                "margin": found["margin"] - silent["margin"],
                "order": (found["orders"] - silent["orders"]).cast(pl.Float64),
                "unsubscribe": found["unsubscribes"].cast(pl.Float64),
            }
            for name, values in differs.items():
                sums[name] += [told[name].sum(), values.sum(), float((values**2).sum())]
    return sums


@pytest.mark.parametrize(
    ("case", "what", "surely"),
    [
        ("all kinds", "margin", 8),
        ("all kinds", "order", 20),
        ("all kinds", "unsubscribe", 30),
        ("would come anyway", "margin", 5),
        ("would come anyway", "order", 20),
        ("coupons", "margin", 8),
    ],
)
def test_what_the_truth_expects_is_what_comes_of_it(case, what, surely):
    expected, realised, noise = expected_and_realised(case)[what]
    error = np.sqrt(noise)
    # Else nothing would be found out.
    assert abs(expected) > surely * error
    assert abs(realised - expected) < 3 * error


def test_the_next_own_order_is_expected_as_often_as_it_comes():
    found = np.zeros((3, 2))
    for seed in range(4, 8):
        world = world_of("default", 5_000, seed=seed, click_factor=20.0, unsubscribe_rate=0.02)
        who = np.flatnonzero(world.truth.population.signed_up < micros(world.start))
        at = np.full(len(who), micros(in_days(world, 2)))
        chances = own_order_within(world.truth, who, at, 7, 14, now=micros(in_days(world, 2)))
        next_one = world.life.orders.next_after(who, at)
        for place, (chance, days) in enumerate(zip(chances, (7, 14), strict=True)):
            comes = (next_one >= 0) & (world.life.orders.at[next_one] < at + days * DAY)
            found[:, place] += [chance.sum(), comes.sum(), (chance * (1 - chance)).sum()]
    expected, realised, noise = found
    assert (expected > 15 * np.sqrt(noise)).all()
    assert (abs(realised - expected) < 3 * np.sqrt(noise)).all()


def test_own_orders_that_came_sooner_do_not_come_again():
    world = world_of("rich", 3_000, **CLEAN)
    run, silent = begin(world), begin(world)
    run.pass_time(world.start)
    who = everybody(world, at=world.start)
    run.send(mails(world, who, in_days(world, 0, 9), trigger="replenishment"))
    seen, unmailed = (each.events(in_days(world, 28)) for each in (run, silent))
    own = pl.col("order_id").str.starts_with("order-")
    orders = of_kind(seen, "order")["order_id"].unique()
    anyway = of_kind(unmailed, "order").filter(own)["order_id"].unique()
    cancelled = anyway.filter(~anyway.is_in(orders.implode()))
    caused = orders.filter(~orders.is_in(anyway.implode()))
    assert 3 < len(cancelled) < len(caused)
    # Neither its cart nor its checkout, review or refund is left; all else is.
    numbers = cancelled.str.strip_prefix("order-").cast(pl.Int32)
    its = world.life.events.filter(pl.col("order").is_in(numbers.implode()))
    ids = pl.format("own-{}", its["number"])
    lost = unmailed.join(seen, on="event_id", how="anti")["event_id"]
    assert set(pl.select(ids).to_series()) & set(unmailed["event_id"]) == set(lost)
    orders_less = all_ledger(world, run)["orders"].sum() - all_ledger(world, silent)["orders"].sum()
    assert orders_less == pytest.approx(len(caused) - len(cancelled), abs=0)


def test_what_was_handed_out_is_never_taken_back():
    world = world_of("rich", 3_000, **CLEAN)
    run = begin(world)
    until = in_days(world, 14)
    seen = run.events(until)
    who = everybody(world, at=world.start)
    run.send(mails(world, who, in_days(world, 0, 9), trigger="replenishment"))
    told = pl.concat([seen, run.events(in_days(world, 28))]).filter(
        pl.col("kind") == "order", pl.col("at") >= world.begins, pl.col("at") < until
    )
    caused = ~pl.col("order_id").str.starts_with("order-")
    assert told.filter(caused)["order_id"].n_unique() > 10
    assert run.ledger(world.begins, until)["orders"].sum() == told["order_id"].n_unique()


def test_the_ledger_is_what_the_events_say():
    world = world_of("default", 2_000, **CLEAN)
    run = begin(world)
    send_history(world, run)
    run.send(mails(world, everybody(world, at=world.start), in_days(world, 0, 9), discount=0.1))
    ledger = run.ledger(world.begins, in_days(world, 28))
    seen = run.events(in_days(world, 28)).filter(pl.col("at") >= world.begins)
    assert of_kind(seen, "redeem").height > 0
    assert of_kind(seen, "order")["order_id"].n_unique() == ledger["orders"].sum()
    assert of_kind(seen, "send").height == ledger["mails"].sum()
    assert of_kind(seen, "unsubscribe").height == ledger["unsubscribes"].sum()
    money = pl.col("amount", "discount").cast(pl.Float64).fill_null(0.0)
    orders = of_kind(seen, "order").with_columns(money)
    kept = world.settings.margin * orders["amount"].sum() - (
        (1 - world.settings.margin) * orders["discount"].sum()
    )
    by_order = orders.group_by("order_id").agg(pl.col("amount", "discount").sum())
    back = of_kind(seen, "refund").select("order_id").join(by_order, on="order_id", how="left")
    assert back.height > 0
    assert back["amount"].null_count() == 0
    refunded = world.settings.margin * back["amount"].sum() - (
        (1 - world.settings.margin) * back["discount"].sum()
    )
    sending = 0.001 * ledger["mails"].sum()
    assert ledger["margin"].sum() == pytest.approx(kept - refunded - sending, abs=2)
