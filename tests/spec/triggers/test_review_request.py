"""Review request: an order has had time to arrive and has no review yet."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shown

PARAMETERS = {"after_days": 5, "before_days": 21}
CUSTOMERS = """
    unreviewed_order_days | days_since_order | because                                      | worth_for
    4.9                   | 2                | -                                            | -
    5                     | 2                | their order of 5 days ago has no review yet  | 48
    21                    | 2                | their order of 21 days ago has no review yet | 48
    22                    | 2                | -                                            | -
    -                     | 2                | -                                            | -
"""  # noqa: E501


def test_whom_it_is_for_and_what_is_said():
    check("review_request", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_it_shows_what_the_newest_order_held():
    past = """
        ann | order | 2026-02-20T10:00 | soap | 5
        ann | order | 2026-02-01T10:00 | milk | 5
    """
    assert shown("review_request", PARAMETERS, past) == ["soap"]
