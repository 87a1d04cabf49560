"""Usage tips: what they ordered has arrived and is being tried out."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shown

PARAMETERS = {"after_days": 3, "before_days": 10}
CUSTOMERS = """
    days_since_order | because                                          | worth_for
    2.9              | -                                                | -
    3                | what they ordered 3 days ago is being tried out  | 48
    10               | what they ordered 10 days ago is being tried out | 48
    10.1             | -                                                | -
    -                | -                                                | -
"""


def test_whom_it_is_for_and_what_is_said():
    check("usage_tips", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_it_shows_what_they_bought():
    past = """
        ann | order | 2026-02-27T10:00 | soap | 5
        ann | order | 2026-02-01T10:00 | milk | 5
    """
    assert shown("usage_tips", PARAMETERS, past) == ["soap"]
