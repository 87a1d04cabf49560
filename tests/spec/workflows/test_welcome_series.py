"""From the sign-up to the first order: whoever orders is welcomed no longer."""

from __future__ import annotations

import pytest

from tests.serving.shop import reasons_of
from tests.spec.workflows.lives import check, decided

# Ann signs up and agrees to e-mail.
NEW = """
    day | what
    -1  | signup; agree
"""


def test_three_mails_within_a_week():
    check(
        """
        day | what        | state     | due
        -1  | signup      | not_begun | -
        0   | welcome     | running   | -
        2.9 | -           | running   | -
        3   | -           | running   | 2
        4   | brand_story | running   | -
        7   | -           | running   | 3
        8   | nudge       | done      | -
        9   | -           | done      | -
        """,
        "welcome_series",
    )


def test_what_was_missed_is_left_out():
    check(
        """
        day | what    | due
        0   | welcome | -
        6   | -       | 2
        7   | -       | 3
        8   | nudge   | -
        9   | -       | -
        """,
        "welcome_series",
    )


def test_the_first_order_ends_it():
    check(
        """
        day | what    | state   | ended_by | due
        0   | welcome | running | -        | -
        2   | order   | ended   | order    | -
        3   | -       | ended   | order    | -
        """,
        "welcome_series",
    )


@pytest.mark.parametrize("what", ["click welcome", "visit", "cart", "machine click welcome"])
def test_looking_around_does_not_end_it(what):
    check(
        f"""
        day | what    | state   | due
        0   | welcome | running | -
        1   | {what}  | running | -
        3   | -       | running | 2
        """,
        "welcome_series",
    )


def test_after_three_weeks_nothing_of_it_comes_any_more():
    check(
        """
        day | what    | state   | due
        0   | welcome | running | -
        20  | -       | running | 3
        21  | -       | lapsed  | -
        """,
        "welcome_series",
    )


def test_nobody_is_welcomed_twice():
    check(
        """
        day | what    | may_begin
        -1  | -       | yes
        0   | welcome | no
        30  | -       | no
        364 | -       | no
        365 | -       | yes
        """,
        "welcome_series",
    )


def test_a_life_as_the_customer_gets_it():
    assert decided(NEW, 0)["email"] == "welcome"
    life = f"{NEW}0 | welcome"
    assert decided(life, 2)["action"] == "wait"
    story = decided(life, 3)
    assert story["email"] == "brand_story"
    assert story["workflow"]["workflow"] == "welcome_series"
    assert reasons_of(story)["workflow_step"] == (
        "step 2 of welcome_series: 3 days after welcome without an order"
    )
    life = f"{life}\n3 | brand_story"
    assert decided(life, 5)["action"] == "wait"
    assert decided(life, 7)["email"] == "nudge"
    assert decided(f"{life}\n6 | order", 7)["email"] == "thanks"


def test_an_unsubscribe_stops_it_as_it_stops_all_mail():
    life = f"{NEW}0 | welcome\n1 | unsubscribe"
    stopped = decided(life, 3)
    assert stopped["action"] == "wait"
    assert "suppression" in reasons_of(stopped)
