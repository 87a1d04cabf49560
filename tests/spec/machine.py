"""A shop that anything may happen to, in any order, and what must hold of it all the same.

The rules here know nothing of the policy: they keep their own book of what was told and answered,
and read each answer against it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from prometheus_client import CollectorRegistry

from serving.deciding import decide_together
from serving.effective import Effective
from serving.guardrail_settings import DAYS
from serving.metrics import Metrics
from serving.models import NO_MODELS
from serving.schemas.decisions import DecisionRequest
from serving.schemas.events import Event
from serving.store import Store
from serving.telling import as_told
from serving.validity import invalid_because
from tests.serving.histories import FEATURES
from tests.serving.shop import caps, shop
from tests.serving.store.rows import customers, event, history, products

START = datetime(2026, 3, 2, 14, tzinfo=UTC)  # Monday, 9:00 in New York
HOUR = timedelta(hours=1)
PEOPLE = {"ann": "America/New_York", "bob": None, "cho": "Asia/Seoul"}
ZONES = {name: ZoneInfo(zone or "America/New_York") for name, zone in PEOPLE.items()}
SHELF = {"mug": True, "pen": True, "gone": False}
CHANCE = {"explore_emails": 0.3, "explore_hours": 0.3}
NAMES = st.sampled_from(sorted(PEOPLE))


def _settings() -> dict[str, Any]:
    """Settings that a merchant may change to at any moment; the receipt is transactional."""
    owed = {"review_request": {"mail_class": "transactional", "repeat_days": 0}}
    served = {"recommendation": {"mail_class": "service", "repeat_days": 0}}
    loose = caps(
        marketing={"per_24h": 2, "min_gap_hours": 2},
        service={"per_24h": 2, "min_gap_hours": 2},
        all={"min_gap_hours": 1},
    )
    return {
        "usual": shop(CHANCE, owed),
        "loose": shop(CHANCE, {**owed, **served}, caps=loose),
        "weekdays": shop({**CHANCE, "allowed_days": ["mon", "tue", "fri"]}, served),
        "quiet": shop({**CHANCE, "quiet_from_hour": 12, "quiet_until_hour": 9}, owed),
    }


SETTINGS = _settings()


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
    answers: dict[str, tuple[DecisionRequest, bytes]] = field(default_factory=dict)

    def may(self, customer: str, of_class: str) -> bool:
        if customer in self.for_good:
            return False
        if of_class == "transactional":
            return True
        return self.allowed.get(customer, False) and customer not in self.no_marketing

    def beside(self, mail: Mail, now: datetime) -> list[Mail]:
        """The other mails that count: left, or promised and still held."""
        return [
            other
            for other in self.mails
            if other.customer == mail.customer
            and other.decision_id != mail.decision_id
            and (other.state == "sent" or (other.state == "promised" and other.held_until > now))
        ]


class Shop(RuleBasedStateMachine):
    """Whatever happens, I1 to I8 hold after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        file = Path(self.folder.name) / "store.db"
        self.store = Store.open(f"sqlite:///{file}", patience_s=5.0)
        self.now = START
        self.book = Book()
        self.name = "usual"
        models = SimpleNamespace(under=lambda _features: NO_MODELS)
        self.shelf = SimpleNamespace(current=self._effective())
        self.live = SimpleNamespace(
            store=self.store,
            models=models,
            settings=self.shelf,
            metrics=Metrics.on(CollectorRegistry()),
        )

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def _effective(self) -> Effective:
        return Effective(FEATURES, SETTINGS[self.name], timedelta(0), self.name)

    @initialize()
    def opens(self) -> None:
        ago = (START - datetime(2024, 5, 1, 12, tzinfo=UTC)) / HOUR  # NOW of the rows
        past = [
            event("c1", "ann", kind="consent", reason="granted", channel="email",
                  hours_ago=999 - ago),
            event("o1", "ann", kind="order", order_id="1", amount="9", product_id="mug",
                  hours_ago=150 - ago),
        ]  # fmt: skip
        self.book.allowed["ann"] = True
        self.store.publish(
            history(*past),
            customers(*({"customer_id": n, "timezone": z} for n, z in PEOPLE.items())),
            products(*({"product_id": p, "available": there} for p, there in SHELF.items())),
            newest_events=100,
            compaction=0,
            about={"lake_versions": {}},
        )

    # What happens

    @rule(customer=NAMES, product=st.sampled_from(sorted(SHELF)))
    def puts_into_cart(self, customer: str, product: str) -> None:
        self._tell(kind="cart_add", customer_id=customer, product_id=product)

    @rule(customer=NAMES, product=st.sampled_from(["mug", "pen"]))
    def orders(self, customer: str, product: str) -> None:
        self._tell(
            kind="order", customer_id=customer, product_id=product, amount="9", currency="USD",
            order_id=str(uuid4()),
        )  # fmt: skip

    @rule(customer=NAMES, said=st.sampled_from(["granted", "denied", "reconfirmed"]))
    def is_asked_for_consent(self, customer: str, said: str) -> None:
        before = self._mailed(said == "denied")
        self._tell(kind="consent", customer_id=customer, reason=said, channel="email")
        self.book.allowed[customer] = said != "denied"
        self._no_more_than(before)

    @rule(customer=NAMES, act=st.sampled_from(["unsubscribe", "complaint", "bounce"]))
    def wants_no_more(self, customer: str, act: str) -> None:
        before = self._mailed(True)
        self._tell(kind=act, customer_id=customer, reason="hard" if act == "bounce" else None)
        self.book.allowed[customer] = False
        if act == "bounce":
            self.book.for_good.add(customer)
        if act == "complaint":
            self.book.no_marketing.add(customer)
        self._no_more_than(before)

    @rule(hours=st.sampled_from([0.1, 1, 5, 11, 26, 100]))
    def time_passes(self, hours: float) -> None:
        self.now += hours * HOUR
        self._send_what_is_due()

    @rule(minutes=st.integers(1, 90))
    def the_clock_steps_back(self, minutes: int) -> None:
        self.now -= timedelta(minutes=minutes)

    @rule(name=st.sampled_from(sorted(SETTINGS)))
    def the_merchant_changes_settings(self, name: str) -> None:
        self.name = name
        self.shelf.current = self._effective()

    @precondition(lambda self: self._open())
    @rule(data=st.data())
    def the_sender_cancels(self, data: Any) -> None:
        mail = data.draw(st.sampled_from(self._open()))
        assert self.store.cancel(mail.decision_id) == "cancelled"
        mail.state = "cancelled"

    # What is asked

    @rule(customer=NAMES, only=st.sampled_from([None, "cart_reminder", "review_request"]))
    def decides(self, customer: str, only: str | None) -> None:
        self._ask([self._question(customer, only)])

    @rule(who=st.lists(NAMES, min_size=2, max_size=6))
    def decides_for_many(self, who: list[str]) -> None:
        self._ask([self._question(customer, None) for customer in who])

    @precondition(lambda self: self.book.answers)
    @rule(data=st.data())
    def asks_the_same_again(self, data: Any) -> None:
        request, answer = self.book.answers[data.draw(st.sampled_from(sorted(self.book.answers)))]
        assert self._decide([request]) == [answer]  # I4

    # How it is done

    def _tell(self, **told: Any) -> None:
        rows, rejected = as_told([Event(event_id=str(uuid4()), **told)], now=self.now)
        assert not rejected
        assert self.store.append_events(rows).accepted == 1

    def _question(self, customer: str, only: str | None) -> DecisionRequest:
        return DecisionRequest(
            request_id=str(uuid4()), customer_id=customer, emails=[only] if only else None
        )

    def _decide(self, questions: list[DecisionRequest]) -> list[Any]:
        return decide_together(questions, self.live, now=self.now, is_in_time=lambda: True)

    def _ask(self, questions: list[DecisionRequest]) -> None:
        for question, answer in zip(questions, self._decide(questions), strict=True):
            assert isinstance(answer, bytes)
            self.book.answers[question.request_id] = (question, answer)
            said = json.loads(answer)
            kept = self.store.decision(said["decision_id"])
            assert kept is not None and kept.action == said["action"]
            explains_itself(said, kept.receipt)
            if said["action"] == "send":
                self._check(said, kept.receipt)

    def _check(self, said: dict[str, Any], receipt: dict[str, Any]) -> None:
        settings = SETTINGS[self.name]
        email = settings.emails[said["email"]]
        send_at = datetime.fromisoformat(said["send_at"])
        as_of = datetime.fromisoformat(receipt["as_of"])
        mail = Mail(
            said["decision_id"], said["customer_id"], email.mail_class, send_at,
            send_at + settings.policy.reservation_hours * HOUR,
        )  # fmt: skip
        assert self.book.may(mail.customer, mail.of_class)  # I1, I5
        leaves_in_time(mail, as_of, settings)  # I2
        assert datetime.fromisoformat(said["valid_until"]) >= send_at
        told = {reason["code"] for reason in said["because"]}
        assert (PEOPLE[mail.customer] is None) == ("unknown_zone" in told)
        stays_within_caps(mail, self.book.beside(mail, self.now), settings)  # I3
        assert all(SHELF[product] for product in said["products"])  # I6
        assert said["products"] or not email.products
        arm = next(arm for arm in receipt["arms"] if arm["email"] == said["email"])
        assert not arm["forbidden_by"]  # I8
        self.book.mails.append(mail)

    def _open(self) -> list[Mail]:
        return [mail for mail in self.book.mails if mail.state == "promised"]

    def _send_what_is_due(self) -> None:
        """A sender that asks whether each mail still holds, and says when it left."""
        for mail in self._open():
            if mail.send_at > self.now:
                continue
            if self._holds(mail):
                mail.state = "sent"
                email = self.store.decision(mail.decision_id)
                assert email is not None
                self._tell(
                    kind="send", customer_id=mail.customer, email=email.email,
                    decision_id=mail.decision_id, at=mail.send_at,
                )  # fmt: skip
            else:
                self.store.cancel(mail.decision_id)
                mail.state = "cancelled"

    def _holds(self, mail: Mail) -> bool:
        decided = self.store.decision(mail.decision_id)
        assert decided is not None
        view = self.store.view_of([mail.customer], now=self.now, settings=FEATURES)
        return not invalid_because(decided, view, self.shelf.current)

    def _mailed(self, counts: bool) -> int | None:
        """I8: how many would be mailed now, if that matters."""
        if not counts:
            return None
        questions = [
            self._question(name, None).model_copy(update={"dry_run": True})
            for name in sorted(PEOPLE)
        ]
        said = [json.loads(answer) for answer in self._decide(questions)]
        return sum(one["action"] == "send" for one in said)

    def _no_more_than(self, before: int | None) -> None:
        for mail in self._open():
            if not self.book.may(mail.customer, mail.of_class):
                assert not self._holds(mail)  # I5
        if before is not None:
            after = self._mailed(True)
            assert after is not None and after <= before  # I8


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
