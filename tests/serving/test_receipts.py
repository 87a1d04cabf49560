"""What is kept of a decision."""

from __future__ import annotations

import polars as pl

from serving.receipts import rows_of
from serving.tables import DECISIONS
from tests.serving.histories import answers

TOLD = """
    ann | consent  | 2025-01-01T00:00 | granted
    ann | cart_add | 2026-03-03T14:00 | bun
"""


def test_rows_are_read_as_they_stand():
    got = answers(TOLD, "ann", "bob")
    without = got.with_columns(
        arms=pl.when(pl.col("row") == 1).then(pl.lit(None, got.schema["arms"])).otherwise("arms")
    )
    empty = got.with_columns(
        arms=pl.when(pl.col("row") == 0).then(pl.lit([], got.schema["arms"])).otherwise("arms")
    )
    for frame in (got, without, empty, got.clear(), pl.DataFrame(schema=DECISIONS)):
        assert [list(row.items()) for row in rows_of(frame)] == [
            list(row.items()) for row in frame.rows(named=True)
        ]
