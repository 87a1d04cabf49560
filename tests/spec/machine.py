"""A shop that anything may happen to, in any order, and what must hold of it all the same.

The rules here know nothing of the policy: they keep their own book of what was told and answered,
and read each answer against it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import polars as pl
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from prometheus_client import CollectorRegistry

from serving.answer import answer
from serving.deciding import decide_together
from serving.effective import Effective
from serving.knowledge import Knowledge
from serving.metrics import Metrics
from serving.models import NO_MODELS
from serving.schemas.decisions import DecisionRequest
from serving.schemas.events import Event
from serving.secret import Secret
from serving.store import Store, View
from serving.tables import REQUESTS
from serving.telling import as_told
from serving.validity import invalid_because
from serving.valuation import OWN
from tests.serving.histories import FEATURES
from tests.serving.shop import caps, shop
from tests.serving.store.rows import customers, event, history, products
from tests.spec.book import (
    FAREWELL,
    HOUR,
    PEOPLE,
    START,
    STEPS,
    Book,
    Mail,
    explains_itself,
    leaves_in_time,
    stays_within_caps,
)

SHELF = {"mug": True, "pen": True, "gone": False}
CHANCE = {"explore_emails": 0.3, "explore_hours": 0.3}
# What would take somebody's consent back.
NO_MORE: dict[str, dict[str, Any]] = {
    "denied": {"kind": "consent", "reason": "denied", "channel": "email"},
    "unsubscribe": {"kind": "unsubscribe"},
    "complaint": {"kind": "complaint"},
    "bounce": {"kind": "bounce", "reason": "hard"},
}
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
        "farewell": shop(
            CHANCE, {"recommendation": {"repeat_days": 0}}, workflows={"farewell": FAREWELL}
        ),
    }


SETTINGS = _settings()


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
            secret=Secret(bytes(32)),
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

    @rule(customer=NAMES, step=st.sampled_from(STEPS))
    def another_tool_sends(self, customer: str, step: str) -> None:
        """A step of the farewell, by whoever: what was sent counts."""
        self._tell(kind="send", customer_id=customer, email=step, channel="email")
        self.book.note(self.book.steps, (customer, step), self.now)
        of_class = SETTINGS[self.name].emails[step].mail_class
        sent = Mail(str(uuid4()), customer, of_class, self.now, self.now, state="sent")
        self.book.mails.append(sent)

    @rule(customer=NAMES)
    def they_say_nothing_to_a_farewell(self, customer: str) -> None:
        """Both steps, and days of silence: rarely would all of it come together by chance."""
        self.the_merchant_changes_settings("farewell")
        for step, hours in zip(STEPS, (26, 77), strict=True):
            self.another_tool_sends(customer, step)
            self.time_passes(hours)

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

    @rule(
        customer=NAMES,
        only=st.sampled_from([None, "cart_reminder", "review_request", "recommendation"]),
    )
    def decides(self, customer: str, only: str | None) -> None:
        self._ask([self._question(customer, only)])

    @rule(who=st.lists(NAMES, min_size=2, max_size=6))
    def decides_for_many(self, who: list[str]) -> None:
        self._ask([self._question(customer, None) for customer in who])

    @rule(whose=st.sets(NAMES, min_size=1), act=st.sampled_from(sorted(NO_MORE)))
    def they_might_want_no_more(self, whose: set[str], act: str) -> None:
        """I8: the same batch with and without these restrictions, side by side."""
        view = self.store.view_of(sorted(PEOPLE), now=self.now, settings=FEATURES)
        told = [
            Event(event_id=f"never told {name}", customer_id=name, **NO_MORE[act])
            for name in sorted(whose)
        ]
        rows, rejected = as_told(told, now=min(view.present[name] for name in whose))
        assert not rejected
        acts = self.store.as_history(rows, settings=FEATURES)
        history_ = view.knowledge.history
        restricted = replace(
            view.knowledge, history=pl.concat([history_, acts.select(history_.columns)])
        )
        free, bound = self._batch(view, view.knowledge), self._batch(view, restricted)
        sends = [sum(row[0] == "send" for row in made.values()) for made in (free, bound)]
        assert sends[1] <= sends[0]
        emails = SETTINGS[self.name].emails
        for name in PEOPLE:
            if name not in whose:
                assert bound[name] == free[name]
            elif bound[name][0] == "send":
                assert emails[bound[name][1]].mail_class == "transactional"

    def _batch(self, view: View, knowledge: Knowledge) -> dict[str, tuple[Any, ...]]:
        """Action, e-mail and time by customer, as a batch decides from this knowledge."""
        names = sorted(PEOPLE)
        rows = [
            {
                "row": place, "request_id": f"r {name}", "decision_id": f"d {name}",
                "customer_id": name, "as_of": view.present[name], "emails": None,
                "earliest": None, "deadline": None,
            }
            for place, name in enumerate(names)
        ]  # fmt: skip
        made = answer(
            pl.DataFrame(rows, schema=REQUESTS), knowledge, NO_MODELS,
            settings=SETTINGS[self.name], feature_settings=FEATURES, valuation=OWN,
        )  # fmt: skip
        return {
            row[0]: row[1:]
            for row in made.select("customer_id", "action", "email", "send_at").rows()
        }

    @precondition(lambda self: self.book.answers)
    @rule(data=st.data())
    def asks_the_same_again(self, data: Any) -> None:
        request, answered = self.book.answers[data.draw(st.sampled_from(sorted(self.book.answers)))]
        assert self._decide([request]) == [answered]  # I4

    # How it is done

    def _tell(self, **told: Any) -> None:
        rows, rejected = as_told([Event(event_id=str(uuid4()), **told)], now=self.now)
        if told["kind"] not in ("send", "bounce"):
            self.book.note(self.book.spoke, told["customer_id"], self.now)
        assert not rejected
        assert self.store.append_events(rows).accepted == 1

    def _question(self, customer: str, only: str | None) -> DecisionRequest:
        return DecisionRequest(
            request_id=str(uuid4()), customer_id=customer, emails=[only] if only else None
        )

    def _decide(self, questions: list[DecisionRequest]) -> list[Any]:
        return decide_together(questions, self.live, now=self.now, is_in_time=lambda: True)

    def _ask(self, questions: list[DecisionRequest]) -> None:
        for question, answered in zip(questions, self._decide(questions), strict=True):
            assert isinstance(answered, bytes)
            self.book.answers[question.request_id] = (question, answered)
            said = json.loads(answered)
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
        if self.name == "farewell" and mail.of_class == "marketing":
            assert not self.book.is_let_go(mail.customer, as_of)
        leaves_in_time(mail, as_of, settings)  # I2
        assert datetime.fromisoformat(said["valid_until"]) >= send_at
        told = {reason["code"] for reason in said["because"]}
        assert (PEOPLE[mail.customer] is None) == ("unknown_zone" in told)
        stays_within_caps(mail, self.book.beside(mail, self.now), settings)  # I3
        assert all(SHELF[product] for product in said["products"])  # I6
        assert said["products"] or not email.products
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
                if email.email in STEPS:
                    step = (mail.customer, email.email)
                    self.book.note(self.book.steps, step, mail.send_at)
            else:
                self.store.cancel(mail.decision_id)
                mail.state = "cancelled"

    def _holds(self, mail: Mail) -> bool:
        decided = self.store.decision(mail.decision_id)
        assert decided is not None
        view = self.store.view_of([mail.customer], now=self.now, settings=FEATURES)
        return not invalid_because(decided, view, self.shelf.current)

    def _mailed(self, counts: bool) -> int | None:
        """How many would be mailed now, if that matters."""
        if not counts:
            return None
        return sum(one["action"] == "send" for one in self._said_of(sorted(PEOPLE)))

    def _said_of(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """What would be answered to each of them now; nothing is recorded."""
        questions = [
            DecisionRequest(request_id=f"what of {name}", customer_id=name, dry_run=True)
            for name in names
        ]
        return [json.loads(answered) for answered in self._decide(questions)]

    def _no_more_than(self, before: int | None) -> None:
        for mail in self._open():
            if not self.book.may(mail.customer, mail.of_class):
                assert not self._holds(mail)  # I5
        if before is not None:
            after = self._mailed(True)
            assert after is not None and after <= before  # I8
