"""When a customer may be mailed."""

from __future__ import annotations

import pytest

from features.permissions import permissions_as_of
from tests.features.text import history, spine, when

GRANTED = ("granted", None)


@pytest.mark.parametrize(
    ("drawn", "as_of", "expected"),
    [
        ("", "2024-05-01", ("unknown", None)),
        ("ann | 2024-01-01 | consent | reason=granted", "2024-05-01", GRANTED),
        ("ann | 2024-01-01 | consent | reason=reconfirmed", "2024-05-01", GRANTED),
        ("ann | 2024-01-01 | consent | reason=granted", "2024-01-01", GRANTED),
        ("ann | 2024-01-01 | consent | reason=granted", "2023-12-31", ("unknown", None)),
        # A consent to push messages is none to e-mail; a refusal on a web page is one.
        (
            "ann | 2024-01-01 | consent | reason=granted | channel=push",
            "2024-05-01",
            ("unknown", None),
        ),
        (
            "ann | 2024-01-01 | consent | reason=denied | channel=web",
            "2024-05-01",
            ("denied", None),
        ),
        (
            "ann | 2024-01-01 | consent | reason=denied | channel=sms",
            "2024-05-01",
            ("unknown", None),
        ),
        ("ann | 2024-01-01 | bounce | reason=hard", "2024-05-01", ("unknown", "bounce")),
        ("ann | 2024-01-01 | bounce | reason=soft", "2024-05-01", ("unknown", None)),
        ("ann | 2024-01-01 | complaint", "2024-05-01", ("unknown", "complaint")),
        ("ann | 2024-01-01 | erase", "2024-05-01", ("unknown", "erase")),
    ],
)
def test_one_act(drawn: str, as_of: str, expected: tuple[str, str | None]) -> None:
    assert _told(drawn or "bob | 2024-01-01 | erase", as_of) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("consent | reason=granted", "consent | reason=denied", ("denied", None)),
        ("consent | reason=denied", "consent | reason=granted", GRANTED),
        ("consent | reason=granted", "unsubscribe", ("granted", "unsubscribe")),
        ("unsubscribe", "consent | reason=granted", GRANTED),
        ("complaint", "consent | reason=granted", ("granted", "complaint")),
        ("bounce | reason=hard", "consent | reason=granted", ("granted", "bounce")),
        ("erase", "consent | reason=granted", ("granted", "erase")),
        ("unsubscribe", "complaint", ("unknown", "complaint")),
    ],
)
def test_one_act_after_another(first: str, second: str, expected: tuple[str, str | None]) -> None:
    told = f"ann | 2024-01-01 | {first}\nann | 2024-01-02 | {second}"
    assert _told(told, "2024-05-01") == expected


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("forbids", ["consent | reason=denied", "unsubscribe"])
def test_ties_forbid(forbids: str, order: tuple[int, int]) -> None:
    acts = [f"ann | 2024-01-01 | {forbids}", "ann | 2024-01-01 | consent | reason=granted"]
    assert _told("\n".join(acts[i] for i in order), "2024-05-01") != GRANTED


@pytest.mark.parametrize("forbids", ["consent | reason=denied", "unsubscribe"])
def test_what_is_told_at_once_forbids_whatever_came_last(forbids: str) -> None:
    told = f"""
        ann | 2024-01-01 | {forbids} | known_at=2024-01-05
        ann | 2024-01-02 | consent | reason=granted | known_at=2024-01-05
    """
    assert _told(told, "2024-05-01") != GRANTED


def test_an_old_consent_told_again_lifts_nothing() -> None:
    told = """
        ann | 2024-01-02 | unsubscribe
        ann | 2024-01-01 | consent | reason=granted | known_at=2024-01-03
    """
    assert _told(told, "2024-05-01") == ("granted", "unsubscribe")
    refused = told.replace("unsubscribe", "consent | reason=denied")
    assert _told(refused, "2024-05-01") == ("denied", None)


def test_an_act_counts_from_the_moment_it_is_known() -> None:
    told = """
        ann | 2024-01-01 | consent | reason=granted
        ann | 2024-01-02 | unsubscribe | known_at=2024-01-05
    """
    assert _told(told, "2024-01-04") == GRANTED
    assert _told(told, "2024-01-05") == ("granted", "unsubscribe")


def test_since_when() -> None:
    told = history("""
        ann | 2024-01-01 | consent | reason=granted
        ann | 2024-01-02 | consent | reason=reconfirmed
        ann | 2024-01-03 | unsubscribe
        ann | 2024-01-04 | complaint
    """)
    row = permissions_as_of(told, spine(("ann", "2024-05-01"))).row(0, named=True)
    assert row["consent_since"] == when("2024-01-01")
    assert row["suppressed_at"] == when("2024-01-04")  # of the complaint, which weighs more


@pytest.mark.parametrize(
    ("as_of", "confirmed"),
    [("2023-06-01", "2023-01-01"), ("2024-01-02", "2024-01-02"), ("2024-02-02", None)],
)
def test_since_when_consent_is_confirmed(as_of: str, confirmed: str | None) -> None:
    """The newest confirmation that counts; a refusal undoes those before it."""
    told = history("""
        ann | 2023-01-01 | consent | reason=granted
        ann | 2024-01-02 | consent | reason=reconfirmed
        ann | 2024-02-01 | consent | reason=denied
    """)
    row = permissions_as_of(told, spine(("ann", as_of))).row(0, named=True)
    assert row["consent_confirmed_at"] == (confirmed and when(confirmed))


def test_a_hard_bounce_weighs_more_than_a_complaint() -> None:
    """What is owed may go to somebody who complained, but not where mail does not arrive."""
    told = """
        ann | 2024-01-01 | complaint
        ann | 2024-01-02 | bounce | reason=hard
    """
    assert _told(told, "2024-05-01") == ("unknown", "bounce")


def _told(drawn: str, as_of: str) -> tuple[str, str | None]:
    row = permissions_as_of(history(drawn), spine(("ann", as_of))).row(0, named=True)
    return row["email_consent"], row["suppressed_by"]
