"""Budgets bind whoever asks live: no more is promised than they say, by 64 callers at once too."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from serving.deciding import decide_together
from serving.effective import Effective
from serving.metrics import Metrics
from serving.models import NO_MODELS
from serving.schemas.decisions import DecisionRequest
from serving.secret import Secret
from serving.store import Store
from tests.serving.histories import FEATURES
from tests.serving.shop import shop
from tests.serving.store.rows import NOW, customers, event, history, products

CALLERS = 64
NAMES = [f"c{number:02}" for number in range(CALLERS)]
NONE = {"mails_per_day": 0, "coupons_per_week": 0, "unsubscribes_per_week": 0.0}
SURE = {"holdout_share": 0.0, "explore_emails": 0.0, "explore_emails_at_first": 0.0,
        "explore_hours": 0.0}  # fmt: skip
# A coupon for a first order, as soon as a cart is left; nothing of it in shop.toml itself.
GIFT = {"cart_reminder": {"coupon": "cart", "discount": 0.1}}
WEEK = 7 * 24


def asker(store, emails=None, **budget):
    """Asks for customers at NOW or later; returns what was answered."""
    settings = shop(SURE, emails or {}, budget={**NONE, **budget})
    live = SimpleNamespace(
        store=store,
        models=SimpleNamespace(under=lambda _features: NO_MODELS),
        settings=SimpleNamespace(current=Effective(FEATURES, settings, timedelta(0), "now")),
        metrics=Metrics.on(CollectorRegistry()),
        secret=Secret(bytes(32)),
    )

    def ask(*names, hours=0.0, email="cart_reminder"):
        now = NOW + timedelta(hours=hours)
        asked = [
            DecisionRequest(request_id=f"{n} {hours}", customer_id=n, emails=[email]) for n in names
        ]
        told = decide_together(asked, live, now=now, is_in_time=lambda: True)
        return [json.loads(one) for one in told]

    return ask


@pytest.fixture
def everybody(store_url):
    """All agreed to e-mail and left a cart an hour ago."""
    store = Store.open(store_url, patience_s=20.0)
    past = [
        told
        for name in NAMES
        for told in (
            event(f"agrees {name}", name, kind="consent", reason="granted", channel="email",
                  hours_ago=999),
            event(f"cart {name}", name, kind="cart_add", product_id="mug", hours_ago=1),
        )
    ]  # fmt: skip
    store.publish(
        history(*past),
        customers(*({"customer_id": name, "timezone": "America/New_York"} for name in NAMES)),
        products({"product_id": "mug"}),
        newest_events=100,
        compaction=0,
        about={"lake_versions": {}},
    )
    yield store
    store.close()


def sends(answers):
    return sum(answer["action"] == "send" for answer in answers)


def codes(answer):
    return {reason["code"] for reason in answer["because"]}


def test_64_callers_at_once_never_pass_the_budget_of_a_day(everybody):
    ask = asker(everybody, mails_per_day=10)
    with ThreadPoolExecutor(CALLERS) as pool:
        answers = [answer for [answer] in pool.map(ask, NAMES)]
    left = {answer["send_at"][:10] for answer in answers if answer["action"] == "send"}
    per_day = {day: [a.get("send_at", "")[:10] for a in answers].count(day) for day in left}
    assert set(per_day.values()) == {10}, per_day
    waits = [answer for answer in answers if answer["action"] == "wait"]
    assert waits and all("budget_spent" in codes(answer) for answer in waits)


def test_one_batch_keeps_it_too(everybody):
    answers = asker(everybody, mails_per_day=10)(*NAMES)
    days = [answer["send_at"][:10] for answer in answers if answer["action"] == "send"]
    assert {days.count(day) for day in days} == {10}


def test_a_mail_that_may_wait_goes_on_the_next_day_and_says_why(everybody):
    ask = asker(
        everybody,
        {"cart_reminder": {"half_life_hours": 240, "deadline_hours": 48}},
        mails_per_day=1,
    )
    [first] = ask("c00")
    [second] = ask("c01")
    assert (first["action"], second["action"]) == ("send", "send"), second["because"]
    assert second["send_at"][:10] > first["send_at"][:10]
    moved = next(one["text"] for one in second["because"] if one["code"] == "moved")
    assert "all 1 mails that may go on" in moved


def test_the_next_day_has_a_budget_of_its_own(everybody):
    ask = asker(everybody, mails_per_day=2)
    assert sends(ask("c00", "c01")) == 2
    later = asker(everybody, {"cart_reminder": {"deadline_hours": 96}}, mails_per_day=2)
    assert sends(later("c02", "c03", hours=26)) == 2


def test_coupons_are_counted_by_the_week(everybody):
    ask = asker(everybody, GIFT, coupons_per_week=3)
    answers = ask(*NAMES[:8])
    assert sends(answers) == 3
    assert all("budget_spent" in codes(one) for one in answers if one["action"] == "wait")
    plain = asker(everybody, coupons_per_week=3)  # no coupon in it
    assert sends(plain(*NAMES[8:12])) == 4


def test_expected_unsubscribes_are_counted_by_the_week(everybody):
    """Each mail may cost .01 of one; half of one in a week is 50 mails."""
    risky = {"cart_reminder": {"unsubscribe_rate": 0.01}}
    free = sends(asker(everybody, risky)(*NAMES[:4]))
    assert free == 4
    answers = asker(everybody, risky, unsubscribes_per_week=0.0201)(*NAMES[4:12])
    assert sends(answers) == 3


def test_transactional_mail_is_owed_and_uses_nothing(everybody):
    owed = {"cart_reminder": {"mail_class": "transactional"}}
    assert sends(asker(everybody, owed, mails_per_day=1)(*NAMES[:8])) == 8
    assert sends(asker(everybody, mails_per_day=1)("c10")) == 1


def test_without_a_budget_nothing_is_counted(everybody):
    assert sends(asker(everybody)(*NAMES)) == CALLERS
    assert everybody.view_of(["c00"], now=NOW, settings=FEATURES).knowledge.conditions.used == {}
