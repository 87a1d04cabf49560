"""Whether a frame can be read as a log: its columns, their types, and what may not be null."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from features.errors import DataError
from training.offpolicy.refusal import refuse

COLUMNS = {"customer_id", "arm", "reward", "propensity", "possible"}
NAMES = (pl.String, pl.Categorical, pl.Enum)


def check_frame(frame: pl.DataFrame, arms: Sequence[str]) -> None:
    """DataError saying what was found and what to log; ValueError where `arms` repeats a name."""
    if len(set(arms)) < len(arms):
        twice = sorted({arm for arm in arms if list(arms).count(arm) > 1})
        raise ValueError(f"each arm has one number, but {', '.join(twice)} is named twice in arms")
    if missing := COLUMNS - set(frame.columns):
        raise DataError(
            f"this log lacks {', '.join(sorted(missing))}; a policy can be judged on a log only if "
            "each decision states who it was about (customer_id), what was chosen (arm), with "
            "which chance (propensity), what else could have been drawn (possible), and what came "
            "of it (reward): log the chances when you decide, nobody can find them out later"
        )
    _check_types(frame)
    for column, rule, remedy in (
        ("propensity", "every decision states its propensity", "log the chance when you decide"),
        ("customer_id", "every decision is about a customer", "log whom it was about"),
        ("possible", "every decision states what was possible", "log all that could be drawn"),
    ):
        refuse(frame.get_column(column).is_null().to_numpy(), rule, remedy)
    named = set(frame.get_column("arm").unique())
    _check_known("arms", named, arms)
    _check_known("`possible` arms", set(frame.get_column("possible").explode().unique()), arms)


def _check_types(frame: pl.DataFrame) -> None:
    """DataError where numbers are text or lists are not lists; a column of nulls has no type."""
    for column in ("propensity", "reward"):
        found = frame.schema[column]
        if not (found.is_numeric() or found in (pl.Boolean, pl.Null)):
            raise DataError(f"{column} is a number, but in this log it is {found}; log a number")
    found = frame.schema["possible"]
    if found != pl.Null and not (isinstance(found, pl.List) and found.inner in (*NAMES, pl.Null)):
        raise DataError(
            f"`possible` is a list of names of arms, but in this log it is {found}; log all arms "
            "that could have been drawn, the drawn one among them"
        )


def _check_known(what: str, named: set[str | None], arms: Sequence[str]) -> None:
    # An empty list has no name in it: polars explodes it to null.
    strangers = named - set(arms) - ({None} if what != "arms" else set())
    if strangers:
        raise DataError(
            f"this log names {what} that are not known: {', '.join(sorted(map(str, strangers)))}; "
            f"known are {', '.join(arms)}"
        )
