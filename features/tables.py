"""A table of the contracts, and what becomes of a frame that should be one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import dataframely as dy
import polars as pl

from features import contracts
from features.errors import DataError

_BROKEN_COLUMN_RULES = {
    "nullability": "is missing",
    "min_length": "is empty",
    "max_length": "is too long",
    "regex": "is not written as it should be",
    "min": "is too small",
    "max": "is too large",
    "nan": "is not a number",
    "inf": "is not finite",
}


@dataclass(frozen=True)
class Split:
    """A frame in two halves; their heights add up to the height of what was given."""

    accepted: pl.DataFrame
    rejected: pl.DataFrame


@dataclass(frozen=True)
class _Shaped:
    frame: pl.DataFrame
    # One Boolean column per column whose values could not all be cast, named by the reason.
    misfits: pl.DataFrame


@dataclass(frozen=True)
class Table:
    """A contract under the name by which the lake knows it."""

    name: str
    schema: type[dy.Schema]

    @property
    def columns(self) -> list[str]:
        return list(_names(self.schema))

    def shape(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with exactly the columns and types of the contract; rules are not looked at.

        Absent nullable columns are added, unknown ones move into `attributes` as JSON. DataError
        where a value does not fit its type, or where an unknown column has nowhere to go.
        """
        shaped = self._shape(frame)
        self._refuse(_counts(shaped.misfits))
        return shaped.frame

    def check(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The shaped frame if every row keeps every rule, else a DataError that names them all."""
        shaped = self._shape(frame)
        broken = self._broken(shaped)
        self._refuse(broken.group_by("reason").len().sort("reason").rows() if len(broken) else [])
        return shaped.frame

    def split(self, frame: pl.DataFrame) -> Split:
        """Rows that keep every rule (shaped), and the others as given with their `reason`."""
        shaped = self._shape(frame)
        reasons = (
            self._broken(shaped)
            .group_by("row")
            .agg(pl.col("reason").unique(maintain_order=True).str.join("; "))
            .sort("row")
        )
        # By place and not by a join: whatever comes may have columns of any name.
        rows = pl.int_range(frame.height, dtype=pl.UInt32, eager=True)
        is_broken = rows.is_in(reasons.get_column("row").implode())
        # Events have a `reason` of their own (of a consent, of a bounce), which makes room here.
        given = frame.rename({"reason": "given_reason"}, strict=False)
        return Split(
            accepted=shaped.frame.filter(~is_broken),
            rejected=given.filter(is_broken).with_columns(reasons.get_column("reason")),
        )

    def _shape(self, frame: pl.DataFrame) -> _Shaped:
        columns = self.schema.columns()
        unknown = [name for name in frame.columns if name not in columns]
        if unknown and "attributes" not in columns:
            raise DataError(
                f"{self.name} has no column {', '.join(unknown)}; "
                f"drop or rename it, the columns are {', '.join(columns)}"
            )
        given = _with_attributes(frame, unknown)
        cast = {name: _cast(given, name, column.dtype) for name, column in columns.items()}
        misfits = {
            f"{name} is not {_in_words(columns[name].dtype)}": lost
            for name, values in cast.items()
            if name in given.columns
            and (lost := given.get_column(name).is_not_null() & values.is_null()).any()
        }
        return _Shaped(pl.DataFrame(cast), pl.DataFrame(misfits))

    def _broken(self, shaped: _Shaped) -> pl.DataFrame:
        """`row` and `reason`, one line for each rule that a row breaks."""
        # The row's number travels through the validation, so that a failure finds its row again.
        failed = _numbered(self.schema).filter(shaped.frame.with_row_index("row")).failure
        verdicts = failed.details() if len(failed) else pl.DataFrame()
        by_rule = [
            verdicts.filter(pl.col(rule) == "invalid").select("row", reason=pl.lit(_words(rule)))
            for rule in verdicts.columns
            if rule not in shaped.frame.columns and rule != "row"
        ]
        by_cast = [
            shaped.misfits.with_row_index("row")
            .filter(pl.col(reason))
            .select("row", reason=pl.lit(reason))
            for reason in shaped.misfits.columns
        ]
        empty = pl.DataFrame(schema={"row": pl.UInt32, "reason": pl.String})
        return pl.concat([empty, *by_cast, *by_rule])

    def _refuse(self, counts: list[tuple[str, int]]) -> None:
        if counts:
            found = "; ".join(f"{reason} ({rows} rows)" for reason, rows in counts)
            raise DataError(
                f"{self.name} breaks its contract: {found}. "
                "Mend the rows, or set them aside with split()"
            )


@cache
def _names(schema: type[dy.Schema]) -> tuple[str, ...]:
    """The schema reads them anew each time, which takes longer than to read a past."""
    return tuple(schema.columns())


@cache
def _numbered(schema: type[dy.Schema]) -> Any:
    """The schema with one more column, the number of a row."""
    return type(schema.__name__, (schema,), {"row": dy.UInt32(nullable=False)})


def _counts(misfits: pl.DataFrame) -> list[tuple[str, int]]:
    return [(reason, int(misfits.get_column(reason).sum())) for reason in misfits.columns]


def _cast(frame: pl.DataFrame, name: str, dtype: pl.DataType) -> pl.Series:
    """The column in its type, null where a value does not fit or the column is absent."""
    absent = pl.Series(name, [None], dtype=dtype).new_from_index(0, frame.height)
    if name not in frame.columns:
        return absent
    given = frame.get_column(name)
    if isinstance(given.dtype, pl.Datetime) and given.dtype.time_zone is None:
        # A naive time could be anybody's; guessing UTC is how hours get lost.
        return absent
    try:
        return given.cast(dtype, strict=False)
    except pl.exceptions.InvalidOperationError:
        return absent


def _with_attributes(frame: pl.DataFrame, unknown: list[str]) -> pl.DataFrame:
    """Unknown columns folded into `attributes`, beside what it held before."""
    if not unknown:
        return frame
    folded = frame.select(pl.struct(unknown).struct.json_encode()).to_series()
    if "attributes" in frame.columns:
        held = frame.get_column("attributes")
        folded = pl.Series(
            [_merged(new, old) for new, old in zip(folded, held, strict=True)], dtype=pl.String
        )
    return frame.drop(unknown).with_columns(folded.alias("attributes"))


def _merged(new: str, old: str | None) -> str:
    if old is None:
        return new
    try:
        before: Any = json.loads(old)
    except ValueError:
        before = old
    return json.dumps((before if isinstance(before, dict) else {"was": before}) | json.loads(new))


def _in_words(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Enum):
        return f"one of {', '.join(dtype.categories)}"
    if isinstance(dtype, pl.Datetime):
        return "a time with a time zone"
    if isinstance(dtype, pl.Decimal):
        return "an amount of money"
    if isinstance(dtype, pl.Boolean):
        return "true or false"
    return "a number" if dtype.is_numeric() else "text"


def _words(rule: str) -> str:
    """A broken rule as a sentence: of a column ("currency|regex"), or one with its own name."""
    column, _, kind = rule.partition("|")
    if kind:
        return f"{column} {_BROKEN_COLUMN_RULES.get(kind, f'breaks {kind}')}"
    return f"breaks the rule: {rule.replace('_', ' ')}"


EVENTS = Table("events", contracts.Events)
CUSTOMERS = Table("customers", contracts.Customers)
PRODUCTS = Table("products", contracts.Products)
SPINE = Table("spine", contracts.Spine)
HISTORY = Table("history", contracts.History)
