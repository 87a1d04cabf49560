"""Browse reminder: one product looked at again and again, and not bought."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shown

PARAMETERS = {"views": 3, "within_days": 2}
CUSTOMERS = """
    most_views_7d | days_since_view | because                                                             | worth_for
    3             | 0.5             | they looked at one product 3 times within 7 days and did not buy it | 60
    5             | 2               | they looked at one product 5 times within 7 days and did not buy it | 24
    2             | 0.5             | -                                                                   | -
    3             | 2.1             | -                                                                   | -
    0             | -               | -                                                                   | -
"""  # noqa: E501


def test_whom_it_is_for_and_what_is_said():
    check("browse_reminder", PARAMETERS, CUSTOMERS, deadline_hours=72)


def test_it_shows_what_they_looked_at_most_often_first():
    past = """
        ann | view | 2026-03-02T10:00 | soap
        ann | view | 2026-03-02T11:00 | milk
        ann | view | 2026-03-02T12:00 | milk
        ann | view | 2026-03-02T13:00 | bun
        ann | order | 2026-03-02T14:00 | bun | 3
        ann | view | 2026-03-02T15:00 | cheese
    """
    assert shown("browse_reminder", PARAMETERS, past) == ["milk", "soap"]
