from __future__ import annotations

import polars as pl
import pytest

from serving.reasons import send_reasons, told
from tests.serving.shop import curve, decision_for, reasons_of, shop

CALM = shop({"holdout_share": 0.0, "explore_emails": 0.0, "explore_hours": 0.0}, {})
CART = {"cart_items": 1.0, "cart_waiting_hours": 2.0, "cart_value": 9.0}


@pytest.mark.parametrize(
    ("source", "whose"),
    [("segment", "customers like them"), ("everyone", "everyone"), ("customer", None),
     ("default", None)],
)  # fmt: skip
def test_hours_of_others_that_stand_in_are_told(source, whose):
    hours = curve({12: 0.5, 18: 0.1}).with_columns(source=pl.lit(source))
    reasons = reasons_of(decision_for(CALM, hours=hours, **CART))
    assert (reasons.get("borrowed_hour", "").endswith(f"{whose} stand in")) == (whose is not None)
    assert ("borrowed_hour" in reasons) == (whose is not None)


@pytest.mark.parametrize(
    ("promised", "explored", "is_told"),
    [(0.9, False, True), (0.4, False, False), (None, False, False), (0.9, True, False)],
)
def test_an_e_mail_that_stood_back_is_told_with_both_values(promised, explored, is_told):
    """Where chance chose, nobody stood back for what was chosen."""
    row = pl.DataFrame({
        "row": [0], "email": ["newsletter"], "value": [0.5], "stood_back_email": ["vip_offer"],
        "stood_back_value": [promised], "explored_email": [explored],
    }, schema_overrides={"stood_back_value": pl.Float64})  # fmt: skip
    rules = [rule for rule in send_reasons(CALM.policy) if rule.code == "thin_evidence"]
    texts = told(row, "row", rules)["text"].to_list()
    assert len(texts) == is_told
    assert all("vip_offer promises 0.9 instead of 0.5" in text for text in texts)
