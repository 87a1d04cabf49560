"""A small shop and a calm customer: a test names only what differs from them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import polars as pl

from features.catalog import CATALOG, TEXTS
from serving.access.settings import AccessSettings
from serving.candidates import candidates_of
from serving.conditions import NO_CONDITIONS, Conditions
from serving.email_defaults import with_email_defaults
from serving.fallback import default_hours
from serving.law import with_law
from serving.policy import Inputs, decide
from serving.segment_settings import with_own_segments
from serving.settings import ServiceSettings, ServingSettings
from serving.shelf_facts import SHELF_FACTS
from serving.tables import REQUESTS, UTC
from serving.triggers import Picks
from serving.valuation import OWN, Valuation
from tests.serving.drawn import moment

WRITTEN = with_email_defaults(
    tomllib.loads(Path(__file__).with_name("shop.toml").read_text("utf-8"))
)
NEW_YORK = "America/New_York"
# A Tuesday, 11:00 by the clock of New York.
NOW = moment("2026-03-03T16:00")
HOUR = timedelta(hours=1)

# Bought two days ago, in rhythm, agreed to e-mail: no e-mail of the shop applies.
CALM: Mapping[str, object] = {
    "email_consent": "granted", "consent_since": moment("2025-01-01T00:00"),
    "consent_confirmed_at": moment("2025-01-01T00:00"), "country": "US", "region": None,
    "suppressed_by": None, "suppressed_at": None,
    "sunset": False, "sunset_by": None, "sunset_email": None, "sunset_days": None,
    "timezone": NEW_YORK, "zone_known": True, "known_customer": True,
    "orders": 5.0, "days_since_order": 2.0, "order_gap_days_mean": 10.0, "silence_ratio": 0.2,
    "basket_value": 40.0, "spend_365d": 200.0, "sends_7d": 0.0,
    "churn": 0.5, "segment": "loyal", "stage": "after",
}  # fmt: skip
SHELF = ["mug", "pen", "cup", "bag", "hat", "tea", "jam"]


def shop(
    policy: Mapping[str, Any],
    emails: Mapping[str, Mapping[str, Any]],
    /,
    **others: Mapping[str, Any],
) -> ServingSettings:
    """The shop of shop.toml with these figures instead of its own; `others` are whole tables."""
    tables = {name: {**table, **emails.get(name, {})} for name, table in WRITTEN["emails"].items()}
    return ServingSettings(
        **{
            **WRITTEN,
            "experiments": {},
            "workflows": {},
            "policy": {**WRITTEN["policy"], **policy},
            "emails": tables,
            "service": ServiceSettings.model_construct(unsubscribe_url=""),
            "access": AccessSettings.model_construct(),
            **others,
        }
    )


def caps(**classes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The table `caps` of shop.toml with these figures instead of its own."""
    return {name: {**table, **classes.get(name, {})} for name, table in WRITTEN["caps"].items()}


SHOP = shop({}, {})


def customer(**differs: object) -> dict[str, object]:
    nothing = {feature.name: feature.when_no_history for feature in CATALOG}
    unknown = dict.fromkeys(
        (*SHELF_FACTS, "email_dormancy", "dormant_within_30d", "preferred_tone")
    )
    return {**nothing, **unknown, **CALM, **differs}


def curve(likely: Mapping[int, float]) -> pl.DataFrame:
    """48 hours of somebody who is there at these hours of any day, and else never.

    Half as much as the hours differ, beside the best of them, clicks differ from those at 10:00.
    """
    hours = default_hours(pl.DataFrame({"customer_id": ["ann"], "as_of": [NOW]}), 10, 0.2)
    there = hours.with_columns(
        probability=pl.col("hour").replace_strict(
            dict(likely), default=0.0, return_dtype=pl.Float64
        ),
        source=pl.lit("customer"),
    )
    gained = (pl.col("probability") - likely.get(10, 0.0)) / (2 * max(likely.values()))
    return there.with_columns(lift=1 + gained, lift_low=1 + gained / 2)


def questions_about(
    people: Sequence[Mapping[str, object]],
    settings: ServingSettings,
    *,
    now: datetime = NOW,
    asked: Mapping[str, object] | None = None,
    evidence: str | None = "clicks",
) -> pl.DataFrame:
    """One question about each of these customers, with all that is known of them."""
    numbers = {feature.name: pl.Float64 for feature in CATALOG if feature.name not in TEXTS}
    known = pl.DataFrame(
        people,
        schema_overrides={
            **numbers, **dict.fromkeys(TEXTS, pl.String), **SHELF_FACTS,
            "churn": pl.Float64, "email_dormancy": pl.Float64, "dormant_within_30d": pl.Float64,
            "preferred_tone": pl.String,
            "email_consent": pl.String, "consent_since": UTC, "suppressed_by": pl.String,
            "consent_confirmed_at": UTC, "country": pl.String, "region": pl.String,
            "suppressed_at": UTC, "sunset_by": pl.String, "sunset_email": pl.String,
            "sunset_days": pl.Float64,
        },
    )  # fmt: skip
    question = {
        "request_id": "r", "decision_id": "d", "customer_id": "ann", "as_of": now,
        "emails": None, "earliest": None, "deadline": None, **(asked or {}),
    }  # fmt: skip
    rows = [{"row": row, **question} for row in range(len(people))]
    questions = pl.concat([pl.DataFrame(rows, schema=REQUESTS), known], how="horizontal")
    questions = questions.with_columns(
        person=pl.col("row"),
        spread=pl.lit(0.5),
        timezone_known="zone_known",
        degraded=pl.lit(False),
        hour_evidence=pl.lit(evidence, pl.String),
        missing_models=pl.lit([], pl.List(pl.String)),
    )
    return with_own_segments(with_law(questions, settings.law), settings.segments)


def decision_for(
    settings: ServingSettings = SHOP,
    *,
    now: datetime = NOW,
    asked: Mapping[str, object] | None = None,
    mails: list[tuple[str, datetime]] | None = None,
    hours: pl.DataFrame | None = None,
    products: Mapping[str, list[str]] | None = None,
    chance: float | None = None,
    price: float | None = None,
    evidence: str | None = "clicks",
    valuation: Valuation = OWN,
    conditions: Conditions = NO_CONDITIONS,
    learnt: Mapping[str, Mapping[str, float]] | None = None,
    **differs: object,
) -> dict[str, Any]:
    """What the policy says of one customer, as a dict.

    `mails` were sent or promised; `hours` are 48 rows, else the shop's usual hour; `products` by
    pick, else the whole shelf for each, every one ordered with `chance` at this `price`; `evidence`
    is what the hours were learnt from; `learnt` is what models say of an e-mail
    (serving.candidates.LEARNT).
    """
    questions = questions_about(
        [customer(**differs)], settings, now=now, asked=asked, evidence=evidence
    )
    picks = products if products is not None else dict.fromkeys(
        get_args(Picks), SHELF
    )  # fmt: skip
    decided = decide(
        Inputs(
            questions=questions,
            candidates=_with_learnt(candidates_of(questions, settings), learnt or {}),
            curves=default_hours(
                questions, settings.policy.default_hour, settings.policy.hour_pull
            )
            if hours is None
            else hours,
            picks=pl.DataFrame(
                {
                    "person": [0] * len(picks),
                    "picks": list(picks),
                    "products": list(picks.values()),
                    "chances": [[chance] * len(shown) for shown in picks.values()],
                    "prices": [[price] * len(shown) for shown in picks.values()],
                    "fitting": [len(SHELF)] * len(picks),
                },
                schema={
                    "person": pl.UInt32, "picks": pl.String, "products": pl.List(pl.String),
                    "chances": pl.List(pl.Float64), "prices": pl.List(pl.Float64),
                    "fitting": pl.UInt32,
                },
            ),
            mails=pl.DataFrame(
                [
                    {"person": 0, "as_of": now, "email": email, "at": at}
                    for email, at in mails or []
                ],
                schema={
                    "person": pl.UInt32, "as_of": UTC, "email": pl.String, "at": UTC,
                },
            ),
            conditions=conditions,
        ),
        settings=settings,
        valuation=valuation,
        default_zone=NEW_YORK,
        currency="USD",
    )  # fmt: skip
    return decided.row(0, named=True)


def _with_learnt(
    candidates: pl.DataFrame, learnt: Mapping[str, Mapping[str, float]]
) -> pl.DataFrame:
    for email, figures in learnt.items():
        is_it = pl.col("email") == email
        candidates = candidates.with_columns(
            *(
                pl.when(is_it).then(told).otherwise(name).alias(name)
                for name, told in figures.items()
            ),
            learnt=pl.when(is_it).then(pl.lit(["clicks"])).otherwise("learnt"),
        )
    return candidates


def reasons_of(decision: Mapping[str, Any]) -> dict[str, str]:
    return {reason["code"]: reason["text"] for reason in decision["because"]}


def arm_of(decision: Mapping[str, Any], email: str) -> dict[str, Any]:
    return next(arm for arm in decision["arms"] if arm["email"] == email)
