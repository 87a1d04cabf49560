"""What is known of real logs of messages, and how far a world may lie from it.

The figures are aggregates that public notebooks printed; nobody has published a log with both send
times and clicks. Most are of REES46's "Direct Messaging" (a Russian online shop, 2021 to 2023,
e-mail, push and SMS together): an e-mail shop alone is opened less and clicked more, which is why
the bounds of such facts reach towards what is known of e-mail.
"""

from __future__ import annotations

from dataclasses import dataclass

_REES46 = "REES46, 1.69 M messages to 40,101 clients"
_REES46_PANEL = "REES46, panel of 1.46 to 1.68 M messages"
_ALL = "all channels"

# Hours of the day over which raw open rates are averaged, and mails counted.
NIGHT, MORNING = (0, 1, 2, 3, 4), (7, 8, 9)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CLICK_HOURS = (0.25, 1.0, 6.0, 24.0, 72.0, 168.0)
# Own open rate of the 30 days before, from (above) to (at most); the first includes 0.
PRIOR_BINS = ((0.0, 0.14), (0.14, 0.36), (0.36, 0.83), (0.83, 1.0))
# Messages in the 30 days before, from and to.
PRESSURE_BINS = ((0, 5), (6, 10), (11, 20))


@dataclass(frozen=True)
class Fact:
    """A real figure, what it is of, and between what bounds a world has to have it."""

    name: str
    real: float
    low: float
    high: float
    channels: str
    source: str


def _click_delay(hours: float, real: float, slack: float) -> Fact:
    source = f"{_REES46}, 17,826 of them clicked"
    low, high = round(real - slack, 4), min(round(real + slack, 4), 1.0)
    return Fact(clicked_within(hours), real, low, high, _ALL, source)


def _opened_before(place: int, real: float, low: float, high: float) -> Fact:
    return Fact(opened_after(PRIOR_BINS[place]), real, low, high, _ALL, _REES46_PANEL)


def _pressure(place: int, real: float, low: float, high: float) -> Fact:
    return Fact(pressed(PRESSURE_BINS[place]), real, low, high, _ALL, _REES46_PANEL)


def _weekday(name: str, real: float, low: float, high: float) -> Fact:
    return Fact(sent_on(name), real, low, high, _ALL, _REES46)


def clicked_within(hours: float) -> str:
    return f"clicked mails clicked within {hours:g} h of the send"


def opened_after(ends: tuple[float, float]) -> str:
    low, high = ends
    return f"opened, of mails to who opened {low:.0%} to {high:.0%} of the 30 days before"


def pressed(ends: tuple[int, int]) -> str:
    low, high = ends
    return f"open rate after {low} to {high} mails in 30 days, over that after 0 to 5"


def sent_on(weekday: str) -> str:
    return f"mails sent on {weekday}"


OPENED = "opened, of mails sent"
CLICKED = "clicked, of mails sent"
UNSUBSCRIBED = "unsubscribed, of mails sent"
COMPLAINED = "complained, of mails sent"
EVER_OPENED = "customers who ever opened, of those mailed"
NIGHT_OVER_MORNING = "raw open rate of sends at 00 to 04 h, over that at 07 to 09 h"
SENT_IN_THE_MORNING = "mails sent at 07 to 09 h"

FACTS = (
    Fact(OPENED, 0.1873, 0.10, 0.25, _ALL, f"{_REES46}; bulk e-mail alone .112, triggered .172"),
    Fact(CLICKED, 0.0106, 0.008, 0.027, _ALL, f"{_REES46}; bulk e-mail alone .015, triggered .027"),
    Fact(UNSUBSCRIBED, 0.0024, 0.001, 0.004, _ALL, f"{_REES46}; HackerRank (e-mail) .0040"),
    Fact(COMPLAINED, 0.0002, 0.00005, 0.0006, _ALL, "REES46, 20.6 M messages; Dito (e-mail) .0005"),
    Fact(EVER_OPENED, 0.4956, 0.40, 0.65, _ALL, _REES46),
    _click_delay(0.25, 0.2476, 0.05),
    _click_delay(1.0, 0.4082, 0.05),
    _click_delay(6.0, 0.6537, 0.06),
    _click_delay(24.0, 0.8379, 0.04),
    _click_delay(72.0, 0.9428, 0.03),
    _click_delay(168.0, 0.982, 0.02),
    _opened_before(0, 0.0354, 0.015, 0.075),
    _opened_before(1, 0.2037, 0.12, 0.30),
    _opened_before(2, 0.5152, 0.38, 0.65),
    _opened_before(3, 0.8668, 0.75, 0.95),
    Fact(
        NIGHT_OVER_MORNING, 2.75, 1.3, 4.0, _ALL,
        "REES46, hours read off a chart (± .005); at night push is sent, in the morning e-mail",
    ),
    Fact(SENT_IN_THE_MORNING, 0.381, 0.30, 0.75, _ALL, f"{_REES46}; the three busiest hours"),
    _weekday("Monday", 0.142, 0.06, 0.30),
    _weekday("Tuesday", 0.154, 0.06, 0.30),
    _weekday("Wednesday", 0.267, 0.06, 0.35),
    _weekday("Thursday", 0.088, 0.06, 0.30),
    _weekday("Friday", 0.291, 0.06, 0.35),
    _weekday("Saturday", 0.040, 0.0, 0.10),
    _weekday("Sunday", 0.018, 0.0, 0.10),
    _pressure(1, 1.206, 1.02, 2.0),
    _pressure(2, 1.811, 1.1, 3.0),
)  # fmt: skip
