"""From requests and what is known of their customers to one decision per request."""

from __future__ import annotations

import json

import polars as pl

from features.errors import DataError
from features.hashing import stable_share
from features.settings import FeatureSettings
from serving.knowledge import Knowledge
from serving.policy import Inputs, decide
from serving.products import picks_of, shelf_of, touched_of
from serving.reasons import question_reasons
from serving.scores import Models, Scores, scores_of
from serving.settings import ServingSettings
from serving.tables import DECISIONS, MAIL, REQUESTS

__all__ = ["DECISIONS", "MAIL", "REQUESTS", "Knowledge", "Models", "answer", "decisions_of"]

KEY = ["customer_id", "as_of"]


def answer(
    requests: pl.DataFrame,
    knowledge: Knowledge,
    models: Models,
    *,
    settings: ServingSettings,
    feature_settings: FeatureSettings,
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
        requests, knowledge, models, scores, settings=settings, feature_settings=feature_settings
    )


def decisions_of(
    requests: pl.DataFrame,
    knowledge: Knowledge,
    models: Models,
    scores: Scores,
    *,
    settings: ServingSettings,
    feature_settings: FeatureSettings,
) -> pl.DataFrame:
    """`answer` where the scores of the requests' (customer_id, as_of) are there already."""
    policy = settings.policy
    people = scores.people.with_row_index("person").with_columns(
        _spread(scores.people.get_column("customer_id"), seed=policy.seed)
    )
    numbered = people.select("person", *KEY)
    picks = picks_of(
        people,
        scores.products.join(numbered, on=KEY, maintain_order="left"),
        touched_of(knowledge.history, people),
        shelf_of(knowledge.products, feature_settings),
        policy=policy,
    )
    asked = requests.select(list(REQUESTS))
    questions = asked.join(people, on=KEY, how="left", maintain_order="left")
    zone = feature_settings.default_timezone
    decided = decide(
        Inputs(
            questions=questions,
            curves=scores.hours,
            picks=picks,
            mails=_mails(asked, knowledge, numbered),
        ),
        settings=settings,
        default_zone=zone,
        currency=feature_settings.base_currency,
    )
    interests = scores.categories.filter(pl.col("rank") == 1).select(*KEY, interest="item")
    about = questions.select(
        *asked.columns,
        "known_customer", "timezone", "segment", "stage", "known_until", "favourite_category",
        timezone_known="zone_known",
        features=_features_json(people),
    )  # fmt: skip
    versions = {"models": models.versions, "policy": settings.policy_version}
    return (
        about.join(interests, on=KEY, how="left", maintain_order="left")
        .join(decided, on="row", how="left", maintain_order="left")
        .with_columns(
            degraded=pl.lit(bool(models.missing)),
            missing_models=pl.lit(list(models.missing), pl.List(pl.String)),
            versions=pl.lit(json.dumps(versions)),
            seed=pl.lit(policy.seed, pl.Int64),
            # Without exploration the policy always does the same.
            propensity=pl.lit(1.0),
            slots=pl.when(pl.col("action") == "send").then(_slots()),
        )
        .with_columns(
            because=pl.concat_list(
                "because", pl.concat_list(question_reasons(default_zone=zone))
            ).list.drop_nulls()
        )
        .select(pl.col(name).cast(dtype) for name, dtype in DECISIONS.items())
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


def _mails(requests: pl.DataFrame, knowledge: Knowledge, people: pl.DataFrame) -> pl.DataFrame:
    """What each person was sent or is promised; a decision never stands in its own way."""
    sent = (
        knowledge.history.filter(pl.col("kind") == "send", pl.col("channel") == "email")
        .join(people, on="customer_id")
        .filter(pl.col("known_at") <= pl.col("as_of"))
        .unique(["person", "event_id"], maintain_order=True)
    )
    promised = (
        knowledge.mail.filter(pl.col("state") == "reserved")
        .join(requests, on="decision_id", how="anti")
        .join(people, on="customer_id")
    )
    columns = ("person", "as_of", "email", "at")
    return pl.concat([sent.select(columns), promised.select(columns)])


def _features_json(people: pl.DataFrame) -> pl.Expr:
    plumbing = {"person", "spread", *KEY}
    told = [name for name in people.columns if name not in plumbing]
    return pl.struct(told).struct.json_encode()


def _slots() -> pl.Expr:
    """SLOTS: what the sender's template may print beside the products."""
    is_about_category = pl.col("picks") == "category"
    return pl.struct(
        pl.when(is_about_category).then("favourite_category").alias("category"),
        "interest",
        "coupon",
        "discount",
        "tone",
    )
