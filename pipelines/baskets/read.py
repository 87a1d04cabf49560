"""Baskets as two Parquet files: what customers bought in order, and the basket that came next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from features.errors import DataError

COLUMNS = ("customer_id", "basket", "item")
LOOK = (
    "both need the columns customer_id, basket (a whole number, the customer's baskets in order) "
    "and item, one row per item of a basket"
)


@dataclass(frozen=True)
class Baskets:
    """`history` (customer_id, back, item): back is 1 for a customer's last basket, 2 before it.

    `future` (customer_id, item, repeat): what the next basket held, of customers with a history;
    `repeat`: whether the customer had bought it before. Both sorted. `notes` say what was left out.
    """

    history: pl.DataFrame
    future: pl.DataFrame
    notes: tuple[str, ...]


def read_baskets(folder: Path) -> Baskets:
    """`history.parquet` and `future.parquet` of `folder`; DataError says what is wrong."""
    history, future = (_table(folder / f"{name}.parquet") for name in ("history", "future"))
    return ordered_baskets(history, future)


def ordered_baskets(history: pl.DataFrame, future: pl.DataFrame) -> Baskets:
    """The same from tables with COLUMNS: each item of a basket once, baskets counted backwards."""
    notes = []
    for name, table in (("history", history), ("future", future)):
        again = table.height - table.unique(COLUMNS).height
        if again:
            notes.append(
                f"{again:,} rows of {name} repeat a customer, basket and item: counted once"
            )
    history, future = history.unique(COLUMNS), future.unique(COLUMNS)
    _refuse_wrong_order(history, future)
    known = history.select("customer_id").unique()
    asked = future.select("customer_id").unique()
    strangers = asked.join(known, on="customer_id", how="anti").height
    silent = known.join(asked, on="customer_id", how="anti").height
    if strangers:
        notes.append(f"{strangers:,} customers of future have no history: left out")
    if silent:
        notes.append(f"{silent:,} customers of history have no future: learnt from, not judged by")
    new = future.select("item").unique().join(history, on="item", how="anti").height
    if new:
        notes.append(
            f"{new:,} items of future are in no history: nobody can foresee them, all miss them"
        )
    bought = history.select("customer_id", "item", repeat=pl.lit(True)).unique()
    judged = (
        future.join(known, on="customer_id")
        .select("customer_id", "item")
        .join(bought, on=["customer_id", "item"], how="left")
        .with_columns(pl.col("repeat").fill_null(False))
        .sort("customer_id", "item")
    )
    if judged.is_empty():
        raise DataError(
            "no customer of future.parquet has baskets in history.parquet, so there is nobody to "
            "judge by; check that both call customers the same"
        )
    back = pl.col("basket").rank("dense", descending=True).over("customer_id").cast(pl.Int64)
    return Baskets(
        history=history.select("customer_id", "item", back=back).sort(
            "customer_id", "back", "item"
        ),
        future=judged,
        notes=tuple(notes),
    )


def _table(file: Path) -> pl.DataFrame:
    if not file.is_file():
        raise DataError(f"{file} is not there; a folder of baskets holds history.parquet and "
                        f"future.parquet, and {LOOK}")  # fmt: skip
    try:
        table = pl.read_parquet(file)
    except (OSError, pl.exceptions.ComputeError) as problem:
        raise DataError(f"{file} cannot be read as Parquet: {problem}") from problem
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise DataError(
            f"{file} has no column {', '.join(missing)}; found {', '.join(table.columns)}; {LOOK}"
        )
    table = table.select(COLUMNS)
    if table.is_empty():
        raise DataError(f"{file} has no rows; {LOOK}")
    if isinstance(table.schema["item"], pl.List):  # a row per basket says the same
        table = table.explode("item")
    nested = [name for name in COLUMNS if table.schema[name].is_nested()]
    if nested:
        raise DataError(f"{nested[0]} of {file} is {table.schema[nested[0]]}; {LOOK}")
    if not table.schema["basket"].is_integer():
        raise DataError(f"basket of {file} is {table.schema['basket']}; {LOOK}")
    nulls = {name: count for name, count in table.null_count().row(0, named=True).items() if count}
    if nulls:
        told = ", ".join(f"{count:,} rows without {name}" for name, count in nulls.items())
        raise DataError(f"{file} has {told}; fill or drop them; {LOOK}")
    return table.select(
        pl.col("customer_id").cast(pl.String), pl.col("basket").cast(pl.Int64),
        pl.col("item").cast(pl.String),
    )  # fmt: skip


def _refuse_wrong_order(history: pl.DataFrame, future: pl.DataFrame) -> None:
    last = history.group_by("customer_id").agg(last=pl.col("basket").max())
    early = future.join(last, on="customer_id").filter(pl.col("basket") <= pl.col("last"))
    if not early.is_empty():
        one = early.sort("customer_id").row(0, named=True)
        raise DataError(
            f"{early.get_column('customer_id').n_unique():,} customers of future.parquet have a "
            f"basket that is not after their history: basket {one['basket']} of customer "
            f"{one['customer_id']}, whose history ends with {one['last']}. Numbers must rise; what "
            "is in future.parquet must not be in history.parquet"
        )
    several = future.group_by("customer_id").agg(pl.col("basket").n_unique())
    several = several.filter(pl.col("basket") > 1).sort("customer_id")
    if not several.is_empty():
        one = several.row(0, named=True)
        raise DataError(
            f"{several.height:,} customers of future.parquet have more than one basket there "
            f"(customer {one['customer_id']} has {one['basket']}): keep the first, the next one"
        )
