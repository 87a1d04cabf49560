"""What live decisions use of the budgets: counted as they are kept, and shut where all is used.

A mail is counted on the day on which it leaves, a coupon and an expected unsubscribe in that week
(from Monday), by the shop's own calendar. Plans of the night are held to the same budgets by
pipelines.budget, and are not counted here: they reserve nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from serving.budget_settings import BudgetSettings
from serving.frequency import CLOSED
from serving.guardrail_settings import CAPPED, TRANSACTIONAL
from serving.settings import ServingSettings

DAY, WEEK = timedelta(days=1), timedelta(days=7)
SPENT = (
    "budget_spent",
    "no more leaves live on one day, or in one week, than `[budget]` says for all customers "
    "together; transactional e-mail does",
)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Spend:
    """What a mail uses of one budget; nothing is kept once `used` of the `period` is the limit."""

    period: str
    amount: float
    limit: float


@dataclass(frozen=True)
class _Budget:
    name: str
    limit: float
    length: timedelta

    def period_of(self, at: datetime, zone: str) -> str:
        """The budget and the day on which its period began."""
        day = at.astimezone(ZoneInfo(zone)).date()
        if self.length == WEEK:
            day -= timedelta(days=day.weekday())
        return f"{self.name} {day}"


def spends_of(row: Mapping[str, Any], settings: ServingSettings, zone: str) -> tuple[Spend, ...]:
    """What a row of DECISIONS uses of each budget that there is; a wait uses nothing."""
    budgets = _budgets(settings.budget)
    if not budgets or row["action"] != "send":
        return ()
    if settings.emails[row["email"]].mail_class == TRANSACTIONAL:
        return ()
    [arm] = (one for one in row["arms"] if one["email"] == row["email"])
    amounts = {
        "mails": 1.0,
        "coupons": float(arm["gives_away"]),
        "unsubscribes": arm["unsubscribes"],
    }
    return tuple(
        Spend(budget.period_of(row["send_at"], zone), amounts[budget.name], budget.limit)
        for budget in budgets
        if amounts[budget.name] > 0
    )


def spent_times(
    people: pl.DataFrame, used: Mapping[str, float], settings: ServingSettings, zone: str
) -> pl.DataFrame:
    """The days and weeks whose budgets are used up, for each `person`: columns CLOSED."""
    rows = list(_spent(used, settings, zone))
    shut = pl.DataFrame(rows, schema={name: CLOSED[name] for name in CLOSED if name != "person"})
    persons = people.select(pl.col("person").cast(CLOSED["person"]).unique())
    return persons.join(shut, how="cross").select(list(CLOSED))


def _spent(
    used: Mapping[str, float], settings: ServingSettings, zone: str
) -> Iterator[dict[str, Any]]:
    gifts = [
        name
        for name, email in settings.emails.items()
        if email.mail_class != TRANSACTIONAL
        and (email.coupon or email.discount or email.discount_most)
    ]
    for budget in _budgets(settings.budget):
        whom = (
            [{"forbids": email, "of_class": None} for email in gifts]
            if budget.name == "coupons"
            else [{"forbids": None, "of_class": of_class} for of_class in CAPPED]
        )
        for period, amount in used.items():
            name, _, day = period.partition(" ")
            if name != budget.name or amount < budget.limit:
                continue
            begins = date.fromisoformat(day)
            span = f"on {day}" if budget.length == DAY else f"in the week of {day}"
            times = {
                "code": SPENT[0],
                "text": f"all {budget.limit:g} {budget.name} that may go {span} are promised",
                "closed_from": _midnight(begins, zone) - _INSTANT,
                "closed_until": _midnight(begins + budget.length, zone),
            }
            yield from ({**whose, **times} for whose in whom)


def _budgets(settings: BudgetSettings) -> list[_Budget]:
    """Those that there are."""
    all_of_them = (
        _Budget("mails", settings.mails_per_day, DAY),
        _Budget("coupons", settings.coupons_per_week, WEEK),
        _Budget("unsubscribes", settings.unsubscribes_per_week, WEEK),
    )
    return [budget for budget in all_of_them if budget.limit > 0]


def _midnight(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(ZoneInfo("UTC"))
