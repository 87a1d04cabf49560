"""Search follow-up: they searched and have bought nothing since."""

from __future__ import annotations

from datetime import timedelta

import pytest

from features.build import features_as_of
from features.contracts import Customers
from features.intent import SEARCH_DAYS
from tests.serving.histories import FEATURES, history
from tests.serving.shop import NOW
from tests.spec.triggers.spec import check, shown
from tests.training.drawn import spine

PARAMETERS = {"within_hours": 48}
CUSTOMERS = """
    open_search_hours | because                                                           | worth_for
    0.5               | they searched less than an hour ago and have bought nothing since | 47.5
    30                | they searched 30 hours ago and have bought nothing since          | 18
    48.1              | -                                                                 | -
    -                 | -                                                                 | -
"""  # noqa: E501


def test_whom_it_is_for_and_what_is_said():
    check("search_followup", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_it_shows_what_has_all_their_words_in_its_title_or_category():
    past = """
        ann | search | 2026-03-01T10:00 | soap
        ann | search | 2026-03-02T10:00 | Rye BREAD
    """
    assert shown("search_followup", PARAMETERS, past) == ["bread"]


def test_a_search_that_nothing_answers_shows_nothing():
    past = """
        ann | search | 2026-03-02T10:00 | bicycle
    """
    assert shown("search_followup", PARAMETERS, past) == []


@pytest.mark.parametrize(
    ("days", "is_open"), [(SEARCH_DAYS - 0.5, True), (SEARCH_DAYS + 0.5, False)]
)
def test_a_search_is_open_for_as_long_as_it_is_answered(days, is_open):
    """What the features call open and what the e-mail shows have one window."""
    at = NOW - timedelta(days=days)
    past = f"ann | search | {at:%Y-%m-%dT%H:%M} | rye bread"
    assert shown("search_followup", PARAMETERS, past) == (["bread"] if is_open else [])
    features = features_as_of(
        history(past), spine(("ann", f"{NOW:%Y-%m-%dT%H:%M}")), Customers.create_empty(),
        settings=FEATURES,
    )  # fmt: skip
    hours = features.get_column("open_search_hours").item()
    assert (hours is not None) == is_open
