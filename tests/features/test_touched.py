"""Items of a past, and what is new on a shelf."""

from datetime import UTC, datetime

import numpy as np
import polars as pl

from features.numbers import null_where
from features.shelf import new_products
from features.touched import NEVER, Runs

FIVE = np.array([4, 9, 2, 7, 1])
IS_IT = np.array([True, True, False, False, False])


def test_runs_are_summed_up_each_by_itself() -> None:
    runs = Runs(np.array([0, 2]), 5)
    assert runs.of_line.tolist() == [0, 0, 1, 1, 1]
    assert runs.sums(FIVE).tolist() == [13, 10]
    assert runs.counts(IS_IT).tolist() == [2, 0]
    assert runs.least(FIVE, IS_IT).tolist() == [4, NEVER]
    assert runs.newest(FIVE.astype(np.uint32), IS_IT).to_list() == [9, None]
    assert runs.newest(FIVE.astype(np.uint32), ~(FIVE > 0)).to_list() == [None, None]


def test_numbers_are_null_where_they_are_none() -> None:
    assert null_where(FIVE, IS_IT).to_list() == [None, None, 2, 7, 1]
    assert null_where(FIVE, FIVE > 99).to_list() == FIVE.tolist()


def test_new_products_are_those_on_sale_with_a_date_and_belong_to_their_shelf() -> None:
    march = datetime(2024, 3, 1, tzinfo=UTC)
    shelf = pl.DataFrame(
        {
            "product_id": ["tea", "cup", "old"],
            "available": [True, False, True],
            "released_at": [march, march, None],
            "category": ["drinks > hot > tea", "table > cups", "table > pots"],
        }
    )
    found = new_products(shelf, category_depth=2)
    assert found.rows(named=True) == [
        {"product_id": "tea", "category": "drinks > hot", "released_at": march}
    ]
    assert new_products(shelf, category_depth=2) is found
    other = shelf.with_columns(available=~pl.col("available"))
    assert new_products(other, category_depth=2)["product_id"].to_list() == ["cup"]
