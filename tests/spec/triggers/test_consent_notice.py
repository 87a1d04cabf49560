"""Consent notice: what they said of e-mail is confirmed to them, where the law asks for that."""

from __future__ import annotations

from datetime import timedelta

import pytest

from serving.candidates import candidates_of
from tests.serving.drawn import drawn
from tests.serving.shop import NOW, arm_of, customer, decision_for, questions_about, reasons_of
from tests.spec.triggers.spec import only, shows_what_they_are_likeliest_to_order, whom

PARAMETERS = {"within_days": 14}
DAY = timedelta(days=1)
# So many days ago they agreed, said no, unsubscribed; "because" is how the sentence begins.
SAID = """
    country | agreed | refused | left | because
    KR      | 3      | -       | -    | they agreed to e-mail 3 days ago, and the law of KR
    KR      | 14     | -       | -    | they agreed to e-mail 14 days ago
    KR      | 15     | -       | -    | -
    KR      | -      | 2       | -    | they said no to e-mail 2 days ago
    KR      | 400    | -       | 1    | they unsubscribed 1 day ago
    KR      | 400    | -       | 20   | -
    KR      | 2      | -       | 9    | they agreed to e-mail 2 days ago
    KR      | -      | -       | -    | -
    US      | 3      | -       | -    | -
    DE      | -      | 2       | -    | -
"""
CUSTOMERS = """
    country | email_consent
    KR      | granted
    US      | granted
"""


def said(row):
    """What is known of a customer of a row of SAID."""
    ago = {name: row[name] and NOW - row[name] * DAY for name in ("agreed", "refused", "left")}
    consent = "granted" if ago["agreed"] else "denied" if ago["refused"] else "unknown"
    return {
        "country": row["country"], "email_consent": consent,
        "consent_since": ago["agreed"] or ago["refused"],
        "consent_confirmed_at": ago["agreed"],
        "suppressed_by": "unsubscribe" if ago["left"] else None, "suppressed_at": ago["left"],
    }  # fmt: skip


@pytest.mark.parametrize("row", drawn(SAID), ids=str)
def test_whom_it_is_for_and_what_is_said(row):
    settings = only("consent_notice", PARAMETERS, 336)
    questions = questions_about([customer(**said(row))], settings)
    [arm] = candidates_of(questions, settings).iter_rows(named=True)
    assert arm["applies"] == (row["because"] is not None)
    assert not row["because"] or arm["reason"].startswith(row["because"])


def ships():
    """The shop whose only e-mail it is, owed as it ships: not asked what it brings."""
    settings = only("consent_notice", PARAMETERS, 336)
    email = settings.emails["consent_notice"].model_copy(
        update={"mail_class": "transactional", "products": 0, "repeat_days": 14, "at_once": True}
    )
    return settings.model_copy(update={"emails": {"consent_notice": email}})


def notice(row, mails=()):
    return decision_for(ships(), mails=list(mails), **said(row))


LEFT = {"country": "KR", "agreed": 400, "refused": None, "left": 1}


def test_who_just_withdrew_is_told_and_told_once():
    sent = notice(LEFT)
    assert (sent["action"], sent["email"]) == ("send", "consent_notice"), reasons_of(sent)
    before = notice(LEFT, [("consent_notice", NOW - 3 * DAY)])  # of something they said before
    assert before["action"] == "send", reasons_of(before)
    since = notice(LEFT, [("consent_notice", NOW - 0.5 * DAY)])
    assert since["action"] == "wait"
    assert "repeat" in {one["code"] for one in arm_of(since, "consent_notice")["forbidden_by"]}


def test_who_cannot_be_reached_or_was_erased_is_not_told():
    for suppressed_by in ("bounce", "erase"):
        told = decision_for(ships(), **{**said(LEFT), "suppressed_by": suppressed_by})
        assert told["action"] == "wait"


def test_a_parameter_changes_for_whom_it_is():
    assert whom("consent_notice", {"within_days": 1e9}, CUSTOMERS) == [True, False]


def test_what_it_shows():
    assert shows_what_they_are_likeliest_to_order("consent_notice")
