"""Replenishment: they order in a rhythm, and the next order is due."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shown

PARAMETERS = {"orders": 3, "from_share": 1.0, "until_share": 3.0}
CUSTOMERS = """
    orders | order_gap_days_mean | days_since_order | silence_ratio | because                                   | worth_for
    3      | 9                   | 11               | 1.22          | their usual 9-day cycle is 2 days overdue | 48
    3      | 9                   | 10               | 1.11          | their usual 9-day cycle is 1 day overdue  | 48
    3      | 9                   | 9                | 1.0           | their usual 9-day cycle ends about now    | 48
    3      | 2.5                 | 2.4              | 0.96          | -                                         | -
    3      | 0.7                 | 2.2              | 3.14          | -                                         | -
    2      | 2                   | 2.5              | 1.25          | -                                         | -
"""  # noqa: E501


def test_whom_it_is_for_and_what_is_said():
    check("replenishment", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_it_shows_what_they_order_again_and_again_and_is_due():
    past = """
        ann | order | 2026-02-10T10:00 | milk | 5
        ann | order | 2026-02-15T10:00 | milk | 5
        ann | order | 2026-02-20T10:00 | milk | 5
        ann | order | 2026-02-20T11:00 | soap | 5
    """
    assert shown("replenishment", PARAMETERS, past) == ["milk"]
