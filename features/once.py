"""One event, once, at a time that can be: what is settled before events enter the lake."""

from __future__ import annotations

from hashlib import blake2b

import polars as pl

from features.contracts import LATEST_CLOCK_ERROR


def unique_events(events: pl.DataFrame) -> pl.DataFrame:
    """One row per `event_id`, in the order of first appearance: the copy known earliest wins."""
    return earliest_copies(events, of=["event_id"])


def earliest_copies(events: pl.DataFrame, *, of: list[str]) -> pl.DataFrame:
    """One row for each value of `of`, the one with the earliest `known_at`.

    Copies known at the same moment are told apart by their other columns, so that the answer does
    not depend on the order in which they came.
    """
    # One column that tells all rows apart is looked at several times as fast as all of `of`.
    if events.get_column(of[-1]).n_unique() == events.height or (
        len(of) > 1 and events.n_unique(of) == events.height
    ):
        return events
    rest = [name for name in events.columns if name not in ("known_at", *of)]
    numbered = events.with_row_index("place")
    return (
        numbered.sort("known_at", *rest, nulls_last=True)
        .with_columns(pl.col("place").min().over(of))
        .unique(of, keep="first", maintain_order=True)
        .sort("place")
        .drop("place")
    )


def settle_clock(events: pl.DataFrame) -> pl.DataFrame:
    """An `at` up to five minutes after `known_at` becomes `known_at`: clocks differ that much.

    What is later still is left alone, for the contract to reject.
    """
    at, known_at = pl.col("at"), pl.col("known_at")
    is_slip = (at > known_at) & (at <= known_at + LATEST_CLOCK_ERROR)
    return events.with_columns(at=pl.when(is_slip).then(known_at).otherwise(at))


def content_id(frame: pl.DataFrame, columns: list[str]) -> pl.Series:
    """An event id made of what the event says, for producers that give none.

    The same content has the same id on every machine, and equal lines within `frame` get the
    same one: number them in a column of their own where two equal lines are two events.
    """
    # JSON keeps a null, an empty text and a separator inside a value apart.
    texts = frame.select(pl.struct(columns).struct.json_encode()).to_series()
    hashed = [blake2b(text.encode(), digest_size=16).hexdigest() for text in texts]
    return pl.Series("event_id", hashed, dtype=pl.String)
