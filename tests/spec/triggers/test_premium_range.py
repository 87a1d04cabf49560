"""Premium range: they spend much, and have a favourite category."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shown

PARAMETERS = {"spend_365d": 1500, "basket_value": 60}
CUSTOMERS = """
    spend_365d | basket_value | favourite_category | because                                                    | worth_for
    2000       | 75           | DAIRY > MILK       | they spend 75.00 an order, and most often buy DAIRY > MILK | 48
    1499       | 75           | DAIRY > MILK       | -                                                          | -
    2000       | 59           | DAIRY > MILK       | -                                                          | -
    2000       | 75           | -                  | -                                                          | -
"""  # noqa: E501


def test_whom_it_is_for_and_what_is_said():
    check("premium_range", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_it_shows_the_dearest_quarter_of_their_favourite_category():
    past = """
        ann | order | 2026-01-02T10:00 | cheap | 5
    """
    on_shelf = """
        product_id | category | available | released_at | price | currency
        cheap | DAIRY > MILK | yes | - | 1 | USD
        usual | DAIRY > MILK | yes | - | 2 | USD
        good | DAIRY > MILK | yes | - | 3 | USD
        better | DAIRY > MILK | yes | - | 4 | USD
        silver | DAIRY > MILK | yes | - | 8 | USD
        gold | DAIRY > MILK | yes | - | 9 | USD
        other | HOME > CARE | yes | - | 99 | USD
        euro | DAIRY > MILK | yes | - | 99 | EUR
    """
    assert shown("premium_range", PARAMETERS, past, on_shelf=on_shelf) == ["gold", "silver"]
