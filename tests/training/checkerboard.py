"""A planted shop whose answers are known, cell by cell: in no column alone, only where two meet.

Customers are of two kinds in each of three ways, crossed evenly, so that everybody's averages say
nothing about anybody:

    rhythm    an order every 7 or every 21 days, the same to the minute, until they leave for good,
              which they do after any order with LEAVE; ten days of silence mean that the quick
              ones have left, and nothing at all of the slow ones
    clock     up at 9 on weekdays and at 20 on weekends, or the other way round: that is when they
              visit, and when a mail of that hour is clicked
    left      who has left visits and clicks no more; every second of them still gets mail
    taste     tea or coffee, two products each; the mail `news` for some, `offer` for the others

Where mail `matters`, that of the right kind is clicked more often at any hour, and whoever had
PRESSED mails within a week unsubscribes after another one with ANNOYED; nobody else ever does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import polars as pl

from features.tables import CUSTOMERS, HISTORY, PRODUCTS

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 196
NEWEST = 150  # the last day on which somebody comes for the first time
UNTIL = START + timedelta(days=DAYS)
LEAVE = 0.04
GAPS = (7, 21)
HOURS = (9, 20)
TASTES = ("tea", "coffee")
MAILS = ("news", "offer")
CLICKED_AT_HOME, CLICKED_ELSEWHERE = 0.5, 0.05
CLICKED_IF_LIKED, PRESSED, ANNOYED = 0.3, 3, 0.06


@dataclass(frozen=True)
class Shop:
    """Everything a trainer gets; `people` is the truth: customer_id, gap, clock, taste, mail."""

    history: pl.DataFrame
    customers: pl.DataFrame
    products: pl.DataFrame
    people: pl.DataFrame


def hour_of(clock: int, at: datetime) -> int:
    """When somebody of this clock is up on that day."""
    return HOURS[(at.weekday() >= 5) ^ clock]


def planted(customers: int, *, seed: int, matters: bool) -> Shop:
    """The shop after DAYS days, everything known when it happens; no event of a simulated world."""
    dice = Random(seed)
    events: list[dict[str, object]] = []
    people = []
    for number in range(customers):
        name = f"c{number:04}"
        gap, clock, taste = GAPS[number % 2], number // 2 % 2, number // 4 % 2
        mail = number // 8 % 2
        people.append((name, gap, clock, TASTES[taste], MAILS[mail]))
        life = _life(dice, name, gap=gap, clock=clock, taste=taste, mail=mail, matters=matters)
        events += _consent(name) + life
    rows = [{"event_id": f"e{n:06}", "known_at": one["at"], **one} for n, one in enumerate(events)]
    shelf = [
        {"product_id": f"{taste}-{n}", "category": taste, "price": 10, "currency": "USD",
         "available": True}
        for taste in TASTES for n in range(2)
    ]  # fmt: skip
    known = [
        {"customer_id": name, "known_at": START, "timezone": "UTC", "locale": "en"}
        for name, *_ in people
    ]
    return Shop(
        history=HISTORY.shape(pl.DataFrame(rows, infer_schema_length=None)),
        customers=CUSTOMERS.shape(pl.DataFrame(known)),
        products=PRODUCTS.shape(pl.DataFrame(shelf)),
        people=pl.DataFrame(
            people, schema=["customer_id", "gap", "clock", "taste", "mail"], orient="row"
        ),
    )


def _consent(name: str) -> list[dict[str, object]]:
    return [
        {"customer_id": name, "at": START, "kind": "consent", "channel": "email",
         "reason": "granted"}
    ]  # fmt: skip


def _life(
    dice: Random, name: str, *, gap: int, clock: int, taste: int, mail: int, matters: bool
) -> list[dict[str, object]]:
    events: list[dict[str, object]] = []
    # Somebody new every day, so that the shop neither grows nor dies.
    first = dice.randrange(NEWEST)
    next_order = first + dice.uniform(0, gap)
    mailed: list[int] | None = []
    for day in range(first, DAYS):
        today = START + timedelta(days=day)
        up = today + timedelta(hours=hour_of(clock, today), minutes=dice.uniform(0, 59))
        web = {"customer_id": name, "channel": "web"}
        if dice.random() < 0.25:
            events.append({**web, "at": up, "kind": "session", "duration_s": 60.0})
        if dice.random() < 0.25 and mailed is not None:
            elsewhere = CLICKED_IF_LIKED if matters else CLICKED_ELSEWHERE
            events += _mailed(
                dice, name, today, clock=clock, mail=mail, number=day, elsewhere=elsewhere
            )
            lately = [one for one in mailed if day - one <= 7]
            mailed.append(day)
            if matters and len(lately) >= PRESSED and dice.random() < ANNOYED:
                at = today + timedelta(hours=23)
                events.append({**web, "channel": "email", "at": at, "kind": "unsubscribe"})
                mailed = None
        if next_order < day + 1:
            product = f"{TASTES[taste]}-{dice.randrange(2)}"
            events.append({
                **web, "at": today + timedelta(days=next_order - day), "kind": "order",
                "order_id": f"{name}-{day}", "product_id": product, "category": TASTES[taste],
                "amount": 10, "quantity": 1.0,
            })  # fmt: skip
            next_order += gap
            if dice.random() < LEAVE:
                return events + _unanswered(name, day + 1)
    return events


def _unanswered(name: str, left: int) -> list[dict[str, object]]:
    """The mails of who has left: every fifth day one more, never a click."""
    if int(name[1:]) // 16 % 2:
        return []
    events: list[dict[str, object]] = []
    for day in range(left, DAYS, 5):
        sent = START + timedelta(days=day, hours=8 + day % 14, minutes=10)
        about = {
            "customer_id": name, "channel": "email", "email": MAILS[day // 5 % 2],
            "message_id": f"{name}-unanswered-{day}",
        }  # fmt: skip
        events.append({**about, "at": sent, "kind": "send"})
        events.append({**about, "at": sent + timedelta(seconds=30), "kind": "deliver"})
    return events


def _mailed(
    dice: Random, name: str, today: datetime, *, clock: int, mail: int, number: int,
    elsewhere: float,
) -> list[dict[str, object]]:  # fmt: skip
    """A mail at any hour of waking, as an exploring sender would, and perhaps a click.

    `elsewhere` is the chance of a click on the right mail at another hour.
    """
    which = dice.randrange(2)
    sent = today + timedelta(hours=dice.randrange(8, 22), minutes=dice.uniform(0, 30))
    is_home = sent.hour == hour_of(clock, today) and which == mail
    about = {
        "customer_id": name, "channel": "email", "email": MAILS[which],
        "message_id": f"{name}-mail-{number}",
    }  # fmt: skip
    events: list[dict[str, object]] = [
        {**about, "at": sent, "kind": "send"},
        {**about, "at": sent + timedelta(seconds=30), "kind": "deliver"},
    ]
    at_other_hours = elsewhere if which == mail else CLICKED_ELSEWHERE
    if dice.random() < (CLICKED_AT_HOME if is_home else at_other_hours):
        clicked = sent + timedelta(minutes=dice.uniform(3, 25))
        events.append({**about, "at": clicked, "kind": "click", "link": "hero"})
    return events
