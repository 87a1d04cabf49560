"""The past of each spine row: what had happened and was known at its `as_of`, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import cos, pi, sin
from typing import Literal, TypeAlias, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.acts import IS_EMAIL, IS_OWN, IS_YES
from features.bots import behaving_like_machines
from features.contracts import ALWAYS_KEPT
from features.feature import CLOCK_RADIUS, DAY, HOUR, MONEY
from features.localtime import local_of, with_local
from features.numbers import matched, numbered, places_in
from features.once import earliest_copies
from features.people import as_known

# So many joined lines are described at a time: about half a gigabyte.
_LINES_AT_A_TIME = 2_000_000

# Texts by which lines are grouped, and so have numbers beside them.
Coded: TypeAlias = Literal["category", "product_id", "order_id"]
CODED: tuple[Coded, ...] = get_args(Coded)
Names: TypeAlias = Mapping[str, pl.Series]


@dataclass(frozen=True, eq=False)
class Past:
    """Spine rows and what they may see.

    `rows`: each (customer_id, as_of) once, numbered by `row`, with what CUSTOMERS said by then,
    `timezone` (always one that can be converted to), `zone_known` and `local_as_of`.
    `lines`: HISTORY lines sorted by `row` and `moment`, with `age` in microseconds, local time, and
    integers where sums are taken. Beside each text of CODED stands NAME_number, -1 for null: its
    place in `names`, which are sorted. `items` keeps what features.touched has found.
    """

    rows: pl.DataFrame
    lines: pl.DataFrame
    names: Names
    items: dict[str, pl.DataFrame] = field(default_factory=dict)


def past_of(
    history: pl.DataFrame,
    spine: pl.DataFrame,
    customers: pl.DataFrame,
    *,
    default_timezone: str,
    limit: int,
) -> Past:
    """The past of every distinct spine row.

    A row sees an event that happened before its `as_of` and was known by then, each event once,
    and of these the `limit` newest (and whatever is ALWAYS_KEPT).
    """
    rows = _rows(spine, customers, default_timezone=default_timezone)
    zones = rows.select("customer_id", "timezone").unique(maintain_order=True)
    zones = zones.with_row_index("whose")
    told, names = _told(history, zones)
    lines = _seen(told, rows, zones)
    return Past(rows, _without_machines(_newest(lines, limit)), names)


def _seen(told: pl.DataFrame, rows: pl.DataFrame, zones: pl.DataFrame) -> pl.DataFrame:
    """For each row the events that it sees, by row and moment, with their `age`."""
    whose = told.get_column("whose").to_numpy()
    of_row = (
        np.arange(rows.height)
        if rows.height == zones.height
        else rows.join(zones, on=["customer_id", "timezone"], maintain_order="left")
        .get_column("whose")
        .to_numpy()
        .astype(np.int64)
    )
    row, place = matched(of_row, whose)
    as_of = _micros(rows, "as_of")[row]
    at, known_at = (_micros(told, name)[place] for name in ("at", "known_at"))
    is_seen = (at < as_of) & (known_at <= as_of)
    if not is_seen.all():
        row, place, at, as_of = row[is_seen], place[is_seen], at[is_seen], as_of[is_seen]
    is_all = len(place) == told.height and rows.height == zones.height
    lines = told.drop("whose", "known_at")
    return (lines if is_all else lines[place]).with_columns(
        pl.Series("row", row), pl.Series("age", as_of - at)
    )


def _newest(lines: pl.DataFrame, limit: int) -> pl.DataFrame:
    """What features.history.newest keeps, of lines that are sorted by row and moment."""
    row = lines.get_column("row").to_numpy()
    newer = np.searchsorted(row, row, "right") - np.arange(len(row)) - 1
    if not (newer >= limit).any():
        return lines
    is_kept = lines.get_column("kind").is_in(ALWAYS_KEPT)
    return lines.filter(pl.Series(newer < limit) | is_kept)


def _without_machines(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines, where what only a machine would do is neither an own act nor about e-mail."""
    places = behaving_like_machines(lines, "row").get_column("place")
    lines = lines.drop("message_id")
    if places.is_empty():
        return lines
    is_human = pl.Series(np.ones(lines.height, dtype=np.bool_)).scatter(places, False)
    return lines.with_columns(
        is_own=pl.col("is_own") & is_human, is_email=pl.col("is_email") & is_human
    )


def portions(history: pl.DataFrame, spine: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The spine's rows in portions that bound memory, all rows of a customer in one of them.

    Nobody's past depends on anybody else's, so the portions are described one after another.
    """
    spine = spine.select("customer_id", "as_of")
    if spine.height * history.height <= _LINES_AT_A_TIME:
        yield spine
        return
    per_customer = (
        spine.group_by("customer_id", maintain_order=True)
        .len("dates")
        .join(
            history.group_by("customer_id").len("events"),
            on="customer_id",
            how="left",
            maintain_order="left",
        )
    )
    lines = pl.col("dates").cast(pl.Int64) * pl.col("events").fill_null(0).cast(pl.Int64)
    numbered = per_customer.select("customer_id", portion=lines.cum_sum() // _LINES_AT_A_TIME)
    placed = spine.join(numbered, on="customer_id", maintain_order="left")
    yield from placed.partition_by("portion", maintain_order=True, include_key=False)


def _rows(spine: pl.DataFrame, customers: pl.DataFrame, *, default_timezone: str) -> pl.DataFrame:
    rows = spine.select("customer_id", "as_of").unique(maintain_order=True).with_row_index("row")
    said = with_local(
        as_known(customers, rows), "as_of", zone_column="timezone", default=default_timezone
    )
    zone = pl.when("zone_known").then("timezone").otherwise(pl.lit(default_timezone))
    return said.with_columns(timezone=zone)


def _told(history: pl.DataFrame, zones: pl.DataFrame) -> tuple[pl.DataFrame, Names]:
    """Whatever can be said of an event without knowing `as_of`, once per event and time zone.

    By `whose` (of `zones`) and `moment`, which numbers the events by (at, event_id): what is newest
    is never a matter of row order.
    """
    events = _in_order(earliest_copies(_of_whom(history, zones), of=["whose", "event_id"]))
    local = _local(events, zones)
    hour = local // HOUR % 24
    day = local // DAY
    names: dict[str, pl.Series] = {}
    codes = {}
    for name in CODED:
        codes[name], names[name] = numbered(events.get_column(name))
    told = events.select(
        "whose",
        "event_id",
        "at",
        "known_at",
        "kind",
        "channel",
        "product_id",
        "category",
        "order_id",
        "coupon",
        "payment",
        "link",
        "email",
        "message_id",
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("moment"),
        _thousandths(pl.col("quantity").fill_null(1.0)).alias("quantity"),
        _integer(pl.col("amount")),
        _integer(pl.col("discount")),
        _thousandths(pl.col("duration_s")).alias("duration_ms"),
        IS_EMAIL.alias("is_email"),
        IS_OWN.alias("is_own"),
        IS_YES.alias("is_yes"),
    )
    return told.with_columns(
        pl.Series("local_day", day.astype(np.int32)).cast(pl.Date),
        pl.Series("local_hour", hour.astype(np.int8)),
        pl.Series("clock_east", _CLOCK_EAST[hour]),
        pl.Series("clock_north", _CLOCK_NORTH[hour]),
        # Day 0 was a Thursday.
        pl.Series("is_weekend", (day + 3) % 7 >= 5),
        *(pl.Series(f"{name}_number", numbers) for name, numbers in codes.items()),
    ), names


def _of_whom(history: pl.DataFrame, zones: pl.DataFrame) -> pl.DataFrame:
    """The events of these customers with `whose`, once for each of their time zones."""
    of = zones.select("customer_id", "whose")
    if of.get_column("customer_id").n_unique() < of.height:
        return history.join(of, on="customer_id", how="inner")
    whose = places_in(history.get_column("customer_id"), of.get_column("customer_id"))
    events = history.with_columns(pl.Series("whose", whose))
    return events if (whose >= 0).all() else events.filter(pl.col("whose") >= 0)


def _in_order(events: pl.DataFrame) -> pl.DataFrame:
    """By whose, at and event_id; published pasts are so already, and to see it is cheaper."""
    whose, at = events.get_column("whose").to_numpy(), _micros(events, "at")
    is_next, is_same = whose[1:] > whose[:-1], whose[1:] == whose[:-1]
    is_tie = is_same & (at[1:] == at[:-1])
    is_right = is_next | (is_same & (at[1:] > at[:-1])) | is_tie
    if is_right.all():
        event_id = events.get_column("event_id")
        if not is_tie.any() or (~is_tie | (event_id[1:] > event_id[:-1]).to_numpy()).all():
            return events
    return events.sort("whose", "at", "event_id")


def _local(events: pl.DataFrame, zones: pl.DataFrame) -> NDArray[np.int64]:
    """The local time of each event in microseconds; of lines of one moment, one is looked up."""
    whose, at = events.get_column("whose").to_numpy(), _micros(events, "at")
    is_first = np.ones(len(at), dtype=np.bool_)
    is_first[1:] = (at[1:] != at[:-1]) | (whose[1:] != whose[:-1])
    first = np.flatnonzero(is_first)
    zone = zones.get_column("timezone")
    local = local_of(events.get_column("at")[first], zone[whose[first]])
    return np.repeat(local.to_physical().to_numpy(), np.diff(first, append=len(at)))


def _integer(money: pl.Expr) -> pl.Expr:
    return (money * MONEY).cast(pl.Int64)


def _thousandths(number: pl.Expr) -> pl.Expr:
    # Bounded, so that one absurd value cannot fail a whole query.
    return (number.clip(0, 1e9) * 1_000).round().cast(pl.Int64)


def _micros(frame: pl.DataFrame, column: str) -> NDArray[np.int64]:
    return frame.get_column(column).to_physical().to_numpy()


def _on_clock(wave: Callable[[float], float]) -> NDArray[np.int64]:
    """A coordinate of each of 24 hours on the clock face."""
    return np.array([round(CLOCK_RADIUS * wave(2 * pi * hour / 24)) for hour in range(24)])


_CLOCK_EAST, _CLOCK_NORTH = _on_clock(cos), _on_clock(sin)
