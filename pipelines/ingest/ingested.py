"""What an ingest makes of its inputs, and the account it gives of every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from features.tables import CUSTOMERS, EVENTS, PRODUCTS, Split, Table

# The number of a row in its file; the name has a blank, as no column of ours has.
ROW = "row in file"
SHOWN_CHARACTERS = 40
OF_ERASED = "of an erased customer"


@dataclass(frozen=True)
class Account:
    """Where the rows of one input went; each row is counted exactly once.

    `became` counts rows by what they turned into ("order", "refund", "duplicate"), `rejected`
    counts those set aside, by reason, and `samples` shows the first row of each reason.
    """

    input: str
    rows: int
    became: Mapping[str, int]
    rejected: Mapping[str, int]
    samples: Mapping[str, str]

    @property
    def is_empty_handed(self) -> bool:
        """Whether it had rows and none of them came in."""
        return self.rows > 0 and not self.became.keys() - {"duplicate", OF_ERASED}

    @property
    def unaccounted(self) -> int:
        """Rows of which nothing is said; anything but zero is a fault of ours."""
        return self.rows - sum(self.became.values()) - sum(self.rejected.values())


@dataclass(frozen=True)
class Intake:
    """One input of so many rows, split by the contract of the table that it goes to."""

    name: str
    rows: int
    table: Table
    split: Split
    duplicates: int
    erased: int = 0  # rows of customers who were erased, which come in no more

    @classmethod
    def of(cls, name: str, table: Table, frame: pl.DataFrame, *, rows: int) -> Intake:
        """An input of `rows` rows, each of which became one row of `frame`."""
        return cls(name, rows, table, table.split(frame), duplicates=0)

    @property
    def account(self) -> Account:
        accepted = self.split.accepted
        if self.table is EVENTS:
            became = _counted(accepted, "kind")
        else:
            became = {self.table.name.removesuffix("s"): accepted.height}
        became |= {"duplicate": self.duplicates, OF_ERASED: self.erased}
        seen = {name: rows for name, rows in became.items() if rows}
        rejected = self.split.rejected
        return Account(self.name, self.rows, seen, _counted(rejected, "reason"), _samples(rejected))


@dataclass(frozen=True)
class Ingested:
    """All that an ingest brings.

    `assumptions` are sentences: what the inputs do not say and was taken to be so.
    """

    intakes: tuple[Intake, ...]
    assumptions: tuple[str, ...]

    @property
    def events(self) -> pl.DataFrame:
        return self._accepted(EVENTS)

    @property
    def customers(self) -> pl.DataFrame:
        return self._accepted(CUSTOMERS)

    @property
    def products(self) -> pl.DataFrame:
        return self._accepted(PRODUCTS)

    @property
    def accounts(self) -> tuple[Account, ...]:
        return tuple(intake.account for intake in self.intakes)

    def _accepted(self, table: Table) -> pl.DataFrame:
        accepted = [one.split.accepted for one in self.intakes if one.table is table]
        return pl.concat([table.schema.create_empty(), *accepted])


def _counted(frame: pl.DataFrame, column: str) -> dict[str, int]:
    """How often each value occurs, the most frequent first, ties by name."""
    counts = frame.group_by(pl.col(column).cast(pl.String)).len()
    return dict(counts.sort("len", column, descending=[True, False]).rows())


def _samples(rejected: pl.DataFrame) -> dict[str, str]:
    """Of each reason the first row: its value of the column that the reason names, its number."""
    samples = {}
    for row in rejected.unique("reason", keep="first", maintain_order=True).iter_rows(named=True):
        reason = row.pop("reason")
        number = row.pop(ROW, None)
        named = [column for column in row if reason.startswith(f"{column} ")]
        value = row[max(named, key=len)] if named else None
        shown = [] if value is None else [repr(str(value)[:SHOWN_CHARACTERS])]
        shown += [] if number is None else [f"row {number}"]
        if shown:
            samples[reason] = " in ".join(shown)
    return samples
