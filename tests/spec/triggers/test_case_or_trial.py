"""A case, or a trial: they look closely at one kind of product."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shown

PARAMETERS = {"views": 2, "seconds": 120}
CUSTOMERS = """
    views_7d | dwell_s_30d | viewed_category_30d | because                                             | worth_for
    4        | 300         | DAIRY > MILK        | 4 views within 7 days, most of them in DAIRY > MILK | 48
    1        | 300         | DAIRY > MILK        | -                                                   | -
    4        | 60          | DAIRY > MILK        | -                                                   | -
    4        | 300         | -                   | -                                                   | -
"""  # noqa: E501


def test_whom_it_is_for_and_what_is_said():
    check("case_or_trial", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_it_shows_what_they_look_at():
    past = """
        ann | view | 2026-03-02T10:00 | soap
    """
    assert shown("case_or_trial", PARAMETERS, past) == ["soap"]
