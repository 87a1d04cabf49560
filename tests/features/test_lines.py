"""Sums over the lines of each row, and words that features are made of."""

import numpy as np
import polars as pl
import pytest

from features.feature import DAY, of
from features.lines import NEVER, Lines, Reading, needs_of
from features.readings import (
    count,
    days_since_first,
    days_since_last,
    different,
    is_since,
    most_common,
    most_common_number,
    of_last,
    share_of_acts,
    total,
)

# Row 0 has four lines from old to new, row 1 none, row 2 two.
FRAME = pl.DataFrame(
    {
        "row": pl.Series([0, 0, 0, 0, 2, 2], dtype=pl.UInt32),
        "age": [9 * DAY, 7 * DAY, 4 * DAY, DAY, 5 * DAY, 2 * DAY],
        "kind": ["send", "click", "send", "send", "send", None],
        "number": [5, None, 7, 7, 5, None],
        "text": ["b", "a", "b", "a", None, None],
    }
)
SEND, CLICK = pl.col("kind") == "send", pl.col("kind") == "click"


def read(reading: Reading) -> list[object]:
    found = reading.read(Lines(FRAME, 3, needs_of([reading])))
    return (found if isinstance(found, pl.Series) else pl.Series(found, nan_to_null=True)).to_list()


@pytest.mark.parametrize(
    ("reading", "found"),
    [
        (count(SEND), [3, 0, 1]),
        (count(is_since(SEND, CLICK)), [2, 0, 1]),
        (total("number", SEND, unit=2), [9.5, 0, 2.5]),
        (days_since_last(SEND), [1, None, 5]),
        (days_since_first(SEND), [9, None, 5]),
        (days_since_first(is_since(SEND, CLICK)), [4, None, 5]),
        (share_of_acts(pl.col("number") == 7, SEND), [2 / 3, None, 0]),
        (of_last("number", pl.col("age") > 0, unit=1), [7, None, None]),
        (of_last("number", CLICK, unit=1), [None, None, None]),
        (different("number", SEND), [2, 0, 1]),
        (most_common("text", pl.col("age") > 0), ["a", None, None]),
        (most_common("text", SEND), ["b", None, None]),
        (most_common_number("number", SEND, below=24), [7, None, 5]),
    ],
)
def test_what_lines_say_together(reading: Reading, found: list[object]) -> None:
    assert read(reading) == found


def test_what_is_asked_in_other_words_is_asked_once() -> None:
    again = pl.col("kind") == "send"
    needs = needs_of([count(SEND), count(again), count(is_since(again, CLICK))])
    assert len(needs.expressions) == 2
    assert needs.number_of[id(SEND)] == needs.number_of[id(again)]


def test_a_row_without_lines_is_told_from_one_with_others() -> None:
    lines = Lines(FRAME, 3, needs_of([count(CLICK)]))
    assert lines.is_nobody.tolist() == [False, True, False]
    assert lines.youngest(CLICK).tolist() == [7 * DAY, NEVER, NEVER]
    assert lines.newest(CLICK).tolist() == [1, -1, -1]
    assert lines.greatest(np.arange(6), CLICK, where_none=-5).tolist() == [1, -5, -5]


def test_a_feature_of_lines_is_a_reading_and_one_of_a_customer_is_not() -> None:
    with pytest.raises(TypeError, match="a feature of acts is found by a reading"):
        of("acts")("wrong", "what it means", pl.col("age").sum(), 0)
    with pytest.raises(TypeError, match="a feature of customer is found by an expression"):
        of("customer")("wrong", "what it means", count(SEND), 0)
