"""Comparison: they look at several products and have not decided."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shown

PARAMETERS = {"products": 3}
CUSTOMERS = """
    unbought_views_7d | because                                                      | worth_for
    3                 | they looked at 3 products within 7 days and have not decided | 48
    2                 | -                                                            | -
    0                 | -                                                            | -
"""


def test_whom_it_is_for_and_what_is_said():
    check("comparison", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_it_shows_what_they_look_at():
    past = """
        ann | view | 2026-03-02T10:00 | soap
        ann | view | 2026-03-02T11:00 | milk
    """
    assert shown("comparison", PARAMETERS, past) == ["milk", "soap"]
