"""From an order to the next one: thanks, tips, and the question how it was."""

from __future__ import annotations

from tests.serving.shop import reasons_of
from tests.spec.workflows.lives import check, decided

BOUGHT = """
    day | what
    -9  | agree
    -1  | order
"""


def test_thanks_then_tips_then_a_question():
    check(
        """
        day | what           | state   | due | may_begin
        -1  | order          | not_begun | - | yes
        0   | thanks         | running | -   | no
        4   | -              | running | 2   | no
        5   | usage_tips     | running | -   | no
        10  | -              | running | 3   | no
        11  | review_request | done    | -   | yes
        """,
        "post_purchase",
    )


def test_a_condition_of_a_step_leaves_it_out():
    """Who has reviewed already is not asked; until then the step before it stays due."""
    check(
        """
        day | what       | due
        0   | thanks     | -
        4   | -          | 2
        6   | usage_tips | -
        8   | review     | -
        10  | -          | -
        20  | -          | -
        """,
        "post_purchase",
    )
    check(
        """
        day | what   | due
        0   | thanks | -
        8   | review | 2
        12  | -      | 2
        """,
        "post_purchase",
    )


def test_the_next_order_ends_it_and_begins_another():
    check(
        """
        day | what   | state   | due | may_begin | started_days
        0   | thanks | running | -   | no        | 0.041666666666666664
        2   | order  | ended   | -   | yes       | 2.0416666666666665
        3   | thanks | running | -   | no        | 0.041666666666666664
        6   | -      | running | -   | no        | 3.0416666666666665
        7   | -      | running | 2   | no        | 4.041666666666667
        """,
        "post_purchase",
    )


def test_a_life_as_the_customer_gets_it():
    assert decided(BOUGHT, 0)["email"] == "thanks"
    life = f"{BOUGHT}0 | thanks"
    tips = decided(life, 4)
    assert tips["email"] == "usage_tips"
    assert reasons_of(tips)["workflow_step"] == (
        "step 2 of post_purchase: 4 days after thanks without an order"
    )


def test_an_email_with_a_trigger_of_its_own_goes_by_it_while_the_workflow_does_not_run():
    """The shop's review_request asks 5 to 21 days after an order; the series, on its tenth day."""
    alone = decided(BOUGHT, 5)
    assert alone["email"] == "review_request"
    assert "applies" in reasons_of(alone)
    assert alone["workflow"] is None

    life = f"{BOUGHT}0 | thanks\n4 | usage_tips"
    assert decided(life, 6)["email"] != "review_request"
    due = decided(life, 10)
    assert due["email"] == "review_request"
    assert due["workflow"]["step"] == 3


def test_whoever_was_let_go_and_orders_is_thanked_again():
    """Whoever orders has done something: that is the end of any sunset."""
    let_go = """
        day  | what
        -200 | agree
        -90  | win_back_1
        -76  | opt_in_renewal
    """
    assert "sunset" in reasons_of(decided(let_go, 0))
    life = f"{let_go}-1 | order\n0 | thanks"
    assert decided(life, 4)["email"] == "usage_tips"
