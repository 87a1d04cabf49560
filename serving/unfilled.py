"""What a decision says of a subject that nobody has told it of."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from serving.tables import DECISIONS, SLOTS

# Slots that are columns of their own wherever they are known.
OF_SLOTS_ALONE = ("region", "subject_prefix", "list_unsubscribe", "legal", "elements")

_IS_SEND = pl.col("action") == "send"
_SLOT_TYPES = {field.name: field.dtype for field in SLOTS.fields}
_UNFILLED: dict[str, pl.Expr] = {
    "by": pl.when(_IS_SEND).then(pl.lit("mail")),
    "experiments": pl.lit([], DECISIONS["experiments"]),
    "own_segments": pl.lit([], pl.List(pl.String)),
    **{name: pl.lit(None, _SLOT_TYPES[name]) for name in OF_SLOTS_ALONE},
    "list_unsubscribe": pl.lit(False),
    "elements": pl.lit([], _SLOT_TYPES["elements"]),
}


def with_unfilled(decisions: pl.LazyFrame, there: Collection[str]) -> pl.LazyFrame:
    """Add those columns that are not `there`, and make lists that are null empty."""
    added = {name: value for name, value in _UNFILLED.items() if name not in there}
    lists = ("experiments", "own_segments", "elements", "promised", "sources")
    return decisions.with_columns(**added).with_columns(pl.col(lists).fill_null([]))
