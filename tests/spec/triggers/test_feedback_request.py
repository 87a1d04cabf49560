"""Feedback request: they used to order and have stayed away."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shown

PARAMETERS = {"silent_days": 45, "before_days": 180, "survey_days": 180}
CUSTOMERS = """
    days_since_order | orders | days_since_survey | because                              | worth_for
    45               | 3      | -                 | no order for 45 days, after 3 orders | 48
    180              | 1      | 200               | no order for 180 days, after 1 order | 48
    44               | 3      | -                 | -                                    | -
    181              | 3      | -                 | -                                    | -
    50               | 3      | 100               | -                                    | -
    -                | 0      | -                 | -                                    | -
"""


def test_whom_it_is_for_and_what_is_said():
    check("feedback_request", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_it_shows_what_they_last_bought():
    past = """
        ann | order | 2026-01-02T10:00 | soap | 5
    """
    assert shown("feedback_request", PARAMETERS, past) == ["soap"]
