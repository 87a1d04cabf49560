"""Whoever fell silent is won back in three steps, or let go."""

from __future__ import annotations

import polars as pl
import pytest

from serving.workflow_settings import ENDS
from serving.workflow_steps import steps_of
from tests.serving.shop import arm_of, reasons_of
from tests.spec.workflows.lives import (
    NOBODY,
    SHOP,
    check,
    decided,
    events,
    known,
    moment,
    promised,
    renamed,
    series,
    stands,
)

# Ann agreed to e-mail and ordered twice, a month apart; the last order was 100 days ago.
SILENT = """
    day  | what
    -140 | agree
    -130 | order
    -100 | order
"""


def test_three_steps_counted_from_when_the_first_was_sent():
    check(
        """
        day | what           | state     | at_step | due | may_begin
        -1  | -              | not_begun | -       | -   | yes
        0   | win_back_1     | running   | 1       | -   | no
        6.9 | -              | running   | 1       | -   | no
        7   | -              | running   | 1       | 2   | no
        9   | win_back_2     | running   | 2       | -   | no
        13  | -              | running   | 2       | -   | no
        14  | -              | running   | 2       | 3   | no
        15  | opt_in_renewal | done      | 3       | -   | no
        """,
        "re_engagement",
    )


def test_a_step_that_could_not_go_stays_due_until_a_later_one_takes_its_place():
    check(
        """
        day | what           | due | state
        0   | win_back_1     | -   | running
        7   | -              | 2   | running
        13  | -              | 2   | running
        14  | -              | 3   | running
        59  | -              | 3   | running
        60  | -              | -   | lapsed
        """,
        "re_engagement",
    )


def test_either_email_of_a_step_is_the_step():
    check(
        """
        day | what             | due
        0   | win_back_1       | -
        7   | feedback_request | -
        10  | -                | -
        14  | -                | 3
        """,
        "re_engagement",
    )


def test_too_many_unanswered_mails_lead_straight_to_the_last_step():
    check(
        """
        day | what       | due
        -3  | newsletter | -
        -2  | newsletter | -
        -1  | newsletter | -
        0   | win_back_1 | -
        2   | newsletter | 3
        """,
        "re_engagement",
    )


@pytest.mark.parametrize(
    ("what", "by"),
    [
        ("click win_back_1", "act"),
        ("visit", "act"),
        ("view", "act"),
        ("search", "act"),
        ("cart", "act"),
        ("checkout", "act"),
        ("order", "act"),
        ("redeem", "act"),
        ("review", "act"),
        ("survey", "act"),
        ("confirm", "consent"),
    ],
)
def test_whatever_a_person_does_ends_it(what, by):
    check(
        f"""
        day | what       | state   | ended_by | due
        0   | win_back_1 | running | -        | -
        3   | {what}     | ended   | {by}     | -
        7   | -          | ended   | {by}     | -
        90  | -          | ended   | {by}     | -
        """,
        "re_engagement",
    )


@pytest.mark.parametrize("what", ["machine click win_back_1", "machine visit", "open win_back_1"])
def test_what_a_machine_does_ends_nothing_nor_does_an_open(what):
    check(
        f"""
        day | what       | state   | due
        0   | win_back_1 | running | -
        3   | {what}     | running | -
        7   | -          | running | 2
        """,
        "re_engagement",
    )


def test_what_they_did_before_it_began_does_not_end_it():
    check(
        """
        day | what           | state
        -1  | visit          | not_begun
        0   | win_back_1     | running
        1   | -              | running
        """,
        "re_engagement",
    )


def test_it_begins_anew_only_after_a_while():
    check(
        """
        day | what       | state   | may_begin
        0   | win_back_1 | running | no
        3   | order      | ended   | no
        119 | -          | ended   | no
        120 | -          | ended   | yes
        130 | win_back_1 | running | no
        137 | -          | running | no
        """,
        "re_engagement",
    )


def test_silence_after_the_last_step_closes_the_address_until_they_do_something():
    check(
        """
        day | what           | state | sunset | sunset_by     | sunset_email
        0   | win_back_1     | running | no   | -             | -
        14  | opt_in_renewal | done  | no     | -             | -
        43  | -              | done  | no     | -             | -
        44  | -              | done  | yes    | re_engagement | opt_in_renewal
        400 | -              | done  | yes    | re_engagement | opt_in_renewal
        401 | machine visit  | done  | yes    | re_engagement | opt_in_renewal
        402 | visit          | ended | no     | -             | -
        """,
        "re_engagement",
    )


def test_the_decision_tells_which_step_it_is():
    first = decided(SILENT, 0)
    assert first["email"] == "win_back_1"
    assert first["workflow"] == {"workflow": "re_engagement", "step": 1, "started_days": None}
    assert "applies" in reasons_of(first)

    after_a_week = f"{SILENT}0 | win_back_1"
    assert decided(after_a_week, 6)["email"] != "win_back_2"
    second = decided(after_a_week, 7)
    assert second["email"] in ("win_back_2", "feedback_request")
    assert second["workflow"]["step"] == 2
    assert second["workflow"]["started_days"] == pytest.approx(7 + 1 / 24)
    told = reasons_of(second)
    assert told["workflow_step"] == (
        "step 2 of re_engagement: 7 days after win_back_1 without an answer"
    )
    assert "applies" not in told


def test_the_last_step_after_unanswered_mails_says_why():
    mails = "".join(f"{day} | newsletter\n" for day in (-9, -7, -5, -3))
    life = f"{SILENT}{mails}0 | win_back_1"
    told = decided(life, 3)
    assert told["email"] == "opt_in_renewal"
    assert reasons_of(told)["workflow_step"] == (
        "step 3 of re_engagement: 5 e-mails in a row without a click"
    )


def test_a_promised_step_is_not_promised_twice():
    life = events(f"{SILENT}0 | win_back_1")
    assert stands(life, [7])["due_re_engagement"].to_list() == [2]
    for email in ("win_back_2", "feedback_request"):
        waits = stands(life, [7], promised=promised(email, 7))
        assert waits["due_re_engagement"].to_list() == [None]
    # Once a later step's time has come, that one is due all the same.
    later = stands(life, [14], promised=promised("win_back_2", 14))
    assert later["due_re_engagement"].to_list() == [3]


def test_a_sunset_stops_marketing_and_nothing_else():
    life = f"{SILENT}0 | win_back_1\n14 | opt_in_renewal"
    before = decided(life, 40)
    assert before["email"] == "newsletter"
    after = decided(life, 60)
    assert after["action"] == "wait"
    assert reasons_of(after)["sunset"] == (
        "they have done nothing in the 46 days since opt_in_renewal, the last step of "
        "re_engagement; no marketing leaves until they do"
    )
    service = series({"newsletter": {"mail_class": "service"}})
    assert decided(life, 60, service)["email"] == "newsletter"
    back = decided(f"{life}\n59 | visit", 60)
    assert back["email"] == "newsletter"
    # Also where only the time is asked for.
    assert decided(life, 60, emails=["newsletter"])["action"] == "wait"


def test_each_kind_of_end_can_be_chosen_alone():
    acts = {
        "act": "visit", "open": "open win_back_1", "click": "click win_back_1", "visit": "visit",
        "cart": "cart", "order": "order", "redeem": "redeem", "review": "review",
        "survey": "survey", "consent": "confirm",
    }  # fmt: skip
    assert acts.keys() == ENDS.keys()
    told = pl.concat(
        renamed(events(f"day | what\n0 | win_back_1\n1 | {what}", name), name)
        for name, what in acts.items()
    )
    people, contacts = known(told, [(name, moment(2)) for name in acts])
    for act in ENDS:
        only = series({}, re_engagement={"ends_on": (act,)})
        ended_by = steps_of(people, contacts, NOBODY, only)["ended_by_re_engagement"]
        for (other, what), by in zip(acts.items(), ended_by, strict=True):
            ends = what == acts[act] or (act == "act" and other not in ("open", "consent"))
            assert by == (act if ends else None), (act, other)


def test_the_discount_of_a_win_back_has_grown_with_the_silence():
    slots = [decided(SILENT, day)["slots"] for day in (0, 40, 80)]
    shares = [each["discount"] for each in slots]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1] <= SHOP.emails["win_back_1"].discount_most
    assert arm_of(decided(SILENT, 0), "win_back_1")["applies"]
