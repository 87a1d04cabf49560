"""What each policy prefers, on hand-made instants."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from pipelines.evaluation.policies import FixedArm, always, best_fixed, by_chance, first_listed

NIGHT = datetime(2026, 3, 2, tzinfo=UTC)


def instants(*rows):
    """Each row: customer, e-mail, its place, at_once, hour of the day after NIGHT."""
    return pl.DataFrame(
        [
            {
                "customer_id": customer, "as_of": NIGHT, "email": email, "place": place,
                "at_once": at_once, "hour": hour, "at": NIGHT + timedelta(hours=hour),
                "arm": 10 * int(customer[1:]) + place, "shut_by": None,
            }
            for customer, email, place, at_once, hour in rows
        ],
        schema_overrides={"shut_by": pl.String},
    )  # fmt: skip


def chosen(valuation, frame):
    best = frame.with_columns(worth=valuation(frame)).sort("worth", descending=True)
    return best.select("email", "hour").row(0)


def test_rules_take_the_first_listed_at_the_default_hour():
    frame = instants(
        ("c1", "second", 1, False, 10), ("c1", "first", 0, False, 9),
        ("c1", "first", 0, False, 10), ("c1", "first", 0, False, 15),
    )  # fmt: skip
    assert chosen(first_listed(10), frame) == ("first", 10)


def test_rules_answer_an_act_at_once():
    frame = instants(
        ("c1", "cart", 0, True, 10), ("c1", "cart", 0, True, 2), ("c1", "news", 1, False, 10)
    )
    assert chosen(first_listed(10), frame) == ("cart", 2)


def test_rules_take_the_next_hour_where_the_default_one_is_shut():
    frame = instants(("c1", "news", 0, False, 12), ("c1", "news", 0, False, 11))
    assert chosen(first_listed(10), frame) == ("news", 11)


def test_the_fixed_arm_is_that_e_mail_at_that_hour_or_nothing():
    frame = instants(
        ("c1", "news", 0, False, 10), ("c1", "news", 0, False, 11), ("c1", "sale", 1, False, 11)
    )
    worth = always(FixedArm("news", 11))(frame)
    assert worth.is_null().to_list() == [True, False, True] and worth[1] > 0


def test_chance_prefers_no_arm_and_no_hour():
    """Two arms, one with a single hour and one with three: each arm half of the time."""
    found = {}
    for night in range(400):
        frame = instants(
            ("c1", "one", 0, False, 9), ("c1", "three", 1, False, 9),
            ("c1", "three", 1, False, 10), ("c1", "three", 1, False, 11),
        ).with_columns(as_of=pl.lit(NIGHT + timedelta(days=night)))  # fmt: skip
        arm = chosen(by_chance(7), frame)
        found[arm] = found.get(arm, 0) + 1
    assert found[("one", 9)] == pytest.approx(200, abs=50)
    assert all(found[("three", hour)] == pytest.approx(67, abs=30) for hour in (9, 10, 11))


def test_chance_is_the_same_chance_again():
    frame = instants(("c1", "one", 0, False, 9), ("c1", "two", 1, False, 9))
    assert by_chance(7)(frame).equals(by_chance(7)(frame))
    assert not by_chance(7)(frame).equals(by_chance(8)(frame))


class Truth:
    """A world that thinks well of 11 o'clock and of whoever may get the news."""

    def chances(self, mails):
        good = (mails["email"] == "news") & (mails["at"].dt.hour() == 11)
        return pl.DataFrame({"value": good.cast(pl.Float64) + 0.1})


def test_the_best_fixed_arm_is_best_over_all_whom_it_may_go_to():
    frame = instants(
        ("c1", "news", 0, False, 10), ("c1", "news", 0, False, 11), ("c2", "sale", 1, False, 11),
        ("c2", "news", 0, False, 11), ("c3", "sale", 1, False, 11), ("c4", "sale", 1, False, 11),
    ).with_columns(
        trigger=pl.lit("x"), variant=pl.lit("plain"), discount_share=0.0, send_cost=0.0,
        products=pl.lit([], pl.List(pl.String)),
    )  # fmt: skip
    assert best_fixed(frame, Truth()) == FixedArm("news", 11)
    shut = frame.with_columns(shut_by=pl.lit("quiet_hours"))
    assert best_fixed(shut, Truth()) is None
