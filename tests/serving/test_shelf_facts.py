"""What the shelf says to a customer: something new where they look, something cheaper."""

from __future__ import annotations

import pytest

from serving.answer import answer
from serving.conditions import NO_CONDITIONS
from serving.knowledge import Knowledge
from serving.models import NO_MODELS
from serving.scores import scores_of
from serving.tables import KEY
from serving.valuation import OWN
from tests.serving.histories import FEATURES, NO_MAIL, customers, history, requests, shelf
from tests.serving.shop import NEW_YORK, NOW, SHOP
from tests.spec.triggers.test_catalogue import SETTINGS

ON_SHELF = """
    product_id | title       | category            | available | released_at      | price | currency
    milk       | Whole milk  | DAIRY > MILK        | yes       | -                | 3     | USD
    kefir      | Kefir       | DAIRY > MILK > SOUR | yes       | 2026-02-21T16:00 | 2     | USD
    skyr       | Skyr        | DAIRY > MILK        | yes       | 2026-03-04T16:00 | 2     | USD
    quark      | Quark       | DAIRY > MILK        | no        | 2026-03-02T16:00 | 2     | USD
    bread      | Rye bread   | BAKERY > BREAD      | yes       | 2025-01-01T00:00 | 4     | USD
    soap       | Olive soap  | HOME > CARE         | yes       | -                | 5     | EUR
"""
CROWD = """
    ann | consent  | 2025-01-01T00:00 | granted
    ann | view     | 2026-03-01T15:00 | milk
    ann | view     | 2026-03-01T16:00 | milk  | 4
    ann | view     | 2026-03-01T17:00 | soap  | 9
    ann | cart_add | 2026-03-03T10:00 | bread | 4.5
    bob | consent  | 2025-01-01T00:00 | granted
    bob | order    | 2026-01-01T16:00 | kefir | 4
    bob | order    | 2026-02-01T16:00 | bread | 4
    bob | order    | 2026-02-20T16:00 | bread | 4
    bob | search   | 2026-03-02T16:00 | rye
    cat | consent  | 2025-01-01T00:00 | granted
    cat | session  | 2025-12-01T16:00 |
    cat | session  | 2026-03-03T12:00 |
    cat | view     | 2026-03-03T12:01 | milk
    cat | view     | 2026-03-03T12:02 | milk
    cat | view     | 2026-03-03T12:03 | milk
    cat | click    | 2026-03-02T12:00 | newsletter
    dan | consent  | 2024-04-01T00:00 | granted
    dan | order    | 2025-11-01T16:00 | bread | 90
    dan | send     | 2026-01-20T16:00 | newsletter
    dan | send     | 2026-01-25T16:00 | newsletter
    eve | signup   | 2026-02-20T16:00 |
"""
NAMES = ("ann", "bob", "cat", "dan", "eve", "zoe")
KNOWN = Knowledge(
    history(CROWD, ON_SHELF), customers(*NAMES, zone=NEW_YORK), shelf(ON_SHELF), NO_MAIL,
    NO_CONDITIONS, {},
)  # fmt: skip


@pytest.mark.parametrize(
    ("customer", "fact", "expected"),
    [
        ("ann", "new_viewed_days", 10.0),  # skyr is to come, quark is sold out
        ("ann", "new_favourite_days", None),
        ("bob", "new_favourite_days", None),  # bread came out long ago
        ("ann", "price_drop", 0.25),
        ("ann", "price_seen", 4.0),
        ("ann", "price_now", 3.0),
        ("ann", "price_seen_days", 2.0),
        ("cat", "price_drop", None),  # saw no price
        ("zoe", "new_viewed_days", None),
    ],
)
def test_what_the_shelf_says(customer, fact, expected):
    spine = requests(customer).select(KEY)
    people = scores_of(spine, KNOWN, NO_MODELS, settings=SHOP, feature_settings=FEATURES).people
    assert people[fact].item() == pytest.approx(expected)


def answered(*names, emails=None):
    asked = requests(*names, now=NOW, emails=emails)
    return answer(
        asked, KNOWN, NO_MODELS, settings=SETTINGS.serving, feature_settings=FEATURES, valuation=OWN
    )


def test_with_all_emails_that_ship_one_alone_is_answered_as_in_the_crowd():
    crowd = answered(*NAMES)
    for place, name in enumerate(NAMES):
        assert crowd[place].drop("row").equals(answered(name).drop("row"), null_equal=True), name


def test_every_email_that_ships_can_be_asked_for_by_name():
    for name in SETTINGS.emails:
        got = answered("ann", "zoe", emails=[name])
        assert got["arms"].list.len().to_list() == [1, 1], name


def test_the_emails_that_apply_are_those_a_marketer_expects():
    applying = {
        name: {arm["email"] for arm in arms if arm["applies"]}
        for name, arms in answered(*NAMES).select("customer_id", "arms").iter_rows()
    }
    assert {"cart_reminder", "price_drop", "new_similar"} <= applying["ann"]
    assert {"search_followup", "recommendation", "related_products"} <= applying["bob"]
    assert {"browse_reminder", "site_return", "click_followup"} <= applying["cat"]
    assert {"win_back_1", "feedback_request", "opt_in_renewal"} <= applying["dan"]
    assert applying["eve"] >= {"first_purchase_nudge"}
    assert not applying["zoe"] - {"newsletter"}
