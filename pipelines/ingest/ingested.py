"""What an ingest makes of its inputs, and the account it gives of every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Account:
    """Where the rows of one input went; each row is counted exactly once.

    `became` counts rows by what they turned into ("order", "refund", "duplicate"), `rejected`
    counts those kept aside, by reason.
    """

    input: str
    rows: int
    became: Mapping[str, int]
    rejected: Mapping[str, int]

    @property
    def unaccounted(self) -> int:
        """Rows of which nothing is said; anything but zero is a fault of ours."""
        return self.rows - sum(self.became.values()) - sum(self.rejected.values())


@dataclass(frozen=True)
class Ingested:
    """Frames that keep their contracts, what did not by table (with `reason`), and the account.

    `assumptions` are sentences: what the inputs do not say and was taken to be so.
    """

    events: pl.DataFrame
    customers: pl.DataFrame
    products: pl.DataFrame
    rejected: Mapping[str, pl.DataFrame]
    accounts: tuple[Account, ...]
    assumptions: tuple[str, ...]
