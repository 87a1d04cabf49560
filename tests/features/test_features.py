"""What each feature says of a drawn history."""

from __future__ import annotations

import math

import pytest

from features.build import features_as_of
from tests.features.text import SETTINGS, customers, history, spine

MAIL = history("""
    ann | 2024-01-01T09:00 | send       | email=welcome
    ann | 2024-03-01T09:00 | send       | email=news
    ann | 2024-03-01T09:00 | deliver
    ann | 2024-03-01T10:00 | open       | machine=yes
    ann | 2024-03-01T12:00 | open
    ann | 2024-03-02T12:00 | click      | email=news | link=hero
    ann | 2024-03-03T12:00 | click      | email=news | link=hero | machine=yes
    ann | 2024-03-05T09:00 | send       | email=news
    ann | 2024-03-06T09:00 | send       | channel=push
    ann | 2024-03-07T09:00 | session    | duration_s=90
    ann | 2024-03-07T09:01 | view       | duration_s=30.5 | product=mug | in=home
    ann | 2024-03-07T09:02 | view       | product=mug | in=home
    ann | 2024-03-07T09:03 | view       | product=pen | in=desk
    ann | 2024-03-07T09:04 | search    
    bob | 2024-02-01T09:00 | deliver
    bob | 2024-02-02T09:00 | deliver
    bob | 2024-02-03T09:00 | deliver
    bob | 2024-02-04T09:00 | deliver
    eve | 2024-02-01T09:00 | deliver
    eve | 2024-02-02T09:00 | deliver
    eve | 2024-02-03T09:00 | deliver
    eve | 2024-02-04T09:00 | deliver
    eve | 2024-02-05T09:00 | click
""")


@pytest.mark.parametrize(
    ("customer", "as_of", "name", "expected"),
    [
        ("ann", "2024-03-08T09:00", "sends_7d", 2),  # [as_of - 7 days: still in
        ("ann", "2024-03-08T09:00", "sends_30d", 2),  # not the push message
        ("ann", "2024-03-08T09:00", "sends_90d", 3),
        ("ann", "2024-03-31T09:00", "sends_30d", 2),  # [as_of - 30 days: still in
        ("ann", "2024-03-31T09:01", "sends_30d", 1),
        ("ann", "2024-03-08T09:00", "delivered_60d", 1),
        ("ann", "2024-03-08T09:00", "opens_30d", 1),  # not the machine's
        ("ann", "2024-03-08T09:00", "clicks_30d", 1),
        ("ann", "2024-03-08T09:00", "clicks_90d", 1),
        ("ann", "2024-03-08T09:00", "open_rate_90d", 1 / 3),
        ("ann", "2024-03-08T09:00", "click_rate_90d", 1 / 3),
        ("ann", "2023-12-01", "click_rate_90d", None),  # nothing was sent
        ("ann", "2024-03-08T09:00", "days_since_send", 3),
        ("ann", "2024-03-08T12:00", "days_since_open", 7),
        ("ann", "2024-03-03T00:00", "days_since_click", 0.5),
        ("ann", "2024-03-02T00:00", "days_since_click", None),
        ("ann", "2024-03-02T00:00", "unclicked_streak", 2),  # never clicked
        ("ann", "2024-03-08T09:00", "unclicked_streak", 1),
        ("ann", "2024-03-08T09:00", "sessions_7d", 1),
        ("ann", "2024-03-20", "sessions_7d", 0),
        ("ann", "2024-03-20", "sessions_30d", 1),
        ("ann", "2024-03-08T09:00", "views_7d", 3),
        ("ann", "2024-03-20", "views_30d", 3),
        ("ann", "2024-03-08T09:00", "dwell_s_30d", 90),
        ("ann", "2024-03-08T09:00", "days_since_session", 1),
        ("ann", "2024-03-08T09:00", "preferred_email", "news"),
        ("ann", "2024-03-08T09:00", "preferred_link", "hero"),
        ("ann", "2024-03-08T09:00", "email_dormant", None),  # one delivered
        ("bob", "2024-03-01", "email_dormant", 1),
        ("eve", "2024-03-01", "email_dormant", 0),
        ("ann", "2024-03-08T09:00", "repeat_views_7d", 1),
        ("ann", "2024-03-08T09:00", "unbought_views_7d", 2),
        ("ann", "2024-03-08T09:00", "searches_7d", 1),
        ("ann", "2024-03-08T09:00", "viewed_category_30d", "home"),
        ("ann", "2024-03-08T09:00", "stage", "consider"),
        ("ann", "2024-03-20", "stage", "aware"),
        ("ann", "2024-12-20", "stage", "dormant"),
    ],
)
def test_mail_and_visits(customer: str, as_of: str, name: str, expected: object) -> None:
    assert _feature(MAIL, customer, as_of, name) == pytest.approx(expected, abs=1e-9)


ORDERS = history("""
    ann | 2024-01-01 | order | order=1 | product=mug | in=home | amount=10 | payment=card
    ann | 2024-01-01 | order | order=1 | product=pen | in=desk | amount=2  | payment=card
    ann | 2024-01-11 | order | order=2 | product=mug | in=home | amount=8 | coupon=X | discount=2
    ann | 2024-01-12 | refund | order=2 | product=mug | amount=4
    ann | 2024-01-13 | redeem | coupon=X
    ann | 2024-01-31 | order | order=3 | product=ink | in=desk | amount=5  | payment=cash
    ann | 2024-02-01 | review | product=ink
    ann | 2024-02-10 | order | order=4 | product=ink | in=desk | amount=5  | payment=cash
    bob | 2024-01-01 | order | order=9 | product=mug | amount=2000
    bob | 2024-01-01 | order | order=9 | product=mug | amount=100
    bob | 2024-02-01 | order | order=8 | product=mug | amount=1
    cat | 2024-01-01 | order | order=6 | product=mug | amount=7
    cat | 2024-02-01 | order | order=7 | product=mug
""")


@pytest.mark.parametrize(
    ("customer", "as_of", "name", "expected"),
    [
        ("ann", "2024-02-11", "orders", 4),  # five lines
        ("ann", "2024-02-11", "orders_30d", 2),
        ("ann", "2024-02-11", "orders_90d", 4),
        ("ann", "2025-01-05", "orders_365d", 3),
        ("ann", "2024-02-11", "spend_30d", 10),
        ("ann", "2024-02-11", "spend_90d", 30),
        ("ann", "2024-02-11", "spend_365d", 30),
        ("ann", "2024-02-11", "basket_value", 7.5),
        ("ann", "2024-02-11", "last_basket_value", 5),
        ("ann", "2024-01-02", "last_basket_value", 12),
        ("ann", "2024-01-02", "last_order_value", 12),
        ("cat", "2024-02-11", "last_basket_value", 7),
        ("cat", "2024-02-11", "last_order_value", None),  # its own has no price
        ("ann", "2024-02-11", "lines_per_order", 1.25),
        ("ann", "2024-02-11", "days_since_order", 1),
        ("ann", "2024-02-11", "days_since_first_order", 41),
        ("ann", "2024-02-11", "order_gap_days_mean", 40 / 3),
        ("ann", "2024-02-11", "order_gap_days_std", math.sqrt(100 / 3)),  # gaps 10, 20, 10
        ("ann", "2024-01-12", "order_gap_days_mean", 10),
        ("ann", "2024-01-12", "order_gap_days_std", None),  # one gap has no spread
        ("ann", "2024-01-02", "order_gap_days_mean", None),
        ("ann", "2024-02-11", "silence_ratio", 3 / 40),
        ("ann", "2024-01-02", "silence_ratio", None),
        ("ann", "2024-02-11", "orders_slope", (2 * 2.5 + 2 * 1.5) / 17.5),
        ("ann", "2024-02-11", "discount_share_365d", 2 / 32),
        ("ann", "2023-02-11", "discount_share_365d", None),
        ("ann", "2024-02-11", "coupon_orders_365d", 1),
        ("ann", "2024-02-11", "redeems_90d", 1),
        ("ann", "2024-02-11", "refunds_365d", 1),
        ("ann", "2024-02-11", "refund_share_365d", 4 / 30),
        ("ann", "2024-02-11", "payment_method", "cash"),
        ("ann", "2024-02-01", "payment_method", "card"),  # one each: the first in the alphabet
        ("ann", "2024-02-11", "distinct_products_365d", 3),
        ("ann", "2024-02-11", "repeat_share_365d", 2 / 3),
        ("bob", "2024-01-02", "repeat_share_365d", 0),  # two lines of one order are one order
        ("ann", "2024-02-11", "distinct_categories_365d", 2),
        ("ann", "2024-02-11", "favourite_category", "desk"),
        ("ann", "2024-02-11", "favourite_category_share", 3 / 5),
        ("ann", "2024-01-12", "favourite_category", "home"),
        ("ann", "2024-02-11", "last_category", "desk"),
        ("ann", "2024-01-12", "last_category", "home"),
        ("ann", "2024-02-11", "days_since_favourite", 1),
        (
            "ann",
            "2024-02-11",
            "category_entropy",
            round(-(0.4 * math.log(0.4) + 0.6 * math.log(0.6)), 6),
        ),
        ("ann", "2024-02-11", "reviews_365d", 1),
        ("ann", "2024-02-11", "days_since_review", 10),
        ("ann", "2024-02-11", "unreviewed_order_days", 1),
        ("ann", "2024-02-05", "unreviewed_order_days", None),
        ("ann", "2024-02-11", "stage", "after"),
        ("ann", "2024-01-15", "segment", "new"),
        ("ann", "2024-02-11", "segment", "occasional"),
        ("ann", "2024-03-20", "segment", "at_risk"),  # silent for 39 days, thrice the usual
        ("ann", "2024-12-20", "segment", "dormant"),
        ("bob", "2024-02-10", "segment", "high_value"),
        ("bob", "2023-02-10", "segment", "prospect"),
    ],
)
def test_orders(customer: str, as_of: str, name: str, expected: object) -> None:
    assert _feature(ORDERS, customer, as_of, name) == pytest.approx(expected, abs=1e-9)


# What was paid in another currency has no amount in a history.
ABROAD = history("""
    ann | 2024-01-01T09:00 | order    | order=1 | product=mug | in=home
    ann | 2024-01-01T09:00 | order    | order=1 | product=pen | in=desk
    ann | 2024-03-01T09:00 | order    | order=2 | product=mug | in=home | amount=10 | discount=1
    ann | 2024-03-01T09:00 | order    | order=2 | product=pen | in=desk
    ann | 2024-03-02T09:00 | refund   | order=1
    ann | 2024-03-02T10:00 | cart_add | product=mug
    bob | 2024-03-02T10:00 | view     | product=mug
""")


@pytest.mark.parametrize(
    ("customer", "as_of", "name", "expected"),
    [
        ("ann", "2024-01-02", "spend_30d", None),
        ("ann", "2024-01-02", "spend_365d", None),
        ("ann", "2024-01-02", "spend", None),
        ("ann", "2024-01-02", "orders", 1),
        ("ann", "2024-01-02", "discount_365d", None),
        ("ann", "2024-01-02", "basket_value", None),
        ("ann", "2024-01-02", "segment", "new"),
        ("ann", "2024-02-20", "spend_30d", 0),  # no order within the window: nothing was spent
        ("ann", "2024-02-20", "spend_90d", None),
        ("ann", "2024-03-03", "spend_365d", 10),
        ("ann", "2024-03-03", "discount_365d", 1),
        ("ann", "2024-03-03", "refunded_365d", None),
        ("ann", "2024-03-03", "refund_share_365d", None),
        ("ann", "2024-03-03", "cart_value", None),
        ("bob", "2024-03-03", "spend_365d", 0),
        ("bob", "2024-03-03", "cart_value", 0),
        ("eve", "2024-03-03", "spend", 0),  # nothing at all is known of her
    ],
)
def test_money_that_is_not_known_is_not_nothing(
    customer: str, as_of: str, name: str, expected: object
) -> None:
    assert _feature(ABROAD, customer, as_of, name) == pytest.approx(expected, abs=1e-9)


def test_six_orders_in_rhythm_are_loyal() -> None:
    drawn = "\n".join(
        f"ann | 2024-0{month}-01 | order | order={month} | amount=1" for month in range(1, 8)
    )
    assert _feature(history(drawn), "ann", "2024-07-20", "segment") == "loyal"
    assert _feature(history(drawn), "ann", "2024-09-20", "segment") == "at_risk"


CART = history("""
    ann | 2024-05-01T09:00 | cart_add    | product=mug | amount=10
    ann | 2024-05-01T10:00 | cart_add    | product=pen | amount=2 
    ann | 2024-05-01T11:00 | cart_remove | product=mug
    ann | 2024-05-01T11:30 | checkout   
    ann | 2024-05-03T09:00 | order       | product=pen | order=1 | amount=2
    ann | 2024-05-04T09:00 | cart_add    | product=ink | amount=7
    ann | 2024-05-04T10:00 | cart_add    | product=ink | amount=7
    ann | 2024-05-04T12:00 | order       | product=ink | order=2 | amount=7
    ann | 2024-07-01T09:00 | cart_remove | product=cup
    ann | 2024-07-01T09:00 | cart_add    | product=cup | amount=1
    ann | 2024-07-01T09:00 | cart_add    | product=pot | amount=1
""")


@pytest.mark.parametrize(
    ("as_of", "name", "expected"),
    [
        ("2024-05-01T09:30", "cart_items", 1),
        ("2024-05-01T10:30", "cart_items", 2),
        ("2024-05-01T10:30", "cart_value", 12),
        ("2024-05-01T10:30", "cart_waiting_hours", 0.5),
        ("2024-05-01T12:00", "cart_items", 1),  # the mug was taken out again
        ("2024-05-01T12:00", "cart_waiting_hours", 2),
        ("2024-05-01T11:15", "cart_stage", "cart"),
        ("2024-05-01T12:00", "cart_stage", "checkout"),
        ("2024-05-01T12:00", "checkout_waiting_hours", 0.5),
        ("2024-05-01T12:00", "stage", "buy"),
        ("2024-05-03T10:00", "cart_items", 0),  # ordered
        ("2024-05-03T10:00", "cart_waiting_hours", None),
        ("2024-05-03T10:00", "checkout_waiting_hours", None),
        ("2024-05-03T10:00", "cart_stage", "none"),
        ("2024-05-04T11:00", "cart_items", 1),  # twice the same ink
        ("2024-05-04T11:00", "cart_value", 14),
        ("2024-05-01T12:00", "carts_left_30d", 0),  # a day is not over
        ("2024-05-02T12:00", "carts_left_30d", 1),
        ("2024-05-10", "carts_left_30d", 1),  # the ink was ordered within a day
        ("2024-06-10", "cart_stage", "none"),
        ("2024-07-02", "cart_items", 1),  # of two products one was taken out as it was put in
        ("2024-07-31T09:00", "cart_items", 1),  # [as_of - 30 days: still in
        ("2024-07-31T09:01", "cart_items", 0),
    ],
)
def test_the_cart(as_of: str, name: str, expected: object) -> None:
    assert _feature(CART, "ann", as_of, name) == pytest.approx(expected, abs=1e-9)


HOURS = history("""
    ann | 2024-07-05T23:30 | session
    ann | 2024-07-06T12:00 | order   | order=1 | amount=1
    ann | 2024-07-06T12:00 | order   | order=1 | amount=1
    ann | 2024-07-08T12:30 | view   
    ann | 2024-07-08T13:00 | send
    ann | 2024-07-08T18:30 | click   | machine=yes
""")
KOREA = customers({"customer_id": "ann", "timezone": "Asia/Seoul"})  # nine hours ahead


@pytest.mark.parametrize(
    ("name", "in_utc", "in_korea"),
    [
        ("acts_180d", 3, 3),
        ("share_night", 0, 0),
        ("share_morning", 0, 1 / 3),  # 23:30 is 8:30 of the next day
        ("share_afternoon", 2 / 3, 0),
        ("share_evening", 1 / 3, 2 / 3),
        ("share_weekend", 1 / 3, 2 / 3),  # Friday night is Saturday morning
        ("favourite_hour", 12, 21),
        ("days_since_act", 0.5, 0.5),
    ],
)
def test_hours_are_the_customers_own(name: str, in_utc: float, in_korea: float) -> None:
    as_of = spine(("ann", "2024-07-09T00:30"))
    for people, expected in ((customers(), in_utc), (KOREA, in_korea)):
        told = features_as_of(HOURS, as_of, people, settings=SETTINGS)
        assert told[name].item() == pytest.approx(expected, abs=1e-9)


def test_hour_spread_is_nothing_at_one_hour_and_all_at_opposite_ones() -> None:
    one = history("ann | 2024-07-05T09:00 | view\nann | 2024-07-06T09:59 | view")
    two = history("ann | 2024-07-05T09:00 | view\nann | 2024-07-06T21:00 | view")
    assert _feature(one, "ann", "2024-07-09", "hour_spread") == pytest.approx(0, abs=1e-6)
    assert _feature(two, "ann", "2024-07-09", "hour_spread") == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("birthday", "as_of", "expected"),
    [
        ("07-10", "2024-07-09T12:00", 1),
        ("07-10", "2024-07-09T16:00", 0),  # already the tenth in Seoul
        ("07-10", "2024-07-11", 364),
        ("02-29", "2024-02-28T00:00", 1),
        ("02-29", "2025-02-27T00:00", 1),  # kept on the 28th
    ],
)
def test_days_to_birthday(birthday: str, as_of: str, expected: int) -> None:
    people = customers({"customer_id": "ann", "timezone": "Asia/Seoul", "birthday": birthday})
    told = features_as_of(HOURS, spine(("ann", as_of)), people, settings=SETTINGS)
    assert told["days_to_birthday"].item() == expected


def test_a_sign_up_is_known_from_customers_or_from_an_event() -> None:
    told = history("ann | 2024-01-02 | view\nbob | 2024-01-02 | signup\neve | 2024-01-02 | view")
    people = customers(
        {"customer_id": "eve", "signed_up_at": spine(("", "2024-01-01"))["as_of"][0]}
    )
    rows = spine(("ann", "2024-01-12"), ("bob", "2024-01-12"), ("eve", "2024-01-12"))
    described = features_as_of(told, rows, people, settings=SETTINGS)
    assert described["days_since_signup"].to_list() == [None, 10, 11]
    assert described["known_days"].to_list() == [10, 10, 11]


def test_what_customers_say_of_themselves() -> None:
    said = {"age_years": 40.0, "household_size": 3.0, "children": 1.0, "income_thousands": 55.0}
    people = customers({"customer_id": "ann", "timezone": "Nowhere/At_All"} | said)
    told = features_as_of(HOURS, spine(("ann", "2024-07-09")), people, settings=SETTINGS)
    assert told.select(*said).row(0, named=True) == said
    assert told.select("timezone", "zone_known").row(0) == ("UTC", False)


def _feature(drawn, customer: str, as_of: str, name: str) -> object:
    told = features_as_of(drawn, spine((customer, as_of)), customers(), settings=SETTINGS)
    return told[name].item()


RETURNED = history("""
    ann | 2024-03-01T09:00 | session
    ann | 2024-03-02T09:00 | send    | email=news
    ann | 2024-03-05T09:00 | send    | email=news
    ann | 2024-03-10T09:00 | session
    ann | 2024-03-10T09:01 | search
    ann | 2024-03-10T09:02 | view | product=p1
    ann | 2024-03-10T09:03 | view | product=p1
    ann | 2024-03-10T09:04 | view | product=p2
    ann | 2024-03-11T09:00 | send    | email=news
    ann | 2024-03-11T10:00 | click   | email=news
    ann | 2024-03-12T09:00 | order   | order=1 | product=p1 | amount=5
""")


@pytest.mark.parametrize(
    ("as_of", "name", "expected"),
    [
        ("2024-03-07T09:00", "unanswered_mails", 2),
        ("2024-03-07T09:00", "unanswered_days", 5),  # since the first of the two
        ("2024-03-10T10:00", "unanswered_mails", 0),  # came by
        ("2024-03-10T10:00", "unanswered_days", None),
        ("2024-03-11T09:30", "unanswered_mails", 1),
        ("2024-03-11T12:00", "unanswered_mails", 0),  # clicked
        ("2024-03-11T22:00", "open_click_days", 0.5),
        ("2024-03-12T10:00", "open_click_days", None),  # ordered
        ("2024-03-10T10:00", "days_away", 9),
        ("2024-03-12T10:00", "days_away", 9),  # three days in a row are one return
        ("2024-03-05T10:00", "days_away", None),  # there but once
        ("2024-03-11T09:00", "most_views_7d", 2),
        ("2024-03-13T09:00", "most_views_7d", 1),  # p1 has been ordered
        ("2024-03-18T09:00", "most_views_7d", 0),
        ("2024-03-12T09:04", "days_since_view", 2),
        ("2024-03-10T10:01", "open_search_hours", 1),
        ("2024-03-10T10:01", "open_searches_7d", 1),
        ("2024-03-12T10:00", "open_searches_7d", 0),  # ordered
        ("2024-03-12T10:00", "open_search_hours", None),
    ],
)
def test_what_waits_for_an_answer(as_of: str, name: str, expected: object) -> None:
    assert _feature(RETURNED, "ann", as_of, name) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("signed_up", "as_of", "days", "years"),
    [
        ("2023-03-10T20:00", "2024-03-08T00:00", 3, 1),  # the 11th, in Seoul
        ("2023-03-10T20:00", "2024-03-11T00:00", 0, 1),
        ("2023-03-10T20:00", "2024-03-11T16:00", 364, 2),  # the 12th, in Seoul
        ("2024-03-01T00:00", "2024-03-01T02:00", 365, 1),  # signed up today
        ("2024-02-29T00:00", "2025-02-27T00:00", 1, 1),  # kept on the 28th
    ],
)
def test_the_next_anniversary_of_the_sign_up(
    signed_up: str, as_of: str, days: int, years: int
) -> None:
    people = customers(
        {
            "customer_id": "ann",
            "timezone": "Asia/Seoul",
            "signed_up_at": spine(("", signed_up))["as_of"][0],
        }
    )
    told = features_as_of(RETURNED, spine(("ann", as_of)), people, settings=SETTINGS)
    assert told["days_to_signup_anniversary"].item() == days
    assert told["anniversary_years"].item() == years
