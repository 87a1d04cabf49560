"""From requests and what is known of their customers to one decision per request."""

from __future__ import annotations

import json

import polars as pl

from features.errors import DataError
from features.hashing import stable_share
from features.settings import FeatureSettings
from serving.candidates import candidates_of
from serving.evidence import stage_of
from serving.knowledge import Knowledge
from serving.law import with_law
from serving.pick_sources import Sources
from serving.policy import OF_QUESTION, Inputs, decide
from serving.products import picks_of
from serving.promises import mails_of, promised_beside, standing_of, turns_of
from serving.responses import with_responses
from serving.scores import Models, Scores, scores_of
from serving.settings import ServingSettings
from serving.tables import DECISIONS, KEY, PROMISED, REQUESTS
from serving.valuation import Valuation
from serving.versions import code_version, features_version

TOLD_OF_CUSTOMER = (
    "known_customer", "timezone", "timezone_known", "segment", "stage", "known_until",
    "sources", "favourite_category", "degraded", "missing_models",
)  # fmt: skip

# Whoever takes part in nothing, is promised nothing or is unknown has an empty list.
_LISTS = ("experiments", "own_segments", "elements", "promised", "sources", "moved_by")


def answer(
    requests: pl.DataFrame,
    knowledge: Knowledge,
    models: Models,
    *,
    settings: ServingSettings,
    feature_settings: FeatureSettings,
    valuation: Valuation,
) -> pl.DataFrame:
    """One row of DECISIONS per row of `requests` (columns REQUESTS), in the order given.

    A customer is decided alone: who else is asked for in the same call changes nothing. Raises
    DataError where a request names an e-mail that the catalogue does not hold.
    """
    _check_emails(requests, settings)
    spine = requests.select(KEY).unique(maintain_order=True)
    scores = scores_of(
        spine, knowledge, models, settings=settings, feature_settings=feature_settings
    )
    return decisions_of(
        requests,
        knowledge,
        models,
        scores,
        settings=settings,
        feature_settings=feature_settings,
        valuation=valuation,
    )


def decisions_of(
    requests: pl.DataFrame,
    knowledge: Knowledge,
    models: Models,
    scores: Scores,
    *,
    settings: ServingSettings,
    feature_settings: FeatureSettings,
    valuation: Valuation,
) -> pl.DataFrame:
    """`answer` where the scores of the requests' (customer_id, as_of) are there already."""
    rows = requests.get_column("row")
    if not rows.is_sorted():
        made = decisions_of(
            requests.sort("row"),
            knowledge,
            models,
            scores,
            settings=settings,
            feature_settings=feature_settings,
            valuation=valuation,
        )
        return made[rows.rank("ordinal").cast(pl.Int64) - 1]
    turns = turns_of(requests, knowledge.mail)
    made = [
        _decided(
            requests.filter(turns == turn),
            knowledge,
            models,
            scores,
            settings=settings,
            feature_settings=feature_settings,
            valuation=valuation,
        )
        for turn in (turns.unique().sort() if len(turns) else [0])
    ]
    if len(made) == 1:
        return made[0]
    return requests.select("row").join(pl.concat(made), on="row", how="left", maintain_order="left")


def _decided(
    requests: pl.DataFrame,
    knowledge: Knowledge,
    models: Models,
    scores: Scores,
    *,
    settings: ServingSettings,
    feature_settings: FeatureSettings,
    valuation: Valuation,
) -> pl.DataFrame:
    """The same for rows that do not stand beside each other."""
    policy = settings.policy
    people = scores.people.with_row_index("person").with_columns(
        _spread(scores.people.get_column("customer_id"), seed=policy.seed)
    )
    steps = standing_of(scores, requests, knowledge.mail, settings)
    people = people.with_columns(steps.drop(KEY))
    asked = requests.select(list(REQUESTS))
    questions = asked.join(people, on=KEY, how="left", maintain_order="left").with_columns(
        timezone_known="zone_known",
        degraded=pl.lit(bool(models.missing)),
        missing_models=pl.lit(list(models.missing_told), pl.List(pl.String)),
        hour_evidence=pl.lit(models.hour_evidence, pl.String),
    )
    questions = with_law(questions, settings.law)
    candidates = with_responses(
        candidates_of(questions, settings), people, scores.contacts, models, settings
    )
    wanted = candidates.filter("considered", pl.col("show") > 0).select(
        "person", *KEY, "about", "picks"
    )
    picks = picks_of(
        wanted.unique(["person", "picks"], maintain_order=True),
        Sources(
            items=scores.products,
            history=knowledge.history,
            shelf=knowledge.products,
            seen=scores.seen,
            affinity=models.affinity_product,
            category_depth=feature_settings.category_depth,
            currency=feature_settings.base_currency,
            due_share=policy.due_share,
            recently_bought_days=policy.recently_bought_days,
        ),
    )
    zone = feature_settings.default_timezone
    decided = decide(
        Inputs(
            questions=questions,
            candidates=candidates,
            curves=scores.hours,
            picks=picks,
            mails=mails_of(asked, knowledge, people.select("person", *KEY)),
            conditions=knowledge.conditions,
        ),
        settings=settings,
        valuation=valuation,
        default_zone=zone,
        currency=feature_settings.base_currency,
    )
    interests = scores.categories.filter(pl.col("rank") == 1).select(*KEY, interest="item")
    about = questions.select(
        *asked.columns,
        *TOLD_OF_CUSTOMER,
        "legal",
        "region",
        "own_segments",
        evidence_stage=pl.lit(stage_of(models)),
        features=_features_json(people),
        versions=pl.lit(_versions_json(models, settings)),
        conditions=pl.lit(knowledge.conditions.to_json()),
        lake_versions=pl.lit(json.dumps(dict(knowledge.lake_versions), sort_keys=True)),
        seed=pl.lit(policy.seed, pl.Int64),
    )
    all_told = (
        about.lazy()
        .join(_promised(asked, knowledge).lazy(), on="row", how="left", maintain_order="left")
        .join(interests.lazy(), on=KEY, how="left", maintain_order="left")
        .join(decided.lazy().drop(OF_QUESTION[1:]), on="row", how="left", maintain_order="left")
    )
    return (
        all_told.with_columns(pl.col(_LISTS).fill_null([]))
        .with_columns(slots=pl.when(pl.col("action") == "send").then(_slots()))
        .rename({"source": "hour_source"})
        .select(pl.col(name).cast(dtype) for name, dtype in DECISIONS.items())
        .collect(engine="in-memory")
    )


def _check_emails(requests: pl.DataFrame, settings: ServingSettings) -> None:
    named = requests.get_column("emails").explode().drop_nulls().unique()
    unknown = sorted(set(named) - set(settings.emails))
    if unknown:
        raise DataError(
            f"no e-mail is called {', '.join(unknown)}; "
            f"the catalogue in onje.toml holds {', '.join(settings.emails)}"
        )


def _spread(customers: pl.Series, *, seed: int) -> pl.Series:
    """The share of an hour after which a customer's e-mails leave."""
    salt = f"minute {seed}"
    return pl.Series("spread", [stable_share(name, salt) for name in customers], pl.Float64)


def _features_json(people: pl.DataFrame) -> pl.Expr:
    plumbing = {"person", "spread", "sources", "own_segments", *KEY}
    told = [name for name in people.columns if name not in plumbing]
    return pl.struct(told).struct.json_encode()


def _promised(requests: pl.DataFrame, knowledge: Knowledge) -> pl.DataFrame:
    """`row` and the mails `promised` to its customer; a customer without any has no row."""
    others = promised_beside(requests, knowledge.mail).join(
        requests.select("row", "customer_id"), on="customer_id"
    )
    by_time = others.sort("row", "at", "decision_id")
    return by_time.group_by("row", maintain_order=True).agg(
        promised=pl.struct(field.name for field in PROMISED.fields)
    )


def _versions_json(models: Models, settings: ServingSettings) -> str:
    made_by = {"models": models.versions, "synthetic": models.synthetic}
    made_of = {"policy": settings.policy_version, "catalogue": settings.catalogue_version}
    return json.dumps(
        {**made_by, **made_of, "features": features_version(), "code": code_version()}
    )


def _slots() -> pl.Expr:
    """SLOTS: what the sender's template may print beside the products."""
    return pl.struct(
        pl.col("about").alias("category"),
        "interest",
        pl.when(pl.col("coupon") != "").then("coupon").alias("coupon"),
        pl.col("discount_share").alias("discount"),
        "tone",
        "region",
        "subject_prefix",
        "list_unsubscribe",
        "legal",
        "elements",
    )
