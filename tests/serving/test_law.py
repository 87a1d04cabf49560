"""Whose law holds for whom, and what it prints into a mail."""

from __future__ import annotations

import polars as pl
import pytest
from pydantic import ValidationError

from features.tables import CUSTOMERS
from serving.answer import answer
from serving.conditions import NO_CONDITIONS
from serving.guardrail_settings import LawSettings
from serving.knowledge import Knowledge
from serving.law import LAWS, with_law
from serving.models import NO_MODELS
from serving.valuation import OWN
from tests.serving.drawn import drawn, moment
from tests.serving.histories import FEATURES, NO_MAIL, history, requests, shelf
from tests.serving.shop import NOW, shop

LAW = LawSettings(default_country="US", silence_ends_consent=True)
WHOSE = """
    country | legal
    KR      | KR
    kr      | KR
    KOR     | KR
    DE      | EU
    GB      | EU
    NO      | EU
    US      | US
    CA      | CA
    JP      | JP
    BR      | other
    -       | US
    Korea   | unreadable
    KO      | unreadable
    XX      | unreadable
    ZZ      | unreadable
    EN      | unreadable
    대한민국    | unreadable
"""


@pytest.mark.parametrize("row", drawn(WHOSE), ids=str)
def test_whose_law_holds(row):
    country = "NO" if row["country"] is False else row["country"]
    asked = pl.DataFrame(
        {"country": [country], "consent_confirmed_at": [NOW], "as_of": [NOW]},
        schema_overrides={"country": pl.String},
    )
    assert with_law(asked, LAW)["legal"].item() == row["legal"]


def test_the_default_country_is_a_country():
    with pytest.raises(ValidationError, match="two capital letters of ISO 3166"):
        LawSettings(default_country="KO", silence_ends_consent=True)


def test_the_statutory_night_of_korea_exempts_email_alone():
    nights = {channel: law.night_consent for (whose, channel), law in LAWS.items() if whose == "KR"}
    assert nights == {"email": False, "sms": True, "push": True, "kakao": True}
    assert not any(law.night_consent for (whose, _), law in LAWS.items() if whose != "KR")


def test_korea_as_its_act_has_it():
    law = LAWS["KR", "email"]
    assert (law.confirm_years, law.notice_days, law.subject_prefix) == (2, 14, "(광고)")


def slots(country, mail_class):
    """The slots of a cart reminder to somebody in this country."""
    text = """
        ann | consent  | 2025-01-01T00:00 | granted
        ann | cart_add | 2026-03-03T14:00 | soap
    """
    person = {
        "customer_id": ["ann"], "known_at": [moment("2024-01-01T00:00")],
        "country": [country], "timezone": ["America/New_York"],
    }  # fmt: skip
    known = Knowledge(
        history(text), CUSTOMERS.shape(pl.DataFrame(person)), shelf(), NO_MAIL, NO_CONDITIONS, {}
    )
    settings = shop({}, {"cart_reminder": {"mail_class": mail_class}})
    got = answer(
        requests("ann"), known, NO_MODELS, settings=settings, feature_settings=FEATURES,
        valuation=OWN,
    )  # fmt: skip
    assert got["action"].item() == "send"
    told = got["slots"].item()
    return told["subject_prefix"], told["list_unsubscribe"], told["legal"]


PRINTED = [
    ("KR", "marketing", ("(광고)", True, "KR")),
    ("KR", "service", (None, False, "KR")),
    ("KR", "transactional", (None, False, "KR")),
    ("DE", "marketing", (None, True, "EU")),
    ("US", "marketing", (None, True, "US")),
    ("Korea", "marketing", (None, True, "unreadable")),
]


@pytest.mark.parametrize(("country", "mail_class", "printed"), PRINTED, ids=str)
def test_what_the_law_prints_into_a_mail(country, mail_class, printed):
    assert slots(country, mail_class) == printed


def test_confirming_anew_lets_marketing_go_on():
    """A consent of three years ago; it was confirmed last year, or was not."""
    old = "    ann | consent | 2023-01-01T00:00 | granted\n"
    cart = "    ann | cart_add | 2026-03-03T14:00 | soap\n"
    confirmed = "    ann | consent | 2025-01-01T00:00 | reconfirmed\n"
    person = pl.DataFrame(
        {"customer_id": ["ann"], "known_at": [moment("2020-01-01T00:00")], "country": ["KR"]}
    )

    def first_code(text):
        known = Knowledge(
            history(text), CUSTOMERS.shape(person), shelf(), NO_MAIL, NO_CONDITIONS, {}
        )
        got = answer(
            requests("ann"), known, NO_MODELS, settings=shop({}, {}), feature_settings=FEATURES,
            valuation=OWN,
        )  # fmt: skip
        return got["because"].item()[0]["code"]

    assert first_code(old + cart) == "consent_expired"
    assert first_code(old + confirmed + cart) == "applies"
