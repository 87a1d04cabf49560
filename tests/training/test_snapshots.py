"""When models look, and that they never look at what they are judged by."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from features.errors import NotReadyError
from tests.training.drawn import history, moment
from training.snapshots import Split, snapshot_dates, spine_of

HISTORY = history("""
    ann | order | 2024-01-01T12:00
    bob | order | 2024-03-01T12:00 | 2024-03-10
""")


def dates(
    *, known_until: str, horizon: int, every: int, train: int, test: int, past: pl.DataFrame
) -> Split:
    return snapshot_dates(
        past,
        known_until=moment(known_until),
        horizon=timedelta(days=horizon),
        every=timedelta(days=every),
        train=train,
        test=test,
    )


@pytest.mark.parametrize("horizon", [1, 30, 60])
@pytest.mark.parametrize("every", [1, 7, 28])
@pytest.mark.parametrize("test", [1, 3])
def test_an_embargo_keeps_what_is_learnt_from_apart_from_what_is_judged_by(
    horizon: int, every: int, test: int
) -> None:
    found = dates(
        known_until="2024-12-31T15:00",
        horizon=horizon,
        every=every,
        train=3,
        test=test,
        past=HISTORY,
    )
    last_known = moment("2024-12-31T15:00") - timedelta(days=horizon)
    assert max(found.train) + timedelta(days=horizon) <= min(found.test)
    assert last_known - timedelta(days=1) < max(found.test) <= last_known
    assert (len(found.train), len(found.test)) == (3, test)
    assert [*found.train, *found.test] == sorted({*found.train, *found.test})


def test_a_short_history_gives_fewer_dates_to_learn_from() -> None:
    found = dates(known_until="2024-05-31", horizon=30, every=28, train=6, test=1, past=HISTORY)
    assert found == Split(
        # Not 2024-01-08: less than one interval of history lies before it.
        train=(moment("2024-02-05"), moment("2024-03-04"), moment("2024-04-01")),
        test=(moment("2024-05-01"),),
    )


@pytest.mark.parametrize(
    ("past", "said"),
    [(HISTORY, "the first one 59 days before"), (HISTORY.clear(), "no order at all")],
)
def test_too_short_a_history_is_explained(past: pl.DataFrame, said: str) -> None:
    with pytest.raises(NotReadyError, match=f"88 days before 2024-03-01; found {said}"):
        dates(known_until="2024-03-01", horizon=30, every=28, train=6, test=1, past=past)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2024-01-01T12:00", []),  # an order at the moment itself lies in the future
        ("2024-01-01T12:01", ["ann"]),
        ("2024-03-09", ["ann"]),  # bob's order is not known yet
        ("2024-03-10", ["ann", "bob"]),
    ],
)
def test_everybody_known_to_have_ordered_is_looked_at(date: str, expected: list[str]) -> None:
    assert spine_of(HISTORY, [moment(date)])["customer_id"].to_list() == expected


def test_each_date_has_its_own_rows() -> None:
    rows = spine_of(HISTORY, [moment("2024-02-01"), moment("2024-04-01")])
    assert rows.rows() == [
        ("ann", moment("2024-02-01")),
        ("ann", moment("2024-04-01")),
        ("bob", moment("2024-04-01")),
    ]
