"""Texts as numbers: the same by the short road for a few as by the long one for many."""

import numpy as np
import polars as pl
import pytest

from features.numbers import matched, numbered, order_by, places_in, starts_of

FEW = ["b", None, "a", "b", "é", "z", "a"]


@pytest.mark.parametrize("times", [1, 1_000])
def test_texts_are_numbered_in_alphabetical_order(times: int) -> None:
    numbers, names = numbered(pl.Series("word", FEW * times))
    assert names.to_list() == ["a", "b", "z", "é"]
    assert numbers.tolist() == [1, -1, 0, 1, 3, 2, 0] * times


@pytest.mark.parametrize("times", [1, 1_000])
def test_nothing_but_nulls_has_no_names(times: int) -> None:
    numbers, names = numbered(pl.Series("word", [None] * 3 * times, dtype=pl.String))
    assert names.to_list() == [] and names.dtype == pl.String
    assert set(numbers.tolist()) == {-1}


@pytest.mark.parametrize("times", [1, 1_000])
def test_texts_are_found_among_others(times: int) -> None:
    places = places_in(pl.Series(["a", "a", "c", "x", "a"] * times), pl.Series(["c", "a"]))
    assert places.tolist() == [1, 1, 0, -1, 1] * times


@pytest.mark.parametrize("count", [3, 2**40])
def test_rows_are_ordered_by_all_columns_and_equals_by_place(count: int) -> None:
    first, second = np.array([1, 0, 1, 0, 1]), np.array([2, 1, 0, 1, 2])
    assert order_by((first, count), (second, count)).tolist() == [1, 3, 2, 0, 4]


def test_a_run_starts_where_any_column_changes() -> None:
    first, second = np.array([0, 0, 0, 1]), np.array([5, 5, 6, 6])
    assert starts_of(first, second).tolist() == [True, False, True, True]


def test_pairs_of_equal_numbers() -> None:
    left, right = matched(np.array([2, 7, 1]), np.array([1, 1, 2, 3]))
    assert left.tolist() == [0, 2, 2] and right.tolist() == [2, 0, 1]
