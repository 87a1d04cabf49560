"""Who stands in one pass, who has to wait for another, and for how long a mail can be under way."""

from __future__ import annotations

from datetime import timedelta

from serving.deciding import FARTHEST_EARLIEST
from serving.schemas.decisions import DecisionRequest
from serving.settings import LONGEST_DEADLINE_HOURS
from serving.store.erasure import MAILS_KEPT
from serving.turns import PER_CUSTOMER, TOO_MANY, Questions, Turn


def questions(*asked):
    """Each as the customer and the request."""
    return Questions([DecisionRequest(customer_id=one[0], request_id=one[1]) for one in asked])


def places(taken):
    return [place for place, _ in taken]


def test_a_customer_and_a_request_stand_once_in_a_turn_and_nobody_overtakes_their_own():
    # The third waits for the second, whose request it has, though its own customer is free.
    some = questions(("a", "1"), ("a", "2"), ("b", "2"), ("c", "3"))
    assert [places(some.take(9, Turn())) for _ in range(4)] == [[0, 3], [1], [2], []]


def test_several_callers_fill_one_turn_up_to_what_each_may_take():
    one, other = questions(("a", "1"), ("b", "2"), ("c", "3")), questions(("a", "4"), ("d", "5"))
    turn = Turn()
    assert places(one.take(2, turn)) == [0, 1]
    assert places(other.take(2, turn)) == [1]
    assert places(one.take(2, turn)) == [2]
    assert places(other.take(2, Turn())) == [0]


def test_who_is_one_too_many_is_refused_by_place():
    some = questions(*[("a", str(n)) for n in range(PER_CUSTOMER + 2)], ("b", "b"))
    assert some.refused == dict.fromkeys((PER_CUSTOMER, PER_CUSTOMER + 1), TOO_MANY)
    assert len(some.left) == PER_CUSTOMER + 1


def test_mails_of_who_was_erased_are_remembered_for_as_long_as_one_may_be_under_way():
    assert FARTHEST_EARLIEST + timedelta(hours=LONGEST_DEADLINE_HOURS) < MAILS_KEPT
