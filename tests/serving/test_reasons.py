from __future__ import annotations

import polars as pl
import pytest

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
