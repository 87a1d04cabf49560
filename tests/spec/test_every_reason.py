"""Every reason code comes about: a world for each, in which a decision gives that reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from pipelines.budget import within
from serving.conditions import NO_CONDITIONS
from serving.deciding import RESTLESS
from serving.guardrails import GUARDRAILS
from serving.receipt_docs import OF_REASONS
from serving.store import Store
from tests.serving.api.service import CART, publish, running
from tests.serving.drawn import moment
from tests.serving.histories import answers
from tests.serving.shop import HOUR, NOW, caps, curve, decision_for, reasons_of, shop

SURE = {"holdout_share": 0.0, "explore_emails": 0.0, "explore_emails_at_first": 0.0,
        "explore_hours": 0.0}  # fmt: skip
CALM = shop(SURE, {})
BORED = {"days_since_order": 5.0}
WAITING = {"cart_waiting_hours": 5.0, "cart_items": 2.0, "cart_value": 20.0}
NIGHT = moment("2026-03-04T05:00")
FAR_OFF = curve({3: 0.9, 19: 0.3})
FULL = {"mails_per_day": 1, "coupons_per_week": 0, "unsubscribes_per_week": 0.0}
LEFT = [("cart_reminder", NOW - 5 * HOUR)]


def of(settings=CALM, **world: Any) -> Callable[[], Mapping[str, str]]:
    return lambda: reasons_of(decision_for(settings, **world))


def asked_for(email: str, **more: Any) -> dict[str, Any]:
    return {"asked": {"emails": [email], **more}}


def a_month_of(count: int) -> list[tuple[str, Any]]:
    """So many mails in thirty days, none of them within the last seven."""
    return [("newsletter", NOW - (8 + n) * 24 * HOUR) for n in range(count)]


def unsure() -> Mapping[str, str]:
    """Models promise more of one e-mail than its usual figures, but are in doubt."""
    figures = {
        "learnt_clicks": 0.9, "learnt_orders": 0.9, "doubt_clicks": 9.0, "doubt_brings": 9.0,
        "learnt_brings": 0.9, "learnt_without": 0.0, "usual_clicks": 0.01,
    }  # fmt: skip
    return reasons_of(decision_for(CALM, learnt={"recommendation": figures}, **BORED, **WAITING))


def budget_of_the_night() -> Mapping[str, str]:
    """Two may get a mail and one of them does: the budget is one."""
    text = """
        ann | consent  | 2025-01-01T00:00 | granted
        ann | cart_add | 2026-03-03T12:00 | soap
        bob | consent  | 2025-01-01T00:00 | granted
        bob | cart_add | 2026-03-03T12:00 | bun
    """
    made = answers(text, "ann", "bob", settings=CALM)
    kept = within(made, {"mails": 1.0}, CALM)
    return {code: text for row in kept["because"].to_list() for code, text in _pairs(row)}


def _pairs(reasons: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(reason["code"], reason["text"]) for reason in reasons]


OF_POLICY: Mapping[str, Callable[[], Mapping[str, str]]] = {
    "applies": of(**WAITING),
    "now": of(**WAITING),
    "hour": of(hours=curve({10: 0.1, 19: 0.9}), **BORED),
    "only_time": of(**asked_for("recommendation"), **BORED),
    "borrowed_hour": of(
        hours=curve({10: 0.1, 19: 0.9}).with_columns(source=pl.lit("segment")), **BORED
    ),
    "moved": of(hours=FAR_OFF, **BORED),
    "explored_email": of(shop({**SURE, "explore_emails": 1.0}, {}), **WAITING),
    "explored_hour": of(shop({**SURE, "explore_hours": 1.0}, {}), **BORED),
    "holdout": of(shop({**SURE, "holdout_share": 1.0}, {}), **WAITING),
    "instead_of": of(mails=LEFT, **WAITING, **BORED),
    "thin_evidence": unsure,
    "nothing_applies": of(),
    "not_worth_it": of(shop(SURE, {"cart_reminder": {"send_cost": 99.0}}), **WAITING),
    "budget_price": of(
        shop(SURE, {}, budget=FULL), conditions=replace(NO_CONDITIONS, mail_price=99.0), **WAITING),
    "budget": budget_of_the_night,
    "budget_spent": of(
        shop(SURE, {}, budget=FULL),
        conditions=replace(
            NO_CONDITIONS, used={"mails 2026-03-03": 1.0, "mails 2026-03-04": 1.0}
        ),
        **WAITING,
    ),
    "unknown_customer": of(known_customer=False),
    "unknown_zone": of(zone_known=False),
    "consent": of(email_consent="denied", **WAITING),
    "suppression": of(suppressed_by="unsubscribe", **WAITING),
    "sunset": of(
        sunset=True, sunset_by="re_engagement", sunset_email="win_back_1", sunset_days=31.0,
        **WAITING,
    ),
    "switched_off": of(shop(SURE, {"cart_reminder": {"enabled": False}}), **WAITING),
    "no_products": of(products={}, **WAITING),
    "recently_bought": of(products={"cart": []}, **WAITING),
    "too_late": of(**asked_for("cart_reminder", earliest=NOW + 48 * HOUR), **WAITING),
    "complaint_brake": of(
        conditions=replace(NO_CONDITIONS, delivered_7d=100_000, complaints_7d=9_000), **WAITING
    ),
    "quiet_hours": of(**asked_for("cart_reminder", deadline=NIGHT + HOUR), now=NIGHT, **WAITING),
    "allowed_days": of(shop({**SURE, "allowed_days": ["sun"]}, {}), **WAITING),
    "consent_expired": of(
        country="KR", consent_confirmed_at=moment("2023-01-01T00:00"), **WAITING
    ),
    "cap_24h": of(mails=[("newsletter", NOW - 4 * HOUR)], **WAITING),
    "cap_7d": of(mails=[("newsletter", NOW - hours * HOUR) for hours in (30, 60, 90)], **WAITING),
    "cap_30d": of(
        shop(SURE, {}, caps=caps(marketing={"per_30d": 3})), mails=a_month_of(3), **WAITING
    ),
    "min_gap": of(
        shop(SURE, {}, caps=caps(marketing={"per_24h": 3, "min_gap_hours": 24})),
        mails=[("newsletter", NOW - HOUR)], **WAITING,
    ),
    "repeat": of(mails=[("cart_reminder", NOW - 26 * HOUR)], **WAITING),
}  # fmt: skip


@pytest.mark.parametrize("code", OF_POLICY)
def test_a_world_with_this_reason(code):
    told = OF_POLICY[code]()
    assert code in told, told
    assert len(told[code]) > len("two words")


@pytest.fixture
def service(tmp_path):
    with running(tmp_path) as service:
        publish(service)
        yield service


def codes_of(answer: Mapping[str, Any]) -> set[str]:
    return {reason["code"] for reason in answer["because"]}


def degraded(service, _home, _patched) -> set[str]:
    return codes_of(service.decide("r1"))


def workflow_step(service, _home, _patched) -> set[str]:
    """Eight days after the first mail of win-back nothing came back: the second one is due."""
    eva = {"customer_id": "eva", "channel": "email"}
    eight_days_ago = (service.now - 8 * 24 * HOUR).isoformat()
    service.tell(
        {**eva, "kind": "consent", "reason": "granted", "at": "2023-01-01T00:00:00Z"},
        {**eva, "kind": "send", "email": "win_back_1", "at": eight_days_ago},
    )
    later = service.decide("r1", "eva", emails=["win_back_2", "feedback_request"])
    return codes_of(later)


def store_unavailable(service, home, _patched) -> set[str]:
    (home / "store.db").rename(home / "elsewhere.db")
    return codes_of(service.decide("r1"))


def customer_is_changing(service, _home, patched) -> set[str]:
    """Whatever is decided, something else was known before it could be kept."""
    service.tell(CART)
    view_of = Store.view_of

    def and_then(store, customer_ids, **more):
        view = view_of(store, customer_ids, **more)
        service.tell({"customer_id": "ann", "kind": "view", "product_id": "mug"})
        return view

    patched.setattr(Store, "view_of", and_then)
    return codes_of(service.decide("r1"))


OF_SERVICE = {
    "degraded": degraded, "workflow_step": workflow_step, "store_unavailable": store_unavailable,
    "customer_is_changing": customer_is_changing,
}  # fmt: skip


@pytest.mark.parametrize("code", OF_SERVICE)
def test_the_service_gives_this_reason(code, service, tmp_path, monkeypatch):
    assert code in OF_SERVICE[code](service, tmp_path, monkeypatch)


def test_every_reason_has_a_world():
    """`erased` stands where erasing is tested."""
    assert {*OF_POLICY, *OF_SERVICE} == {*OF_REASONS, *GUARDRAILS} - {"erased"}
    assert RESTLESS.code in OF_SERVICE
