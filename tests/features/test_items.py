"""Items and hours of a drawn history."""

from __future__ import annotations

import pytest

from features.items import items_as_of, popularity_as_of
from features.profiles import hours_as_of
from tests.features.text import SETTINGS, customers, history, spine, when

SHOPPING = history("""
    ann | 2024-01-01 | order    | order=1 | product=mug | in=home | amount=10 | quantity=2
    ann | 2024-01-01 | order    | order=1 | product=mug | in=home | amount=5
    ann | 2024-01-01 | order    | order=1 | product=cup | in=home | amount=1
    ann | 2024-01-11 | order    | order=2 | product=mug | in=home | amount=5
    ann | 2024-01-31 | order    | order=3 | product=pen | in=desk | amount=3
    ann | 2024-02-01 | view     | product=pen | in=desk
    ann | 2024-02-02 | view     | product=ink | in=desk
    ann | 2024-02-03 | cart_add | product=ink | in=desk
    bob | 2024-01-31 | order    | order=4 | product=pen | in=desk | amount=3
    bob | 2024-01-31 | order    | order=5 | product=pen | in=desk | amount=3
""")


def test_what_a_customer_has_to_do_with_each_product() -> None:
    told = items_as_of(SHOPPING, spine(("ann", "2024-02-05")), item="product_id", settings=SETTINGS)
    assert told["item"].to_list() == ["cup", "ink", "mug", "pen"]
    mug = told.row(2, named=True)
    assert {name: mug[name] for name in told.columns[3:]} == {
        "orders_28d": 1,
        "orders_91d": 2,  # two lines of one order are one order
        "orders_365d": 2,
        "views_28d": 0,
        "carts_28d": 0,
        "weight_30d": pytest.approx(0.5 ** (25 / 30) + 0.5 ** (35 / 30), abs=1e-6),
        "weight_120d": pytest.approx(0.5 ** (25 / 120) + 0.5 ** (35 / 120), abs=1e-6),
        "days_since_order": 25,
        "days_since_view": None,
        "gap_days": 10,
        "due_ratio": 2.5,
        "share_365d": pytest.approx(2 / 3),
        "quantity_365d": 4,  # a line without a quantity is one piece
        "spend_365d": 20,
    }
    ink = told.row(1, named=True)
    assert (ink["orders_365d"], ink["views_28d"], ink["carts_28d"]) == (0, 1, 1)
    assert (ink["days_since_view"], ink["days_since_order"], ink["share_365d"]) == (3, None, 0)
    assert told.row(3, named=True)["gap_days"] is None


def test_the_same_by_category() -> None:
    told = items_as_of(SHOPPING, spine(("ann", "2024-02-05")), item="category", settings=SETTINGS)
    assert told.select("item", "orders_365d", "views_28d", "spend_365d").rows() == [
        ("desk", 1, 2, 3),
        ("home", 2, 0, 21),
    ]


def test_what_was_spent_on_an_item_in_another_currency_is_not_known() -> None:
    abroad = history("""
        ann | 2023-01-01 | order | order=0 | product=cup | in=home
        ann | 2024-01-01 | order | order=1 | product=mug | in=home
        ann | 2024-01-01 | order | order=1 | product=pen | in=desk | amount=3
        ann | 2024-01-02 | order | order=2 | product=pen | in=desk
        ann | 2024-01-03 | view  | product=ink | in=desk
    """)
    told = items_as_of(abroad, spine(("ann", "2024-02-05")), item="product_id", settings=SETTINGS)
    assert told.select("item", "spend_365d").rows() == [
        ("cup", 0),  # ordered, but not within a year
        ("ink", 0),
        ("mug", None),
        ("pen", 3),
    ]


def test_popularity_counts_customers_before_orders() -> None:
    told = popularity_as_of(SHOPPING, when("2024-02-05"), item="product_id", days=90)
    assert told.rows() == [("pen", 2, 3, 1), ("mug", 1, 2, 2), ("cup", 1, 1, 3)]
    lately = popularity_as_of(SHOPPING, when("2024-02-05"), item="product_id", days=10)
    assert lately["item"].to_list() == ["pen"]


def test_hours_are_local_halved_with_age_and_one_act_per_hour_of_a_day() -> None:
    told = history("""
        ann | 2024-01-05T23:10 | order   | order=1 | amount=1
        ann | 2024-01-05T23:10 | order   | order=1 | amount=1
        ann | 2024-01-05T23:50 | session
        ann | 2024-07-03T23:10 | view
        ann | 2024-07-03T08:10 | click   | machine=yes
        ann | 2024-07-03T08:10 | send
    """)
    seoul = customers({"customer_id": "ann", "timezone": "Asia/Seoul"})
    profile = hours_as_of(told, spine(("ann", "2024-07-03T23:50")), seoul, settings=SETTINGS)
    # Friday night in UTC is Saturday morning in Seoul; 180 days are one half-life.
    assert profile.select("weekend", "hour").rows() == [(False, 8), (True, 8)]
    assert profile["acts"].to_list() == pytest.approx([1, 0.5], abs=1e-3)
    assert profile["echo"].to_list() == [0, 0]
    assert hours_as_of(told, spine(("bob", "2024-07-04")), seoul, settings=SETTINGS).is_empty()
