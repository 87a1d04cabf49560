"""What models have learnt of an e-mail stands in a decision in place of the merchant's figures."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import polars as pl
import pytest

from serving.models import NO_MODELS
from serving.scores import Models
from tests.serving.histories import answers
from tests.serving.shop import SHOP, arm_of, shop
from tests.training.test_response import SELLS, trained
from training.model.response import answer_chances, bases

TOLD = """
    ann | consent | 2025-01-01T00:00 | granted
    ann | order   | 2026-02-20T15:00 | milk | 12
    ann | send    | 2026-02-25T15:00 | recommendation
    bob | consent | 2025-01-01T00:00 | granted
    bob | order   | 2026-02-10T15:00 | soap | 30
    cid | consent | 2025-01-01T00:00 | granted
    cid | order   | 2026-01-10T15:00 | milk | 12
    cid | send    | 2026-02-20T15:00 | recommendation
    cid | click   | 2026-02-20T16:00 | recommendation
    cid | send    | 2026-02-21T15:00 | win_back_1
    cid | click   | 2026-02-21T16:00 | win_back_1
    cid | click   | 2026-02-22T16:00 | win_back_1
"""


@cache
def models() -> Models:
    return replace(
        NO_MODELS,
        response_click=trained(SELLS, "click").model,
        response_order=trained(SELLS, "order").model,
        response_unsubscribe=trained(SELLS, "unsubscribe").model,
    )


def decided(*names: str, having: Models, **change: Any) -> dict[str, dict[str, Any]]:
    found = answers(TOLD, *names, models=having, **change)
    return {row["customer_id"]: row for row in found.iter_rows(named=True)}


def test_a_receipt_says_what_was_learnt_and_what_the_merchant_said() -> None:
    parts = {
        "clicks": replace(NO_MODELS, response_click=models().response_click),
        "orders": replace(NO_MODELS, response_order=models().response_order),
        "unsubscribes": replace(NO_MODELS, response_unsubscribe=models().response_unsubscribe),
    }
    plain = arm_of(decided("ann", having=NO_MODELS)["ann"], "recommendation")
    assert plain["learnt"] == []
    for part, having in parts.items():
        arm = arm_of(decided("ann", having=having)["ann"], "recommendation")
        assert arm["learnt"] == [part]
        changed = {name for name in parts if arm[name] != pytest.approx(plain[name])}
        # Of fewer clicks fewer orders come.
        assert changed == ({"clicks", "orders"} if part == "clicks" else {part})
    arm = arm_of(decided("ann", having=models())["ann"], "recommendation")
    assert arm["learnt"] == list(parts)
    parts_in_money = arm["margin"] - arm["discount"] - arm["send_cost"] - arm["unsubscribe_cost"]
    assert arm["value"] == pytest.approx(parts_in_money, abs=1e-5)


def test_the_clicks_of_a_receipt_are_the_models() -> None:
    row = decided("ann", having=models())["ann"]
    read = json.loads(row["features"])
    model = models().response_click
    assert model is not None
    inputs = [name for name in model.inputs if name in read]
    known = (
        pl.DataFrame([{name: read[name] for name in inputs}])
        .cast(pl.Float64)
        .with_columns(
            days_since_same=pl.lit(6 + 1 / 24), sends_same=pl.lit(1.0), clicks_same=pl.lit(0.0)
        )
    )
    rates = {name: email.click_rate for name, email in SHOP.emails.items()}
    chance = answer_chances(model, known, ["recommendation"], bases(model, rates))
    arm = arm_of(row, "recommendation")
    pull = arm["hour_lift"] * arm["freshness"]
    assert arm["clicks"] == pytest.approx(chance[0] * pull, abs=2e-6)


def test_alone_is_as_in_the_crowd() -> None:
    together = decided("ann", "bob", "cid", having=models())
    for name in together:
        alone = decided(name, having=models())[name]
        for column in ("arms", "value", "features"):
            assert alone[column] == together[name][column]


def test_an_email_that_does_not_apply_has_the_merchants_figures() -> None:
    arm = arm_of(decided("ann", having=models())["ann"], "welcome")
    assert not arm["applies"]
    assert arm["learnt"] == []


def test_the_merchant_can_still_move_what_was_learnt_of_an_email_nobody_has_seen() -> None:
    # The model's shop knows other e-mails, so all figures here are the merchant's, in proportion.
    higher = shop({}, {"recommendation": {"click_rate": 0.2}})
    plain, more = (
        arm_of(decided("bob", having=models(), settings=one)["bob"], "recommendation")
        for one in (SHOP, higher)
    )
    assert more["clicks"] > 2 * plain["clicks"]


def test_the_tone_they_like_is_in_the_receipt() -> None:
    rows = decided("ann", "cid", having=NO_MODELS)
    assert json.loads(rows["cid"]["features"])["preferred_tone"] == "warm"  # two of three clicks
    assert json.loads(rows["ann"]["features"])["preferred_tone"] is None
