"""Win-back: dormant by time, by behaviour and by what is predicted."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shows_what_they_are_likeliest_to_order

PARAMETERS = {
    "at_risk_days": 60,
    "deaf_days": 30,
    "silent_days": 90,
    "within_30d": 0.5,
    "churn": 0.5,
}
CUSTOMERS = """
    days_since_order | unanswered_days | unanswered_mails | dormant_within_30d | churn | because                                                                                            | worth_for
    90               | -               | 0                | 0.8                | 0.83  | no order for 90 days; the chance that they have left is 83 %                                       | 48
    60               | 30              | 4                | 0.8                | 0.83  | no order for 60 days and no answer to 4 e-mails in 30 days; the chance that they have left is 83 % | 48
    60               | 29              | 4                | 0.8                | 0.83  | -                                                                                                  | -
    59               | 40              | 4                | 0.8                | 0.83  | -                                                                                                  | -
    90               | -               | 0                | 0.4                | 0.83  | -                                                                                                  | -
    90               | -               | 0                | 0.8                | 0.49  | -                                                                                                  | -
    100              | -               | 0                | -                  | -     | no order for 100 days                                                                              | 48
    -                | 90              | 9                | -                  | -     | -                                                                                                  | -
"""  # noqa: E501


def test_whom_it_is_for_and_what_is_said():
    check("win_back", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_what_it_shows():
    assert shows_what_they_are_likeliest_to_order("win_back")
