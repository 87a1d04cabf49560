"""When each e-mail applies, and what is said of it. Read the tables; the code below runs them."""

from __future__ import annotations

import pytest

from serving.triggers import TRIGGERS
from tests.serving.drawn import drawn
from tests.serving.shop import SHOP, decision_for, reasons_of

SPECS = {
    "welcome": """
        days_since_signup | orders | days_since_order | email   | because
        0.2               | 0      | -                | welcome | they signed up less than a day ago and have not ordered yet
        1                 | 0      | -                | welcome | they signed up 1 day ago and have not ordered yet
        7                 | 0      | -                | welcome | they signed up 7 days ago and have not ordered yet
        7.1               | 0      | -                | -       | -
        1                 | 1      | 1                | -       | -
    """,  # noqa: E501
    "cart_reminder": """
        cart_waiting_hours | cart_items | email         | because
        0.1                | 1          | cart_reminder | a cart of 1 product has waited for less than an hour
        5                  | 2          | cart_reminder | a cart of 2 products has waited for 5 hours
        23                 | 2          | cart_reminder | a cart of 2 products has waited for 23 hours
        24.1               | 2          | -             | -
        -                  | 0          | -             | -
    """,  # noqa: E501
    "replenishment": """
        orders | order_gap_days_mean | days_since_order | silence_ratio | email         | because
        3      | 9                   | 11               | 1.22          | replenishment | their usual 9-day cycle is 2 days overdue
        3      | 9                   | 10               | 1.11          | replenishment | their usual 9-day cycle is 1 day overdue
        3      | 9                   | 9                | 1.0           | replenishment | their usual 9-day cycle ends about now
        3      | 2.5                 | 2.4              | 0.96          | -             | -
        3      | 0.7                 | 2.2              | 3.14          | -             | -
        2      | 2                   | 2.5              | 1.25          | -             | -
    """,  # noqa: E501
    "coupon_by_category": """
        favourite_category | favourite_category_share | days_since_favourite | email              | because
        BAKERY > BREAD     | 0.4                      | 21                   | coupon_by_category | BAKERY > BREAD is 40 % of what they buy, and they last bought there 21 days ago
        BAKERY > BREAD     | 0.4                      | 20                   | -                  | -
        BAKERY > BREAD     | 0.09                     | 30                   | -                  | -
        -                  | -                        | -                    | -                  | -
    """,  # noqa: E501
    "review_request": """
        unreviewed_order_days | days_since_order | email          | because
        4.9                   | 2                | -              | -
        5                     | 2                | review_request | their order of 5 days ago has no review yet
        21                    | 2                | review_request | their order of 21 days ago has no review yet
        22                    | 2                | -              | -
        -                     | 2                | -              | -
    """,  # noqa: E501
    "win_back": """
        days_since_order | silence_ratio | orders | churn | email      | because
        45               | 4.5           | 0      | 0.83  | win_back_1 | no order for 45 days; the chance that they have left is 83 %
        45               | 4.5           | 0      | 0.49  | -          | -
        44               | 4.4           | 0      | 0.83  | -          | -
        60               | 6.0           | 0      | -     | win_back_1 | no order for 60 days
    """,  # noqa: E501
    "recommendation": """
        orders | days_since_order | email          | because
        1      | 3                | recommendation | 1 order tells their taste; the last was 3 days ago
        41     | 5                | recommendation | 41 orders tell their taste; the last was 5 days ago
        41     | 2.9              | -              | -
        0      | -                | -              | -
    """,  # noqa: E501
}


@pytest.mark.parametrize(
    ("trigger", "row"),
    [(name, row) for name, spec in SPECS.items() for row in drawn(spec)],
    ids=str,
)
def test_when_an_email_applies(trigger, row):
    differs = {name: value for name, value in row.items() if name not in ("email", "because")}
    decision = decision_for(**differs)
    assert decision["email"] == row["email"]
    told = reasons_of(decision)
    assert told.get("applies") == row["because"]
    assert ("nothing_applies" in told) == (row["email"] is None)


def test_every_trigger_is_drawn_and_used_by_an_email():
    assert set(SPECS) == set(TRIGGERS) == {email.trigger for email in SHOP.emails.values()}


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
