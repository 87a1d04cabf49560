"""A discount grows with silence and past worth; it never goes too far, and never goes back."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from serving.incentive import IncentiveSettings, grown
from tests.serving.drawn import drawn
from tests.serving.shop import SHOP, arm_of, decision_for, shop

INCENTIVE = SHOP.incentive
FIGURES = INCENTIVE.model_dump()


def discount(
    days: float | None,
    ratio: float | None,
    spend: float | None,
    incentive: IncentiveSettings = INCENTIVE,
    least: float = 0.05,
    most: float = 0.25,
) -> float:
    row = pl.DataFrame(
        {"days_since_order": [days], "silence_ratio": [ratio], "spend_active_year": [spend]},
        schema_overrides=dict.fromkeys(
            ("days_since_order", "silence_ratio", "spend_active_year"), pl.Float64
        ),
    )
    return row.select(grown(pl.lit(least), pl.lit(most), incentive)).item()


# From 5 % to 25 %, between 30 and 180 days, 2 and 8 cycles; half of it for those worth nothing.
SPEC = """
    days_since_order | silence_ratio | spend_active_year | discount
    10               | -             | 500               | 0.05
    30               | -             | 500               | 0.05
    105              | -             | 500               | 0.15
    180              | -             | 500               | 0.25
    900              | -             | 9000              | 0.25
    180              | -             | 0                 | 0.15
    180              | -             | 250               | 0.20
    180              | 2             | 500               | 0.15
    180              | 5             | 500               | 0.20
    180              | 8             | 500               | 0.25
    30               | 8             | 500               | 0.15
    -                | -             | 500               | 0.05
    180              | 8             | -                 | 0.15
    112.4            | -             | 500               | 0.15
    112.5            | -             | 500               | 0.16
"""


@pytest.mark.parametrize("row", drawn(SPEC), ids=str)
def test_how_far_it_has_grown(row):
    found = discount(row["days_since_order"], row["silence_ratio"], row["spend_active_year"])
    assert found == row["discount"]


share = st.floats(0, 1)
days = st.floats(0, 3_000)
money = st.floats(0, 10_000)
incentives = st.builds(
    IncentiveSettings,
    from_days=st.floats(0, 100),
    full_days=st.floats(101, 1000),
    from_cycles=st.floats(0, 3),
    full_cycles=st.floats(3.1, 50),
    full_spend=st.floats(1, 10_000),
    least_worth=share,
    step=st.sampled_from([0.001, 0.01, 0.05, 0.1]),
)


@settings(deadline=None, max_examples=60)
@given(incentives, share, share, days, days, st.floats(1, 400), money, money)
def test_it_never_exceeds_the_most_and_never_falls_as_silence_or_worth_grow(
    incentive, one, other, silent, longer, gap, spend, richer
):
    least, most = sorted((one, other))

    def at(days: float, spent: float) -> float:
        return discount(days, days / gap, spent, incentive, least, most)

    now = at(silent, spend)
    assert least - 1e-9 <= now <= most + 1e-9
    assert at(silent + longer, spend) >= now
    assert at(silent, spend + richer) >= now


def test_where_nothing_is_to_grow_the_discount_stays():
    assert discount(900, 90, 9000, least=0.1, most=0.0) == 0.1


def test_value_slot_and_receipt_use_the_grown_one():
    grows = shop({}, {"win_back_1": {"discount_most": 0.3}})
    silent = {"days_since_order": 180.0, "silence_ratio": 8.0, "spend_active_year": 500.0,
              "churn": 0.9}  # fmt: skip
    only = {"asked": {"emails": ["win_back_1"]}}
    before, after = decision_for(SHOP, **only, **silent), decision_for(grows, **only, **silent)
    assert before["discount_share"] == 0.1
    assert after["discount_share"] == 0.3
    given_away = [arm_of(each, "win_back_1")["discount"] for each in (before, after)]
    assert given_away[1] == pytest.approx(3 * given_away[0], abs=1e-5)
    assert after["value"] < before["value"]


OTHER = {
    "from_days": 60, "full_days": 400, "from_cycles": 3, "full_cycles": 12, "full_spend": 2000,
    "least_worth": 0.1, "step": 0.07,
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER)
def test_each_setting_changes_a_discount(name):
    fine = FIGURES | {"step": 0.001}
    before, after = (IncentiveSettings(**fine | change) for change in ({}, {name: OTHER[name]}))
    assert discount(120, 5, 300, before) != discount(120, 5, 300, after)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"full_days": 30}, "full_days = 30 has to lie beyond from_days = 30"),
        ({"from_cycles": 9}, "full_cycles = 8 has to lie beyond from_cycles = 9"),
        ({"full_spend": 0}, "greater than 0"),
        ({"least_worth": 2}, "less than or equal to 1"),
    ],
)
def test_what_cannot_be_is_refused_in_words(change, said):
    with pytest.raises(ValidationError, match=said):
        IncentiveSettings(**FIGURES | change)


def test_the_most_is_no_less_than_the_discount():
    with pytest.raises(ValidationError, match="discount_most 0.05 is less than discount 0.1"):
        shop({}, {"win_back_1": {"discount_most": 0.05}})
