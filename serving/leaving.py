"""What forbids an e-mail to leave at one given instant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import polars as pl

from features.localtime import local_of
from serving.brake import brake_of
from serving.conditions import Conditions
from serving.frequency import closed_times
from serving.guardrails import SUNSET, braked, clock_rules
from serving.law import expiries, with_law
from serving.reasons import told
from serving.schemas.message import Reason
from serving.settings import ServingSettings


def shut_by(
    person: pl.DataFrame,
    mails: pl.DataFrame,
    conditions: Conditions,
    *,
    email: str,
    at: datetime,
    settings: ServingSettings,
) -> Iterator[Reason]:
    """Guardrails that stand in the way of this e-mail to one `person` at this instant.

    `person`: one row with person (0), KEY and what is known of them, where they stand in workflows
    among it; `mails`: person, as_of, email, at of what was sent or is promised beside.
    """
    mail_class = settings.emails[email].mail_class
    brake = brake_of(conditions, settings.brake)
    asked = person.with_columns(
        pl.lit(at, person.schema["as_of"]).alias("at"), mail_class=pl.lit(mail_class)
    )
    local = local_of(asked.get_column("at"), asked.get_column("timezone")).alias("local_at")
    asked = asked.with_columns(local).with_columns(hour=pl.col("local_at").dt.hour().cast(pl.Int64))
    rules = (SUNSET.reason, braked(brake).reason, *clock_rules(settings.policy))
    for code, text in told(asked, "person", rules).select("code", "text").rows():
        yield Reason(code=code, text=text)
    law = expiries(with_law(person, settings.law))
    closed = pl.concat([closed_times(mails, settings, brake), law]).filter(
        pl.col("forbids").is_null() | (pl.col("forbids") == email),
        pl.col("of_class").is_null() | (pl.col("of_class") == mail_class),
        (pl.col("closed_from") < at) & (pl.col("closed_until") > at),
    )
    # Of a rule that shuts it more than once, what shuts it longest is told.
    longest = closed.sort("closed_until", "text", descending=[True, False])
    for code, text in longest.unique("code", maintain_order=True).select("code", "text").rows():
        yield Reason(code=code, text=text)
