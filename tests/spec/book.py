"""What was told and answered in a life, and the invariants that each answer is read against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from serving.guardrail_settings import DAYS
from serving.schemas.decisions import DecisionRequest

START = datetime(2026, 3, 2, 14, tzinfo=UTC)  # Monday, 9:00 in New York
HOUR = timedelta(hours=1)
PEOPLE = {"ann": "America/New_York", "bob": None, "cho": "Asia/Seoul"}
ZONES = {name: ZoneInfo(zone or "America/New_York") for name, zone in PEOPLE.items()}
# One workflow of two steps, whose silence closes an address within the days that a life lasts.
FAREWELL = {
    "meaning": "one more, and then peace",
    "steps": [
        {"emails": ["welcome"], "after_days": 0},
        {"emails": ["coupon_by_category"], "after_days": 1},
    ],
    "ends_on": ["act"], "unanswered": 0, "runs_days": 20, "again_days": 0, "sunset_days": 2,
}  # fmt: skip
STEPS = ("welcome", "coupon_by_category")


@dataclass
class Mail:
    """One e-mail that was promised, and what became of it."""

    decision_id: str
    customer: str
    of_class: str
    send_at: datetime
    held_until: datetime
    state: str = "promised"


@dataclass
class Book:
    """What was told and answered, in the order in which it was."""

    allowed: dict[str, bool] = field(default_factory=dict)
    for_good: set[str] = field(default_factory=set)  # no mail at all, ever
    no_marketing: set[str] = field(default_factory=set)  # a complaint: nothing lifts it
    mails: list[Mail] = field(default_factory=list)
    spoke: dict[str, datetime] = field(default_factory=dict)  # when they last did anything
    steps: dict[tuple[str, str], datetime] = field(default_factory=dict)  # of the farewell, by whom
    answers: dict[str, tuple[DecisionRequest, bytes]] = field(default_factory=dict)

    def may(self, customer: str, of_class: str) -> bool:
        if customer in self.for_good:
            return False
        if of_class == "transactional":
            return True
        return self.allowed.get(customer, False) and customer not in self.no_marketing

    @staticmethod
    def note(times: dict[Any, datetime], what: Any, at: datetime) -> None:
        """Of what happened more than once the last, also where the clock stepped back."""
        times[what] = max(at, times.get(what, at))

    def is_let_go(self, customer: str, now: datetime) -> bool:
        """Whether the farewell was all said to them, for long enough and without a word since."""
        began, ended = (self.steps.get((customer, step)) for step in STEPS)
        if began is None or ended is None or ended < began:
            return False
        is_silent = self.spoke.get(customer, START - timedelta(days=30)) < began
        return is_silent and now - ended > timedelta(days=FAREWELL["sunset_days"], seconds=1)

    def beside(self, mail: Mail, now: datetime) -> list[Mail]:
        """The other mails that count: left, or promised and still held."""
        return [
            other
            for other in self.mails
            if other.customer == mail.customer
            and other.decision_id != mail.decision_id
            and (other.state == "sent" or (other.state == "promised" and other.held_until > now))
        ]


def explains_itself(said: dict[str, Any], receipt: dict[str, Any]) -> None:
    """I7: reasons, versions, features and their age, and chances that sum to one."""
    assert said["because"] and receipt["versions"]["policy"] and "models" in receipt["versions"]
    assert receipt["features"] and receipt["conditions"]
    assert (receipt["known_until"] is not None) == receipt["known_customer"]
    of_arms = sum(arm["propensity"] for arm in receipt["arms"])
    assert abs(of_arms + receipt["wait_propensity"] - 1) < 1e-9
    assert 0 < said["propensity"] <= 1


def leaves_in_time(mail: Mail, as_of: datetime, settings: Any) -> None:
    """I2: not before now, not in quiet hours, on an allowed day."""
    assert as_of <= mail.send_at <= as_of + timedelta(days=30)
    local = mail.send_at.astimezone(ZONES[mail.customer])
    if mail.of_class != "transactional":
        assert local.hour not in settings.policy.quiet_hours
        assert DAYS[local.weekday()] in settings.policy.allowed_days


def stays_within_caps(mail: Mail, others: Iterable[Mail], settings: Any) -> None:
    """I3: in any window that holds the mail, no more of its class than its cap."""
    if mail.of_class == "transactional":
        return
    counted = [other for other in others if other.of_class != "transactional"]
    apart = settings.caps.all.min_gap_hours * HOUR
    assert all(abs(other.send_at - mail.send_at) >= apart for other in counted)
    limits = getattr(settings.caps, mail.of_class)
    same = [other.send_at for other in counted if other.of_class == mail.of_class]
    assert all(abs(at - mail.send_at) >= limits.min_gap_hours * HOUR for at in same)
    times = sorted([*same, mail.send_at])
    for cap, days in ((limits.per_24h, 1), (limits.per_7d, 7), (limits.per_30d, 30)):
        for first in times:
            window = [at for at in times if first <= at < first + timedelta(days=days)]
            assert mail.send_at not in window or len(window) <= cap
