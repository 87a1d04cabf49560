"""Social proof: they came by and have not ordered; what do others say?"""

from __future__ import annotations

from tests.spec.triggers.spec import check, shows_what_they_are_likeliest_to_order

PARAMETERS = {"visits": 1}
CUSTOMERS = """
    sessions_30d | orders | because                              | worth_for
    1            | 0      | 1 visit in 30 days and no order yet  | 48
    3            | 0      | 3 visits in 30 days and no order yet | 48
    0            | 0      | -                                    | -
    3            | 1      | -                                    | -
"""


def test_whom_it_is_for_and_what_is_said():
    check("social_proof", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_what_it_shows():
    assert shows_what_they_are_likeliest_to_order("social_proof")
