"""What counts as lost, and when it is known."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.training.drawn import history, moment, spine
from training.labels import churned

HISTORY = history("""
    ann  | order | 2024-05-01T09:00
    ann  | order | 2024-05-11T00:00
    bob  | order | 2024-04-01
    bob  | view  | 2024-05-03
    cleo | order | 2024-05-04 | 2024-06-20
""")
TEN_DAYS = timedelta(days=10)


@pytest.mark.parametrize(
    ("customer", "as_of", "expected"),
    [
        ("ann", "2024-05-01T09:00", False),  # an order at the very moment is a return
        ("ann", "2024-05-01T09:01", False),
        ("ann", "2024-05-01T00:00", False),
        ("ann", "2024-04-21T09:00", True),  # [t, t + H): the order comes one moment too late
        ("ann", "2024-04-21T09:01", False),
        ("ann", "2024-05-11T00:01", True),
        ("bob", "2024-05-01T00:00", True),  # looking is not ordering; nor do ann's orders count
        ("nobody", "2024-05-01T00:00", True),
    ],
)
def test_lost_is_who_does_not_order_within_the_horizon(
    customer: str, as_of: str, expected: bool
) -> None:
    label = churned(
        HISTORY, spine((customer, as_of)), horizon=TEN_DAYS, known_until=moment("2024-06-01")
    )
    assert label["churned"].item() is expected


@pytest.mark.parametrize(
    ("known_until", "expected"),
    [("2024-05-11T09:01", True), ("2024-05-11T09:00", True), ("2024-05-11T08:59", None)],
)
def test_not_yet_known_is_not_no(known_until: str, expected: bool | None) -> None:
    asked = spine(("bob", "2024-05-01T09:00"))
    label = churned(HISTORY, asked, horizon=TEN_DAYS, known_until=moment(known_until))
    assert label["churned"].item() is expected


def test_even_an_order_makes_no_label_before_the_horizon_has_passed() -> None:
    asked = spine(("ann", "2024-05-01"))
    label = churned(HISTORY, asked, horizon=TEN_DAYS, known_until=moment("2024-05-10"))
    assert label["churned"].to_list() == [None]


@pytest.mark.parametrize(("known_until", "expected"), [("2024-06-19", True), ("2024-06-20", False)])
def test_an_order_counts_once_it_is_known(known_until: str, expected: bool) -> None:
    asked = spine(("cleo", "2024-05-01"))
    label = churned(HISTORY, asked, horizon=TEN_DAYS, known_until=moment(known_until))
    assert label["churned"].item() is expected


def test_rows_stay_as_given() -> None:
    asked = spine(("bob", "2024-05-09"), ("ann", "2024-05-02"), ("bob", "2024-05-09"))
    label = churned(HISTORY, asked, horizon=TEN_DAYS, known_until=moment("2024-06-01"))
    assert label.select("customer_id", "as_of").equals(asked)
    assert label["churned"].to_list() == [True, False, True]
