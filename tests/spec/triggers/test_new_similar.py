"""New and similar: something new where they look."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shown

PARAMETERS = {"within_days": 21}
CUSTOMERS = """
    new_viewed_days | viewed_category_30d | because                                                             | worth_for
    2.5             | DAIRY > MILK        | they look at DAIRY > MILK, where something new came out 2 days ago  | 48
    21              | DAIRY > MILK        | they look at DAIRY > MILK, where something new came out 21 days ago | 48
    22              | DAIRY > MILK        | -                                                                   | -
    -               | DAIRY > MILK        | -                                                                   | -
"""  # noqa: E501


def test_whom_it_is_for_and_what_is_said():
    check("new_similar", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_it_shows_what_is_new_there_the_newest_first():
    past = """
        ann | view | 2026-03-02T10:00 | oldie
    """
    on_shelf = """
        product_id | category | available | released_at
        oldie | DAIRY > MILK | yes | 2024-01-01T00:00
        fresh | DAIRY > MILK | yes | 2026-02-20T00:00
        newest | DAIRY > MILK > SOUR | yes | 2026-03-01T00:00
        coming | DAIRY > MILK | yes | 2026-04-01T00:00
        soldout | DAIRY > MILK | no | 2026-03-01T00:00
        soap | HOME > CARE | yes | 2026-03-01T00:00
    """
    assert shown("new_similar", PARAMETERS, past, on_shelf=on_shelf) == ["newest", "fresh"]
