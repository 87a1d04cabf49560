"""Which e-mails of the catalogue compete; when a trigger applies: tests/spec/triggers."""

from __future__ import annotations

from tests.serving.shop import SHOP, decision_for, reasons_of


def test_a_tie_goes_to_the_email_listed_first():
    twin = SHOP.emails["recommendation"].model_copy(update={"variants": ("plain",)})
    names = ("zebra", "apple")
    shop = SHOP.model_copy(update={"emails": dict.fromkeys(names, twin)})
    assert decision_for(shop, days_since_order=5)["email"] == "zebra"


def test_asking_for_one_email_asks_only_for_its_time():
    decision = decision_for(asked={"emails": ["win_back_1"]})
    assert decision["email"] == "win_back_1"
    assert reasons_of(decision)["only_time"] == (
        "win_back_1 was asked for, and only its time was to be found"
    )
    assert [arm["email"] for arm in decision["arms"]] == ["win_back_1"]


def test_asking_for_two_emails_chooses_between_those_that_apply():
    decision = decision_for(asked={"emails": ["win_back_1", "welcome"]})
    assert decision["action"] == "wait"
    assert [arm["email"] for arm in decision["arms"]] == ["welcome", "win_back_1"]
