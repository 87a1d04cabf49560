"""Price drop: what they looked at costs less now."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shown

PARAMETERS = {"share": 0.1}
CUSTOMERS = """
    price_drop | price_seen | price_now | price_seen_days | because                                                                         | worth_for
    0.25       | 20         | 15        | 3.2             | a product they looked at 3 days ago for 20.00 costs 15.00 now, 25 % less        | 48
    0.1        | 9.5        | 8.55      | 0.5             | a product they looked at less than a day ago for 9.50 costs 8.55 now, 10 % less | 48
    0.09       | 10         | 9.1       | 1               | -                                                                               | -
    -          | -          | -         | -               | -                                                                               | -
"""  # noqa: E501


def test_whom_it_is_for_and_what_is_said():
    check("price_drop", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_it_shows_what_became_cheaper_the_biggest_drop_first():
    past = """
        ann | view | 2026-03-01T10:00 | soap | 4
        ann | cart_add | 2026-03-01T11:00 | milk | 10
        ann | view | 2026-03-01T12:00 | bun | 3
        ann | view | 2026-03-01T13:00 | bread
    """
    on_shelf = """
        product_id | category | available | released_at | price | currency
        soap | HOME > CARE | yes | - | 3 | USD
        milk | DAIRY > MILK | yes | - | 5 | USD
        bun | BAKERY > BREAD | yes | - | 3 | USD
        bread | BAKERY > BREAD | yes | - | 1 | USD
    """
    assert shown("price_drop", PARAMETERS, past, on_shelf=on_shelf) == ["milk", "soap"]


def test_a_price_in_another_currency_says_nothing():
    past = """
        ann | view | 2026-03-01T10:00 | soap | 4
    """
    on_shelf = """
        product_id | category | available | released_at | price | currency
        soap | HOME > CARE | yes | - | 3 | EUR
    """
    assert shown("price_drop", PARAMETERS, past, on_shelf=on_shelf) == []
