"""A workflow as the service, the night and the replay see it; with the onje.toml that ships."""

from __future__ import annotations

import pytest

from pipelines.replay import said
from tests.serving.drawn import moment
from tests.serving.shop import reasons_of
from tests.spec.replaying import replayed_shop

# Ann used to order every month, has not for four, and was asked back a week ago.
PAST = """
    ann | consent | 2025-01-05T15:00 | granted
    ann | order   | 2025-09-01T15:00 | milk  | 12
    ann | order   | 2025-10-01T15:00 | bread | 15
    ann | order   | 2025-11-01T15:00 | bread | 15
    ann | send    | 2026-02-23T15:00 | win_back_1
"""
# In the morning of New York, on a Tuesday, eight days after the first step.
NOW = "2026-03-03T16:00"
STEPS = {"win_back_2", "feedback_request"}
# Its rivals of the catalogue are switched off: what goes is a step, or nothing.
ALONE = {
    "emails": {
        name: {"enabled": False}
        for name in ("coupon_by_category", "recommendation", "newsletter", "new_similar",
                     "new_in_favourite", "related_products", "premium_range", "replenishment",
                     "brand_story", "social_proof", "comparison", "case_or_trial", "price_drop")
    }
}  # fmt: skip


@pytest.fixture
def shop(tmp_path):
    with replayed_shop(tmp_path, ALONE) as shop:
        shop.at(NOW)
        shop.happened(PAST)
        shop.open("ann")
        yield shop


def decided(shop, request: str) -> dict:
    return shop.service.decide(request, "ann")


def receipt(shop, decision: dict) -> dict:
    return shop.store.decision(decision["decision_id"]).receipt


def test_the_step_is_decided_live_and_by_night_and_replayed(shop):
    live = decided(shop, "r1")
    assert live["email"] in STEPS
    told = receipt(shop, live)
    assert (told["workflow"]["workflow"], told["workflow"]["step"]) == ("re_engagement", 2)
    assert reasons_of(told)["workflow_step"] == (
        "step 2 of re_engagement: 8 days after win_back_1 without an answer"
    )
    again = shop.replayed(live["decision_id"])
    assert again.equal, said(again)


def test_the_night_plans_the_same_step(shop):
    shop.night(moment(NOW))
    (plan,) = [d for d in shop.store.recent_decisions("ann", limit=5) if d.email]
    live = decided(shop, "r1")
    assert (plan.email, plan.receipt["workflow"]) == (
        live["email"],
        receipt(shop, live)["workflow"],
    )


@pytest.mark.parametrize("kind", ["session", "view", "click", "survey"])
def test_a_reaction_makes_a_decided_step_invalid(shop, kind):
    decision = decided(shop, "r1")
    path = f"/v1/decisions/{decision['decision_id']}/valid"
    assert shop.service.get(path).json()["valid"] is True
    shop.told({"customer_id": "ann", "kind": kind, "email": "win_back_1"})
    answer = shop.service.get(path).json()
    assert answer["valid"] is False
    assert answer["because"][0]["code"] == "no_longer_applies"


def test_what_a_machine_does_leaves_it_valid(shop):
    decision = decided(shop, "r1")
    shop.told({"customer_id": "ann", "kind": "click", "email": "win_back_1", "machine": True})
    assert shop.service.get(f"/v1/decisions/{decision['decision_id']}/valid").json()["valid"]


def test_a_promised_step_is_not_decided_again(shop):
    first = decided(shop, "r1")
    second = decided(shop, "r2")
    assert second["action"] == "wait"
    assert first["email"] not in {
        arm["email"] for arm in receipt(shop, second)["arms"] if arm["applies"]
    }


def test_once_it_was_sent_the_next_step_waits_for_its_day(shop):
    first = decided(shop, "r1")
    shop.at("2026-03-03T17:30")
    shop.told({"customer_id": "ann", "kind": "send", "email": first["email"],
               "decision_id": first["decision_id"], "channel": "email"})  # fmt: skip
    shop.at("2026-03-08T16:00")
    assert decided(shop, "r2")["action"] == "wait"
    shop.at("2026-03-10T16:00")
    last = decided(shop, "r3")
    assert last["email"] in {"opt_in_renewal", "win_back_3"}
    assert receipt(shop, last)["workflow"]["step"] == 3


def test_silence_after_the_last_step_is_a_sunset_until_they_come_back(shop):
    shop.told({"customer_id": "ann", "kind": "send", "email": "opt_in_renewal", "channel": "email"})
    shop.at("2026-04-05T16:00")
    waits = decided(shop, "r1")
    assert "sunset" in reasons_of(waits)
    shop.told({"customer_id": "ann", "kind": "consent", "reason": "reconfirmed",
               "channel": "email"})  # fmt: skip
    assert "sunset" not in reasons_of(decided(shop, "r2"))
