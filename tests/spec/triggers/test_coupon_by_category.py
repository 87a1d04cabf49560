"""Coupon by category: not bought in the favourite category for a while."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shown

PARAMETERS = {"silent_days": 21, "share": 0.1}
CUSTOMERS = """
    favourite_category | favourite_category_share | days_since_favourite | because                                                                         | worth_for
    BAKERY > BREAD     | 0.4                      | 21                   | BAKERY > BREAD is 40 % of what they buy, and they last bought there 21 days ago | 48
    BAKERY > BREAD     | 0.4                      | 20                   | -                                                                               | -
    BAKERY > BREAD     | 0.09                     | 30                   | -                                                                               | -
    -                  | -                        | -                    | -                                                                               | -
"""  # noqa: E501


def test_whom_it_is_for_and_what_is_said():
    check("coupon_by_category", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_it_shows_the_likeliest_of_that_category():
    past = """
        ann | order | 2026-02-01T10:00 | bread | 5
        ann | order | 2026-02-02T10:00 | bread | 5
        ann | order | 2026-02-03T10:00 | soap | 5
    """
    assert shown("coupon_by_category", PARAMETERS, past) == ["bread", "bun"]
