"""Baskets as files: what is read from them, and what is said of those that cannot be."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest

from features.errors import DataError
from pipelines.baskets.read import COLUMNS, ordered_baskets, read_baskets

HISTORY = [("ann", 3, "tea"), ("ann", 3, "rice"), ("ann", 9, "tea"), ("bob", 1, "ink")]
FUTURE = [("ann", 10, "tea"), ("ann", 10, "soap"), ("bob", 2, "rice")]


def table(rows: Iterable[tuple[object, ...]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=list(COLUMNS), orient="row")


def folder(at: Path, history: pl.DataFrame | None, future: pl.DataFrame | None) -> Path:
    for name, rows in (("history", history), ("future", future)):
        if rows is not None:
            rows.write_parquet(at / f"{name}.parquet")
    return at


def test_baskets_are_counted_backwards_whatever_their_numbers(tmp_path: Path) -> None:
    read = read_baskets(folder(tmp_path, table(HISTORY), table(FUTURE)))
    assert read.history.rows() == [
        ("ann", "tea", 1), ("ann", "rice", 2), ("ann", "tea", 2), ("bob", "ink", 1),
    ]  # fmt: skip
    assert read.future.rows() == [
        ("ann", "soap", False), ("ann", "tea", True), ("bob", "rice", False),
    ]  # fmt: skip
    assert read.notes == (
        "1 items of future are in no history: nobody can foresee them, all miss them",
    )


def test_a_row_per_basket_says_the_same_as_one_per_item(tmp_path: Path) -> None:
    per_item = read_baskets(folder(tmp_path, table(HISTORY), table(FUTURE)))
    listed = [
        table(rows).group_by("customer_id", "basket", maintain_order=True).agg("item")
        for rows in (HISTORY, FUTURE)
    ]
    per_basket = read_baskets(folder(tmp_path, *listed))
    assert per_basket.history.equals(per_item.history)
    assert per_basket.future.equals(per_item.future)


def test_what_is_left_out_is_told() -> None:
    read = ordered_baskets(
        table([*HISTORY, HISTORY[0], ("eve", 1, "tea")]), table([*FUTURE, ("zoe", 1, "tea")])
    )
    assert read.history.height == 5
    assert set(read.future["customer_id"]) == {"ann", "bob"}
    told = " | ".join(read.notes)
    assert "1 rows of history repeat" in told
    assert "1 customers of future have no history" in told
    assert "1 customers of history have no future" in told


@pytest.mark.parametrize(
    ("history", "future", "said"),
    [
        (None, table(FUTURE), "history.parquet is not there"),
        (table(HISTORY), None, "future.parquet is not there"),
        (table(HISTORY).drop("basket"), table(FUTURE), "no column basket; found customer_id, item"),
        (table(HISTORY).clear(), table(FUTURE), "history.parquet has no rows"),
        (table(HISTORY), table(FUTURE).with_columns(item=pl.lit(None)), "3 rows without item"),
        (table(HISTORY).cast({"basket": pl.String}), table(FUTURE), "basket of .* is String"),
        (table(HISTORY).with_columns(pl.struct("item")), table(FUTURE), "item of .* is Struct"),
        (table(HISTORY), table([("ann", 9, "tea")]), "basket 9 of customer ann, .* ends with 9"),
        (table(HISTORY), table([*FUTURE, ("bob", 3, "tea")]), "more than one basket .*bob has 2"),
        (table(HISTORY), table([("zoe", 1, "tea")]), "no customer of future.parquet"),
    ],
)
def test_what_cannot_be_read_says_what_is_wrong(
    history: pl.DataFrame | None, future: pl.DataFrame | None, said: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=said):
        read_baskets(folder(tmp_path, history, future))


def test_a_file_that_is_no_parquet_is_told(tmp_path: Path) -> None:
    (tmp_path / "history.parquet").write_text("customer_id,basket,item")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_baskets(tmp_path)
