"""What the law asks of mail that wants to sell, by jurisdiction and channel. Not legal advice.

A table, so that it can be read, printed and argued about. What a merchant chooses (quiet hours,
caps) is policy and stands elsewhere: the statutory night of Korea does not hold for e-mail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

import polars as pl

from serving.countries import COUNTRIES
from serving.frequency import CLOSED
from serving.guardrail_settings import MARKETING, LawSettings
from serving.tables import UTC

EMAIL: Final = "email"
Channel = Literal["email", "sms", "push", "kakao"]


@dataclass(frozen=True)
class Law:
    """What holds for marketing in one jurisdiction through one channel.

    Whatever the law would allow without it, Onje wants consent everywhere: unknown is no.
    `objection` is how an objection acts. `confirm_years`: so often consent has to be confirmed
    anew, on the calendar of `zone`. `notice_days`: within so many days somebody is told what became
    of their consent, refusal or withdrawal. `night_consent`: between 21:00 and 8:00 a consent of
    its own is needed. `subject_prefix` begins the subject. `list_unsubscribe`: the headers of
    RFC 8058. `sources` say where it stands.
    """

    jurisdiction: str
    channel: Channel
    objection: str
    sources: str
    confirm_years: int | None = field(kw_only=True)
    notice_days: int | None = field(kw_only=True)
    night_consent: bool = field(kw_only=True)
    subject_prefix: str = field(kw_only=True)
    list_unsubscribe: bool = field(kw_only=True)
    zone: str = field(kw_only=True)


# The Act on Promotion of Information and Communications Network Utilization and Information
# Protection (정보통신망법, in force 2026-10-02) and its decree: 50(1) consent beforehand, 50(2)
# nothing after refusal, 50(3) a consent of its own at night, but decree 61(2) exempts electronic
# mail, 50(4) and decree 61(3) with appendix 6 the "(광고)" and who sends, 50(7) and decree 62-2
# the notice within 14 days, 50(8) and decree 62-3 the confirmation every 2 years.
_KR = "Network Act 50(1)-(4), (7), (8); decree 61(2) and (3), 62-2, 62-3"


def _korea(channel: Channel, *, night_consent: bool) -> Law:
    return Law(
        "KR",
        channel,
        "final until a new consent; what became of it is told",
        _KR,
        confirm_years=2,
        notice_days=14,
        night_consent=night_consent,
        subject_prefix="(광고)",
        list_unsubscribe=channel == EMAIL,
        zone="Asia/Seoul",
    )


def _elsewhere(jurisdiction: str, objection: str, sources: str) -> Law:
    """E-mail where consent does not run out and no prefix is prescribed."""
    return Law(
        jurisdiction,
        EMAIL,
        objection,
        sources,
        confirm_years=None,
        notice_days=None,
        night_consent=False,
        subject_prefix="",
        list_unsubscribe=True,
        zone="UTC",
    )


# Gmail and Yahoo (2024-02) and Microsoft (2025-05) want RFC 8058 of every large sender, so it is
# asked of all marketing by e-mail, whatever the law says.
_ROWS = (
    _korea("email", night_consent=False),
    _korea("sms", night_consent=True),
    _korea("push", night_consent=True),
    _korea("kakao", night_consent=True),
    _elsewhere(
        "EU",
        "absolute and at once, profiling included",
        "GDPR 6, 7(3), 21(2)-(3); ePrivacy Directive 13",
    ),
    _elsewhere(
        "US",
        "within 10 business days by law, at once by Onje",
        "CAN-SPAM, 15 U.S.C. 7704(a); 16 CFR 316",
    ),
    _elsewhere("CA", "within 10 business days by law, at once by Onje", "CASL 6, 10, 11"),
    _elsewhere("JP", "at once", "Act on Regulation of Transmission of Specified E-Mail 3"),
    _elsewhere("other", "at once", "none encoded: consent, objection and RFC 8058 as elsewhere"),
    # A country that cannot be read may be any: what is asked anywhere is asked.
    Law(
        "unreadable",
        "email",
        "absolute and at once",
        "the strictest of the others, but for the prefix",
        confirm_years=2,
        notice_days=14,
        night_consent=False,
        subject_prefix="",
        list_unsubscribe=True,
        zone="UTC",
    ),
)
LAWS: Mapping[tuple[str, str], Law] = {(law.jurisdiction, law.channel): law for law in _ROWS}

# Members of the EU and the EEA, and the United Kingdom and Switzerland, whose laws are alike.
_EU = (
    "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "EL", "HU", "IE", "IT",
    "LV", "LT", "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE", "IS", "LI", "NO", "GB",
    "UK", "CH",
)  # fmt: skip
JURISDICTIONS: Mapping[str, str] = {
    **dict.fromkeys(_EU, "EU"),
    **{country: country for country in ("KR", "US", "CA", "JP")},
    **{"KOR": "KR", "USA": "US", "CAN": "CA", "JPN": "JP"},
}
UNREADABLE: Final = "unreadable"


def jurisdiction_of(country: pl.Expr) -> pl.Expr:
    """Whose law holds in a country, as anybody may have written it; null where it is null."""
    code = country.str.strip_chars().str.to_uppercase()
    return pl.coalesce(
        code.replace_strict(JURISDICTIONS, default=None, return_dtype=pl.String),
        pl.when(code.is_in(list(COUNTRIES))).then(pl.lit("other")),
        pl.when(code.is_not_null()).then(pl.lit(UNREADABLE)),
    )


def with_law(questions: pl.DataFrame, settings: LawSettings) -> pl.DataFrame:
    """Add `legal`, the jurisdiction of `country`, `notice_days`, within how many days somebody is
    told what became of their consent, and `consent_ends`, null where there is no such thing.

    Consent has to be confirmed before the day on which it is so many years old, by the calendar
    there; where it is not known when it was given or confirmed, that day has come.
    """
    said = questions.get_column("country").to_list()
    legal = [_law_of(settings.default_country if name is None else name) for name in said]
    notice = [_NOTICE_DAYS.get(name) for name in legal]
    told = questions.hstack(
        [pl.Series("legal", legal, pl.String), pl.Series("notice_days", notice, pl.Int64)]
    )
    if not settings.silence_ends_consent:
        never = pl.Series("consent_ends", [None], UTC).new_from_index(0, questions.height)
        return told.hstack([never])
    return told.with_columns(consent_ends=_CONSENT_ENDS)


_NOTICE_DAYS = {
    law.jurisdiction: law.notice_days for law in _ROWS if law.channel == EMAIL and law.notice_days
}


@lru_cache(maxsize=4096)
def _law_of(country: str) -> str:
    found: str = pl.select(jurisdiction_of(pl.lit(country))).item()
    return found


def _consent_ends() -> pl.Expr:
    ends = pl.lit(None, UTC)
    for law in _ROWS:
        if law.channel == EMAIL and law.confirm_years:
            day = pl.col("consent_confirmed_at").dt.convert_time_zone(law.zone).dt.truncate("1d")
            last = day.dt.offset_by(f"{law.confirm_years}y").dt.convert_time_zone("UTC")
            holds = pl.col("legal") == law.jurisdiction
            ends = pl.when(holds).then(pl.coalesce(last, pl.col("as_of"))).otherwise(ends)
    return ends


_CONSENT_ENDS = _consent_ends()


def expiries(questions: pl.DataFrame) -> pl.DataFrame:
    """From when on marketing is shut to a person, columns of serving.frequency.CLOSED.

    For consent that has to be confirmed before then; `questions` went through with_law.
    """
    if questions.get_column("consent_ends").null_count() == questions.height:
        return CLOSED.to_frame()
    running_out = questions.filter(pl.col("consent_ends").is_not_null()).unique(
        "person", keep="first", maintain_order=True
    )
    day = pl.col("consent_ends").dt.strftime("%Y-%m-%d")
    return running_out.select(
        "person",
        forbids=pl.lit(None, pl.String),
        of_class=pl.lit(MARKETING),
        code=pl.lit("consent_expired"),
        text=pl.when(pl.col("consent_confirmed_at").is_null())
        .then(pl.lit("nobody knows when they last agreed to e-mail, and the law asks"))
        .otherwise(
            pl.format("their consent had to be confirmed before {} (law of {})", day, "legal")
        ),
        closed_from=pl.col("consent_ends") - pl.duration(microseconds=1),
        closed_until=pl.datetime(9999, 1, 1, time_zone="UTC", time_unit="us"),
    ).cast(CLOSED)


def mail_law(legal: pl.Expr, mail_class: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """What the law prints into an e-mail: the subject's prefix (null = none), RFC 8058."""
    is_marketing = mail_class == MARKETING
    prefixes = {law.jurisdiction: law.subject_prefix for law in _ROWS if law.channel == EMAIL}
    prefix = legal.replace_strict(prefixes, default="", return_dtype=pl.String)
    wants = [law.jurisdiction for law in _ROWS if law.channel == EMAIL and law.list_unsubscribe]
    return (
        pl.when(is_marketing & (prefix != "")).then(prefix),
        is_marketing & legal.is_in(wants),
    )
