"""Just before its mail leaves, the sender asks whether a decision still holds."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from serving.candidates import applies_to
from serving.known_now import KnownNow
from serving.older import NEEDED
from serving.segment_settings import columns_asked
from serving.validity import invalid_because
from tests.serving.drawn import moment
from tests.spec.replaying import replayed_shop
from tests.spec.test_replay import NOW, PAST, cart


@pytest.fixture
def shop(tmp_path):
    with replayed_shop(tmp_path) as shop:
        shop.at(NOW)
        shop.happened(PAST)
        shop.open("ann", "bob")
        yield shop


@pytest.fixture
def decision(shop) -> str:
    """A reminder of the bread in ann's cart."""
    shop.told(cart(event_id="cart", at="2026-03-03T15:00:00Z"))
    answer = shop.service.decide("r1", "ann")
    assert (answer["email"], answer["products"][0]) == ("cart_reminder", "bread")
    return answer["decision_id"]


def valid(shop, decision: str) -> tuple[bool, list[str]]:
    answer = shop.service.get(f"/v1/decisions/{decision}/valid")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["decision_id"] == decision
    assert all(reason["text"] for reason in body["because"])
    return body["valid"], [reason["code"] for reason in body["because"]]


def ann(kind: str, **more) -> dict:
    return {"customer_id": "ann", "kind": kind, **more}


ORDER = {"order_id": "o9", "amount": 9, "currency": "USD"}


def test_it_holds_while_nothing_happens(shop, decision):
    assert valid(shop, decision) == (True, [])
    shop.at("2026-03-03T17:00")
    assert valid(shop, decision) == (True, [])


@pytest.mark.parametrize(
    ("happens", "codes"),
    [
        (ann("unsubscribe"), ["suppression"]),
        (ann("complaint"), ["suppression"]),
        (ann("bounce", reason="hard"), ["suppression"]),
        (ann("erase"), ["suppression"]),
        (ann("consent", reason="denied"), ["consent"]),
        (ann("order", product_id="bread", **ORDER), ["bought"]),
        (ann("order", product_id="soap", **ORDER), ["no_longer_applies"]),
        (ann("cart_remove", product_id="bread"), ["no_longer_applies"]),
    ],
    ids=lambda told: told.get("kind") if isinstance(told, dict) else "",
)  # fmt: skip
def test_what_the_customer_does_ends_it_at_once(shop, decision, happens, codes):
    shop.told(happens)
    holds, found = valid(shop, decision)
    assert (holds, found[: len(codes)]) == (False, codes)


@pytest.mark.parametrize(
    "happens",
    [
        ann("bounce", reason="soft"),
        ann("view", product_id="milk"),
        ann("open", email="cart_reminder"),
        # Somebody else's doing.
        {"customer_id": "bob", "kind": "unsubscribe"},
        {"customer_id": "bob", "kind": "order", "product_id": "bread", **ORDER},
    ],
)
def test_other_events_leave_it_as_it_is(shop, decision, happens):
    shop.told(happens)
    assert valid(shop, decision) == (True, [])


def test_an_unsubscribe_that_only_the_lake_knows_counts_once_it_is_published(shop, decision):
    shop.happened("ann | unsubscribe | 2026-03-03T16:30")
    assert valid(shop, decision) == (True, [])
    shop.at("2026-03-03T17:00")
    shop.publish()
    assert valid(shop, decision) == (False, ["suppression"])


def test_cancelled_or_sent_it_holds_no_more(shop, decision):
    shop.service.post(f"/v1/decisions/{decision}/cancel")
    assert valid(shop, decision) == (False, ["cancelled"])
    other = shop.service.decide("r2", "ann", emails=["cart_reminder"])["decision_id"]
    assert valid(shop, other) == (True, [])
    shop.told(ann("send", email="cart_reminder", decision_id=other))
    assert valid(shop, other) == (False, ["sent"])


def test_a_mail_that_left_does_not_stand_in_its_own_way(shop, decision):
    """Told again and again, the promise of this very mail is no reason against it."""
    shop.told(ann("view", product_id="milk"))
    assert valid(shop, decision) == (True, [])


def test_after_its_time_it_holds_no_more(shop, decision):
    shop.at("2026-03-07T16:00")
    assert valid(shop, decision) == (False, ["expired"])


def test_a_product_that_left_the_shelf(shop, decision):
    gone = shop.lake.read("products")
    shop.lake.append("products", gone.with_columns(available=False))
    shop.publish()
    valid_now, codes = valid(shop, decision)
    assert not valid_now
    assert set(codes) == {"off_the_shelf"}


def test_an_email_that_was_switched_off(shop, decision):
    shop.change({"emails": {"cart_reminder": {"enabled": False}}}, when="2026-03-03T16:10")
    assert valid(shop, decision) == (False, ["switched_off"])


def test_a_wait_holds_until_something_happens(shop):
    waits = shop.service.decide("r1", "bob", emails=["cart_reminder", "checkout_left"])
    assert waits["action"] == "wait"
    assert valid(shop, waits["decision_id"]) == (True, [])
    shop.told({"customer_id": "bob", "kind": "view", "product_id": "milk"})
    assert valid(shop, waits["decision_id"]) == (False, ["something_happened"])


def test_an_email_that_was_asked_for_by_name_needs_no_trigger(shop):
    asked = shop.service.decide("r1", "ann", emails=["recommendation"])
    assert asked["action"] == "send"
    shop.told(cart("bread"))
    assert valid(shop, asked["decision_id"]) == (True, [])


def test_a_plan_gives_way_to_a_live_decision(shop):
    shop.told(cart(event_id="cart", at="2026-03-03T15:00:00Z"))
    shop.night(moment("2026-03-03T16:10"))
    [plan] = shop.store.recent_decisions("ann", limit=5)
    shop.at("2026-03-03T16:20")
    shop.publish()
    assert valid(shop, plan.decision_id) == (True, [])
    shop.service.decide("r1", "ann")
    assert valid(shop, plan.decision_id) == (False, ["superseded"])


def test_a_decision_that_nobody_made(shop):
    answer = shop.service.get("/v1/decisions/00000000-0000-0000-0000-000000000000/valid")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_decision")


def test_no_answer_is_a_no(shop, decision):
    """The store is gone: nobody says that it holds."""
    (shop.home / "store.db").rename(shop.home / "elsewhere.db")
    answer = shop.service.get(f"/v1/decisions/{decision}/valid")
    assert answer.status_code == 503
    assert answer.json()["code"] == "store_unavailable"
    assert answer.json()["do"].startswith("do not send it")
    assert "valid" not in answer.json()


# What comes of time, or of somebody else's mail.


def offered(shop) -> dict:
    """A recommendation for ann that is promised for later."""
    asked = shop.service.decide("r1", "ann", emails=["recommendation"])
    assert asked["action"] == "send"
    assert moment(asked["send_at"][:16]) > moment(NOW)
    return asked


def test_another_mail_left_meanwhile(shop):
    asked = offered(shop)
    shop.told(ann("send", email="campaign_of_another_tool"))
    assert valid(shop, asked["decision_id"]) == (False, ["cap_24h", "min_gap"])
    shop.at(asked["send_at"][:16])
    assert valid(shop, asked["decision_id"]) == (False, ["cap_24h", "min_gap"])


def test_the_cap_is_full_meanwhile(shop):
    asked = offered(shop)
    for _ in range(10):
        shop.told(ann("send", email="campaign_of_another_tool"))
    holds, codes = valid(shop, asked["decision_id"])
    assert not holds
    assert {"cap_24h", "cap_7d"} <= set(codes)


def test_it_does_not_leave_in_the_night(shop, decision):
    """The sender was late: it is 3:00 by ann's clock, and nothing else happened."""
    shop.at("2026-03-04T08:00")
    assert valid(shop, decision) == (False, ["quiet_hours"])
    shop.at("2026-03-04T15:00")
    assert valid(shop, decision) == (True, [])


def test_consent_runs_out_by_time_alone(shop):
    shop.happened("kim | consent | 2024-03-05T00:00 | granted")
    lake = shop.lake.read("customers")
    shop.lake.append(
        "customers",
        lake.head(1).with_columns(customer_id=pl.lit("kim"), country=pl.lit("KR")),
    )
    shop.publish()
    asked = shop.service.decide("r1", "kim", emails=["recommendation"])
    assert asked["action"] == "send", asked
    assert valid(shop, asked["decision_id"]) == (True, [])
    shop.at("2026-03-04T15:00")
    assert valid(shop, asked["decision_id"]) == (False, ["consent_expired"])


def test_silence_closes_the_address_by_time_alone(shop):
    """The last step of re-engagement left thirty days ago today, at 13:00 in New York."""
    shop.happened("""
        kim | consent | 2025-01-05T15:00 | granted
        kim | order   | 2025-02-10T15:00 | milk | 12
        kim | send    | 2026-01-18T15:00 | win_back_1
        kim | send    | 2026-02-01T18:00 | opt_in_renewal
    """)
    shop.publish()
    asked = shop.service.decide("r1", "kim", emails=["recommendation"])
    assert asked["action"] == "send", asked
    shop.at("2026-03-03T17:59")
    assert valid(shop, asked["decision_id"]) == (True, [])
    shop.at("2026-03-03T18:01")
    assert valid(shop, asked["decision_id"]) == (False, ["sunset"])
    shop.told({"customer_id": "kim", "kind": "view", "product_id": "milk"})
    assert valid(shop, asked["decision_id"]) == (True, [])


def test_a_step_of_a_workflow_that_has_ended(shop):
    """Two weeks after the first win-back the last one is due; then they come back."""
    shop.happened("""
        kim | consent | 2025-01-05T15:00 | granted
        kim | order   | 2025-02-10T15:00 | milk | 12
        kim | send    | 2026-02-16T15:00 | win_back_1
    """)
    shop.publish()
    asked = shop.service.decide("r1", "kim", emails=["opt_in_renewal", "win_back_3"])
    assert "workflow_step" in {one["code"] for one in asked["because"]}, asked
    assert valid(shop, asked["decision_id"]) == (True, [])
    shop.told({"customer_id": "kim", "kind": "view", "product_id": "milk"})
    assert valid(shop, asked["decision_id"]) == (False, ["no_longer_applies"])


def test_every_e_mail_can_be_asked_whether_it_applies(shop, decision):
    """A trigger, a stage, a segment or a workflow reads nothing that is not found out for it."""
    settings = shop.service.live.settings.current
    view = shop.store.view_of(["ann"], now=moment(NOW), settings=settings.features)
    known = KnownNow(shop.store.decision(decision), view, settings)
    assert set(columns_asked(settings.serving.segments)) <= set(known.everything.columns)
    catalogue = settings.serving.emails
    applies = {name for name in catalogue if applies_to(known.everything, name, settings.serving)}
    assert "cart_reminder" in applies and len(applies) < len(catalogue)


def without(decided, *names):
    kept = {name: value for name, value in decided.receipt.items() if name not in names}
    return replace(decided, receipt=kept)


@pytest.mark.parametrize("lacks", NEEDED)
def test_a_receipt_of_an_older_release_holds_no_more(shop, decision, lacks):
    decided = shop.store.decision(decision)
    settings = shop.service.live.settings.current
    view = shop.store.view_of(["ann"], now=moment(NOW), settings=settings.features)
    assert invalid_because(decided, view, settings) == []
    [reason] = invalid_because(without(decided, lacks), view, settings)
    assert (reason.code, lacks in reason.text) == ("older_release", True)


def test_products_that_models_chose_are_not_chosen_again(shop):
    """Without models nothing of the shelf would fit; what the mail shows is there all the same."""
    asked = shop.service.decide("r1", "ann", emails=["replenishment"])
    assert "no_products" in {reason["code"] for reason in asked["because"]}
    decided = shop.store.decision(asked["decision_id"])
    at = moment("2026-03-03T17:00")
    made = replace(
        decided, action="send", email="replenishment", send_at=at,
        receipt={**decided.receipt, "products": ["soap"], "settings": "others",
                 "valid_until": "2026-03-06T17:00:00Z"},
    )  # fmt: skip
    settings = shop.service.live.settings.current
    view = shop.store.view_of(["ann"], now=moment(NOW), settings=settings.features)
    assert invalid_because(made, view, settings) == []
