"""What an ingest makes of its inputs, and the account it gives of every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from features.tables import Split, Table


def counted(frame: pl.DataFrame, column: str) -> dict[str, int]:
    """How often each value occurs, the most frequent first, ties by name."""
    counts = frame.group_by(pl.col(column).cast(pl.String)).len()
    return dict(counts.sort("len", column, descending=[True, False]).rows())


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

    @classmethod
    def of_split(cls, name: str, split: Split, becomes: str) -> Account:
        """The account of an input all of whose good rows become the same."""
        accepted, rejected = split.accepted.height, split.rejected.height
        became = {becomes: accepted} if accepted else {}
        return cls(name, accepted + rejected, became, counted(split.rejected, "reason"))

    @classmethod
    def of_events(cls, name: str, split: Split) -> Account:
        """The account of an input whose good rows became events of some kind."""
        became = counted(split.accepted, "kind")
        rows = split.accepted.height + split.rejected.height
        return cls(name, rows, became, counted(split.rejected, "reason"))

    @property
    def unaccounted(self) -> int:
        """Rows of which nothing is said; anything but zero is a fault of ours."""
        return self.rows - sum(self.became.values()) - sum(self.rejected.values())


@dataclass(frozen=True)
class Ingested:
    """Frames that keep their contracts, what was set aside of each table (with `reason`), and the
    account of every row.

    `assumptions` are sentences: what the inputs do not say and was taken to be so.
    """

    events: pl.DataFrame
    customers: pl.DataFrame
    products: pl.DataFrame
    rejected: tuple[tuple[Table, pl.DataFrame], ...]
    accounts: tuple[Account, ...]
    assumptions: tuple[str, ...]
