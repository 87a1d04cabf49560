"""From requests and what is known of their customers to one decision per request."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import polars as pl

from features.errors import DataError
from features.hashing import stable_share
from features.settings import FeatureSettings
from serving.candidates import candidates_of
from serving.evidence import stage_of
from serving.knowledge import Knowledge
from serving.law import with_law
from serving.pick_sources import Sources
from serving.policy import Inputs, decide
from serving.products import picks_of
from serving.promises import mails_of, promised_beside, standing_of, turns_of
from serving.responses import with_responses
from serving.scores import Models, Scores, scores_of
from serving.settings import ServingSettings
from serving.tables import DECISIONS, KEY, PROMISED, REQUESTS
from serving.valuation import Valuation
from serving.versions import code_version, features_version
from serving.whose import NOBODY, Index, Places, gathered, index_of, keys_of, only, places_of

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
        sorted_by_row = decisions_of(
            requests.sort("row"),
            knowledge,
            models,
            scores,
            settings=settings,
            feature_settings=feature_settings,
            valuation=valuation,
        )
        return sorted_by_row[rows.rank("ordinal").cast(pl.Int64) - 1]
    turns = turns_of(requests, knowledge.mail)
    numbers = sorted(set(turns.to_list())) or [0]
    made = [
        _decided(
            requests.filter(turns == turn) if len(numbers) > 1 else requests,
            knowledge,
            models,
            scores,
            settings=settings,
            feature_settings=feature_settings,
            valuation=valuation,
        )
        for turn in numbers
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
    people = _people(scores, requests, knowledge, settings)
    index = index_of(people)
    asked = only(requests, REQUESTS)
    person = np.array([index[key] for key in keys_of(asked)], dtype=np.int64)
    rest = only(people, [name for name in people.columns if name not in KEY])
    if len(person) != people.height or (person != np.arange(len(person))).any():
        rest = rest[person]
    alike = pl.DataFrame(
        {
            "degraded": [bool(models.missing)],
            "missing_models": [list(models.missing_told)],
            "hour_evidence": [models.hour_evidence],
        },
        schema={
            "degraded": pl.Boolean, "missing_models": pl.List(pl.String),
            "hour_evidence": pl.String,
        },
    )  # fmt: skip
    questions = asked.hstack(
        [
            *rest.get_columns(),
            rest.get_column("zone_known").alias("timezone_known"),
            *(column.new_from_index(0, asked.height) for column in alike.iter_columns()),
        ]
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
            mails=mails_of(asked, knowledge, only(people, ("person", *KEY))),
            conditions=knowledge.conditions,
        ),
        settings=settings,
        valuation=valuation,
        default_zone=zone,
        currency=feature_settings.base_currency,
    )
    return _whole(
        questions,
        decided,
        _features_json(people)[person],
        _promised(asked, knowledge),
        gathered(only(scores.categories, ["item"]), _interests(scores, index, people.height))[
            person
        ],
        {
            "evidence_stage": stage_of(models),
            "versions": _versions_json(models, settings),
            "conditions": knowledge.conditions.to_json(),
            "lake_versions": json.dumps(dict(knowledge.lake_versions), sort_keys=True),
            "seed": policy.seed,
        },
    )


def _people(
    scores: Scores, requests: pl.DataFrame, knowledge: Knowledge, settings: ServingSettings
) -> pl.DataFrame:
    """Whom is decided for: `person` from 0, what is known of them, and where they stand."""
    people = scores.people
    steps = standing_of(scores, requests, knowledge.mail, settings)
    return pl.DataFrame(
        [
            pl.Series("person", np.arange(people.height, dtype=np.uint32)),
            *people.get_columns(),
            _spread(people.get_column("customer_id"), seed=settings.policy.seed),
            *(column for column in steps.get_columns() if column.name not in KEY),
        ]
    )


def _interests(scores: Scores, index: Index, count: int) -> Places:
    """Which row of the scored categories is the first one of each person."""
    first = np.full(count, NOBODY)
    places = np.flatnonzero(scores.categories.get_column("rank").to_numpy() == 1)
    whose = places_of(only(scores.categories, KEY)[places], index)
    first[whose[whose != NOBODY]] = places[whose != NOBODY]
    return first


def _whole(
    questions: pl.DataFrame,
    decided: pl.DataFrame,
    features: pl.Series,
    promised: pl.Series,
    interests: pl.DataFrame,
    alike: Mapping[str, object],
) -> pl.DataFrame:
    """DECISIONS of what was found out; all parts are in the order of the questions."""
    columns = {
        **{name: questions.get_column(name) for name in (*REQUESTS, *TOLD_OF_CUSTOMER)},
        **{name: questions.get_column(name) for name in ("legal", "region", "own_segments")},
        **{column.name: column for column in decided.iter_columns()},
        "hour_source": decided.get_column("source"),
        "interest": interests.get_column("item"),
        "features": features,
        "promised": promised,
    }
    columns |= {
        name: pl.Series([value], dtype=DECISIONS[name]).new_from_index(0, questions.height)
        for name, value in alike.items()
    }
    for name in _LISTS:
        if columns[name].null_count():
            columns[name] = columns[name].fill_null(pl.Series([[]], dtype=columns[name].dtype))
    of_slots = pl.DataFrame([columns[name].alias(name) for name in OF_SLOTS])
    columns["slots"] = of_slots.select(_SLOTS).to_series()
    return pl.DataFrame(
        [
            (column if column.dtype == dtype else column.cast(dtype)).alias(name)
            for name, dtype in DECISIONS.items()
            for column in [columns[name]]
        ]
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


def _features_json(people: pl.DataFrame) -> pl.Series:
    plumbing = {"person", "spread", "sources", "own_segments", *KEY}
    told = [name for name in people.columns if name not in plumbing]
    return only(people, told).to_struct("features").struct.json_encode()


def _promised(requests: pl.DataFrame, knowledge: Knowledge) -> pl.Series:
    """The mails `promised` to the customer of each request, by time."""
    none = pl.Series("promised", [[]], pl.List(PROMISED))
    if knowledge.mail.is_empty():
        return none.new_from_index(0, requests.height)
    others = promised_beside(requests, knowledge.mail).join(
        requests.select("row", "customer_id"), on="customer_id"
    )
    by_time = others.sort("row", "at", "decision_id")
    lists = by_time.group_by("row", maintain_order=True).agg(
        promised=pl.struct(field.name for field in PROMISED.fields)
    )
    whole = requests.select("row").join(lists, on="row", how="left", maintain_order="left")
    return whole.get_column("promised")


def _versions_json(models: Models, settings: ServingSettings) -> str:
    made_by = {"models": models.versions, "synthetic": models.synthetic}
    made_of = {"policy": settings.policy_version, "catalogue": settings.catalogue_version}
    return json.dumps(
        {**made_by, **made_of, "features": features_version(), "code": code_version()}
    )


OF_SLOTS = (
    "action", "about", "interest", "coupon", "discount_share", "tone", "region",
    "subject_prefix", "list_unsubscribe", "legal", "elements",
)  # fmt: skip
# SLOTS: what the sender's template may print beside the products.
_SLOTS = pl.when(pl.col("action") == "send").then(
    pl.struct(
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
)
