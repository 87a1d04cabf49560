"""What a row says, by its mapping: one expression per column of EVENTS and per fact beside it."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from features.contracts import Events
from pipelines.ingest.mapping import EventFields, Mapping, Time
from pipelines.ingest.reading import (
    TOO_MUCH_MONEY,
    column_text,
    flag,
    holds,
    moment,
    money,
    number,
    text,
)

# Our own columns beside those of the file: their names have a blank, as no column of ours has.
FAULT = "fault of row"
CONSENT = "consent of row"
OF_CUSTOMER = "customer "
OF_PRODUCT = "product "

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2201, 1, 1, tzinfo=UTC)

NUMBERS = ("quantity", "duration_s")
MONEY = ("amount", "discount")
FLAGS = ("machine",)
TEXTS = tuple(
    name
    for name in EventFields.model_fields
    if name in Events.columns() and name not in (*NUMBERS, *MONEY, *FLAGS, "event_id")
)


def event_columns(mapping: Mapping, *, decimal: str, now: datetime) -> dict[str, pl.Expr]:
    """The columns of EVENTS but `event_id`, whose making needs the whole row.

    A refund is positive: that money goes back is what its kind says, whatever sign the file uses.
    """
    event, time = mapping.event, mapping.time
    kind = _kind(mapping, decimal=decimal)
    numbers = {name: number(text(getattr(event, name)), decimal=decimal) for name in NUMBERS}
    amounts = {name: number(text(getattr(event, name)), decimal=decimal) for name in MONEY}
    if event.unit_price is not None:
        price = number(text(event.unit_price), decimal=decimal)
        amounts["amount"] = price * numbers["quantity"]
    counted = numbers | {name: money(amount) for name, amount in amounts.items()}
    is_refund = (kind == "refund").fill_null(False)
    unsigned = {
        name: pl.when(is_refund).then(value.abs()).otherwise(value)
        for name, value in counted.items()
    }
    at = moment(column_text(time.at), time)
    keep = pl.struct(event.keep).struct.json_encode() if event.keep else pl.lit(None, pl.String)
    return (
        {name: text(getattr(event, name)) for name in TEXTS}
        | unsigned
        | {name: flag(text(getattr(event, name))) for name in FLAGS}
        | {
            "at": at,
            "known_at": _known_at(mapping, at, now),
            "kind": kind,
            "source": pl.lit(mapping.source),
            "attributes": keep,
        }
    )


def _kind(mapping: Mapping, *, decimal: str) -> pl.Expr:
    becomes = [pl.lit(rule.then) for rule in mapping.rules]
    return _by_first_rule(mapping, becomes, text(mapping.event.kind), decimal=decimal)


def _by_first_rule(
    mapping: Mapping, outcomes: list[pl.Expr], otherwise: pl.Expr, *, decimal: str
) -> pl.Expr:
    """The outcome of the first rule, from top to bottom, all of whose conditions hold."""
    decided = otherwise
    for rule, outcome in reversed(list(zip(mapping.rules, outcomes, strict=True))):
        applies = pl.all_horizontal(holds(one, decimal=decimal) for one in rule.when)
        decided = pl.when(applies).then(outcome).otherwise(decided)
    return decided


def _known_at(mapping: Mapping, at: pl.Expr, now: datetime) -> pl.Expr:
    ingested = pl.lit(now).cast(pl.Datetime("us", "UTC"))
    match mapping.time.known_at:
        case "now":
            return ingested
        case "at":
            # Nothing is known before it is here: a row dated ahead is for the contract to reject.
            return pl.min_horizontal(at, ingested)
        case "column":
            return moment(column_text(mapping.time.known_at_column or ""), mapping.time)


def fault(mapping: Mapping, columns: list[str], *, decimal: str) -> pl.Expr:
    """Why a row is set aside before the contract sees it, or null: rules first, then what cannot
    be read."""
    is_empty = pl.all_horizontal(column_text(name).is_null() for name in columns)
    unsaid = pl.lit(None, dtype=pl.String)
    refusals = [pl.lit(rule.reason) if rule.then == "reject" else unsaid for rule in mapping.rules]
    return pl.coalesce(
        pl.when(is_empty).then(pl.lit("the line is empty")),
        _by_first_rule(mapping, refusals, unsaid, decimal=decimal),
        *_unreadable(mapping, decimal=decimal),
    )


def _unreadable(mapping: Mapping, *, decimal: str) -> list[pl.Expr]:
    event, time = mapping.event, mapping.time
    parsed: list[tuple[str, pl.Expr, pl.Expr, str]] = []
    for name in (*NUMBERS, *MONEY, "unit_price"):
        value = getattr(event, name)
        if value is not None:
            given = text(value)
            parsed.append((value.column or name, given, number(given, decimal=decimal), "a number"))
    if event.machine is not None:
        given = text(event.machine)
        parsed.append((event.machine.column or "machine", given, flag(given), "true or false"))
    for column in (time.at, time.known_at_column):
        if column is not None:
            given = column_text(column)
            what = f"a time that was on a clock in {time.timezone}"
            parsed.append((column, given, moment(given, time), what))
    unread = [
        pl.when(given.is_not_null() & read.is_null()).then(pl.lit(f"{column} is not {what}"))
        for column, given, read, what in parsed
    ]
    nameless = [
        pl.when(column_text(column).is_null()).then(
            pl.lit(f"{column}, which names the event, is missing")
        )
        for column in event.event_id or ()
    ]
    return [*unread, *_too_much(event, decimal=decimal), *_out_of_time(time), *nameless]


def _out_of_time(time: Time) -> list[pl.Expr]:
    """Times that no shop had: a year 0001 stands for "none", one after 2200 for "never"."""
    moments = [
        (column, moment(column_text(column), time))
        for column in (time.at, time.known_at_column)
        if column is not None
    ]
    return [
        pl.when(is_out).then(pl.lit(f"{column} is {what}"))
        for column, read in moments
        for is_out, what in (
            (read < pl.lit(EARLIEST), f"before {EARLIEST.year}"),
            (read >= pl.lit(LATEST), f"after {LATEST.year - 1}"),
        )
    ]


def _too_much(event: EventFields, *, decimal: str) -> list[pl.Expr]:
    """Money beyond what an event can hold, also where it is only the product that is too much."""
    amounts = [
        (value.column or name, number(text(value), decimal=decimal))
        for name in MONEY
        if (value := getattr(event, name)) is not None
    ]
    if event.unit_price is not None:
        price = number(text(event.unit_price), decimal=decimal)
        product = price * number(text(event.quantity), decimal=decimal)
        amounts.append((event.unit_price.column or "unit_price", product))
    told = f"makes an amount of {TOO_MUCH_MONEY:,.0f} or more"
    return [
        pl.when(amount.is_not_null() & money(amount).is_null()).then(pl.lit(f"{column} {told}"))
        for column, amount in amounts
    ]


def facts(mapping: Mapping, *, decimal: str) -> dict[str, pl.Expr]:
    """What the row says beside the event: of the customer, of the product, of consent."""
    said = {CONSENT: text(mapping.consent.value)}
    if mapping.customers is not None:
        for name in type(mapping.customers).model_fields:
            said[OF_CUSTOMER + name] = text(getattr(mapping.customers, name))
    if mapping.products is not None:
        for name in ("title", "category", "brand"):
            said[OF_PRODUCT + name] = text(getattr(mapping.products, name))
        price = number(text(mapping.products.price), decimal=decimal)
        said[OF_PRODUCT + "price"] = money(price)
        said[OF_PRODUCT + "available"] = flag(text(mapping.products.availability.value))
    return said
