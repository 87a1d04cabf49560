"""The mapping file: how the rows of anybody's CSV or Parquet file become events.

Whatever a file cannot say and a decision needs (the zone of its times, when it was known, consent,
stock, what a duplicate is) has to be written down; nothing of that has a default.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from features.contracts import CHANNELS, KINDS
from pipelines.ingest.suggest import did_you_mean

CURRENCY = "[A-Z]{3}"
CONSENT_REASONS = ("granted", "denied", "reconfirmed")


def _is_zone(zone: str) -> str:
    if zone not in available_timezones():
        raise ValueError(f"no such time zone: {zone!r}{did_you_mean(zone, available_timezones())}")
    return zone


Zone = Annotated[str, AfterValidator(_is_zone)]
Text = Annotated[str, Field(min_length=1)]
A_VALUE = 'give a column ("Country") or { constant = "..." }, one of the two'


class Part(BaseModel):
    """A table of the mapping file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Value(Part):
    """Where a value comes from: a column, a constant, or a column looked up in a table.

    A bare text is a column: `product_id = "StockCode"`. What the table does not list becomes
    `otherwise`, and stays empty where no `otherwise` is given.
    """

    column: Text | None = None
    constant: Text | None = None
    values: dict[str, str] | None = None
    otherwise: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_text_is_a_column(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"column": given}
        if not isinstance(given, dict | Value):
            raise ValueError(A_VALUE)
        return given

    @model_validator(mode="after")
    def _one_origin(self) -> Value:
        if (self.column is None) == (self.constant is None):
            raise ValueError(A_VALUE)
        if self.values is None and self.otherwise is not None:
            raise ValueError("`otherwise` needs `values` to be other than")
        if self.values is not None and self.column is None:
            raise ValueError("`values` needs the `column` to look up")
        return self

    @property
    def outcomes(self) -> tuple[str, ...] | None:
        """All texts it can become, or None if the column decides."""
        if self.constant is not None:
            return (self.constant,)
        if self.values is None:
            return None
        given = () if self.otherwise is None else (self.otherwise,)
        return (*self.values.values(), *given)


def _within(value: Value, known: tuple[str, ...] | set[str], what: str) -> None:
    for outcome in value.outcomes or ():
        if outcome not in known:
            raise ValueError(f"no such {what}: {outcome!r}{did_you_mean(outcome, known)}")


class Csv(Part):
    """How a CSV file is written; commas, UTF-8 and decimal points are what CSV means."""

    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: Text = "utf-8"
    decimal: Literal[".", ","] = "."


class Time(Part):
    """When a row happened (`at`), and when it was known: then, now, or as a column says."""

    at: Text = Field(description="the column of the time at which a row happened")
    format: Text | None = None
    timezone: Zone = Field(description='the zone of times that carry none, e.g. "Europe/Berlin"')
    known_at: Literal["at", "now", "column"] = Field(
        description='"at" (history: known when it happened), "now" or "column"'
    )
    known_at_column: Text | None = None

    @model_validator(mode="after")
    def _format_reads_something(self) -> Time:
        if self.format is not None and "%" not in self.format:
            raise ValueError(
                f"`format` reads no time: {self.format!r}; say it with %, "
                'e.g. "%d.%m.%Y %H:%M" for 31.12.2024 18:30'
            )
        return self

    @model_validator(mode="after")
    def _column_is_named(self) -> Time:
        if (self.known_at == "column") != (self.known_at_column is not None):
            raise ValueError('`known_at_column` goes with known_at = "column", and only with it')
        return self


class EventFields(Part):
    """Which value goes into which column of EVENTS.

    `event_id` lists the columns that together name a row; without it a row is named by all that it
    says. `keep` lists columns that no field of EVENTS takes, kept in `attributes`.
    """

    kind: Value = Field(description='what a row is, e.g. kind = { constant = "order" }')
    channel: Value = Field(description='where it happened, e.g. channel = { constant = "web" }')
    customer_id: Value = Field(description="the column that says whose it is")
    event_id: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    product_id: Value | None = None
    quantity: Value | None = None
    amount: Value | None = None
    unit_price: Value | None = None
    currency: Value | None = None
    discount: Value | None = None
    coupon: Value | None = None
    payment: Value | None = None
    link: Value | None = None
    query: Value | None = None
    reason: Value | None = None
    duration_s: Value | None = None
    order_id: Value | None = None
    message_id: Value | None = None
    decision_id: Value | None = None
    email: Value | None = None
    variant: Value | None = None
    machine: Value | None = None
    keep: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> EventFields:
        _within(self.kind, KINDS, "kind of event")
        _within(self.channel, CHANNELS, "channel")
        if self.unit_price is not None and (self.amount is not None or self.quantity is None):
            raise ValueError("`unit_price` is multiplied by `quantity`: name it, and no `amount`")
        has_money = self.amount or self.unit_price or self.discount
        for outcome in self.currency.outcomes or () if self.currency is not None else ():
            if not re.fullmatch(CURRENCY, outcome):
                raise ValueError(
                    f"no such currency: {outcome!r}; three capital letters name one, e.g. EUR"
                )
        if has_money is not None and self.currency is None:
            raise ValueError('money needs a currency: add currency = { constant = "EUR" }')
        return self


class Condition(Part):
    """One thing that must hold of a column, exactly one per condition."""

    column: Text = Field(description="the column to look at")
    missing: bool | None = None
    one_of: tuple[str, ...] | None = None
    matches: Text | None = None
    at_most: float | None = None
    at_least: float | None = None

    @model_validator(mode="after")
    def _one_test(self) -> Condition:
        tests = [name for name in type(self).model_fields if name != "column"]
        if sum(getattr(self, name) is not None for name in tests) != 1:
            raise ValueError(f"say exactly one of {', '.join(tests)}")
        if self.matches is not None:
            try:
                pl.Series([""]).str.contains(self.matches)
            except pl.exceptions.ComputeError as fault:
                detail = " ".join(str(fault).split("This error", 1)[0].split())
                raise ValueError(f"`matches` is not a regular expression: {detail}") from None
        return self


class Rule(Part):
    """Rows for which every condition of `when` holds become the kind `then`, or are rejected.

    Rules are asked from top to bottom; the first that applies decides. `reason` stands in the
    report.
    """

    reason: Text = Field(description="what the report says of such rows")
    when: tuple[Condition, ...] = Field(min_length=1, description="conditions that must all hold")
    then: Text = Field(description='"reject", or the kind of event that such a row is')

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Rule:
        _within(Value(constant=self.then), ("reject", *KINDS), "outcome of a rule")
        return self


class Duplicates(Part):
    """Rows equal in every column: the same thing said twice (drop), or two equal lines (keep)."""

    exact: Literal["drop", "keep"] = Field(
        description='"drop" (equal rows are one event) or "keep" (they are several)'
    )


class Consent(Part):
    """How consent comes about.

    "unknown": nobody is mailed until another source brings consent; "rows": the file has rows of
    kind consent; "column": a column holds what the customer chose in that row; "assumed": by
    decree, under a `source` that shows it.
    """

    how: Literal["unknown", "rows", "column", "assumed"] = Field(
        description='"unknown" (nobody is mailed), "rows", "column" or "assumed"'
    )
    reason: Literal["granted", "denied", "reconfirmed"] | None = None
    source: Text | None = None
    value: Value | None = None

    @model_validator(mode="after")
    def _says_how(self) -> Consent:
        if (self.how == "assumed") != (self.reason is not None and self.source is not None):
            raise ValueError('how = "assumed" needs `reason` and `source`, and only it has them')
        if (self.how == "column") != (self.value is not None):
            raise ValueError('how = "column" needs `value`, and only it has one')
        if self.value is not None:
            _within(self.value, CONSENT_REASONS, "consent")
        return self


class Availability(Part):
    """How it is known that a product can be had: all can, those sold lately, or a column says."""

    how: Literal["all", "sold_lately", "column"] = Field(
        description='"all", "sold_lately" (with `days`) or "column"'
    )
    days: Annotated[int, Field(ge=1)] | None = None
    value: Value | None = None

    @model_validator(mode="after")
    def _says_how(self) -> Availability:
        if (self.how == "sold_lately") != (self.days is not None):
            raise ValueError('how = "sold_lately" needs `days`, and only it has them')
        if (self.how == "column") != (self.value is not None):
            raise ValueError('how = "column" needs `value`, and only it has one')
        if self.value is not None:
            _within(self.value, ("true", "false"), "availability")
        return self


class CustomerFields(Part):
    """What the rows say of the customer; the hour of a mail depends on `timezone`."""

    timezone: Value = Field(
        description='where the customer lives, e.g. timezone = { constant = "Europe/Berlin" }'
    )
    locale: Value | None = None
    country: Value | None = None
    region: Value | None = None
    birthday: Value | None = None

    @model_validator(mode="after")
    def _zones_exist(self) -> CustomerFields:
        _within(self.timezone, available_timezones(), "time zone")
        return self


class ProductFields(Part):
    """What the rows say of the product; the newest row that says it is believed."""

    availability: Availability = Field(
        description='how it is known that a product can be had, e.g. how = "sold_lately", days = 60'
    )
    title: Value | None = None
    category: Value | None = None
    brand: Value | None = None
    price: Value | None = None


class Mapping(Part):
    """A whole mapping file."""

    source: Text = Field(description='who says all this, e.g. source = "my-shop"')
    csv: Csv = Csv()
    time: Time = Field(description="when a row happened and when it was known")
    event: EventFields = Field(description="which value goes into which column of EVENTS")
    rules: tuple[Rule, ...] = ()
    duplicates: Duplicates = Field(description='what equal rows are, e.g. exact = "drop"')
    consent: Consent = Field(
        description='how consent comes about, e.g. how = "unknown" (nobody is mailed)'
    )
    customers: CustomerFields | None = None
    products: ProductFields | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> Mapping:
        if (self.event.product_id is None) != (self.products is None):
            raise ValueError(
                "[products] goes with event.product_id: say in [products.availability] how it is "
                'known that a product can be had, e.g. how = "sold_lately", days = 60'
            )
        if self.event.event_id is not None and self.duplicates.exact == "keep":
            raise ValueError(
                "event.event_id says which rows are the same event, duplicates.exact = "
                '"keep" says that equal rows are not; choose one'
            )
        return self
