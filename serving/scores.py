"""What the models say of the customers asked for; without a model, what their own past says."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import polars as pl

from features.build import features_of
from features.contacts import contacts_of
from features.contracts import CHANNELS
from features.items import habits_of
from features.numbers import matched, places_in
from features.past import Past, past_of
from features.permissions import permissions_as_of
from features.prices import prices_seen_of
from features.profiles import hours_of
from features.settings import FeatureSettings
from serving.fallback import default_hours, own_items_first
from serving.hours import usual_of
from serving.knowledge import Knowledge
from serving.segment_settings import with_own_segments
from serving.settings import PolicySettings, ServingSettings
from serving.shelf_facts import with_shelf_facts
from serving.tables import KEY, UTC
from serving.tone import preferred_tones
from training.model.churn import score_churn
from training.model.dormancy import score_dormancy_date, score_email_dormancy
from training.model.hours import score_hours
from training.model.items import score_items
from training.model.model import Model

_DATES = {"dormant_on": pl.Datetime("us", "UTC"), "dormant_within_30d": pl.Float64()}
REFUSED = " (refused; `onje doctor` says why)"
# What is known of a customer comes by a channel of events, or of CUSTOMERS.
_SOURCES = sorted((*CHANNELS, "person"))
_PLACE_OF_CHANNEL = np.array([_SOURCES.index(channel) for channel in CHANNELS])
_NEVER = np.iinfo(np.int64).min
# Models for which nothing that the merchant said can stand in.
NEEDED = ("churn", "send-hour", "affinity-category", "affinity-product")


@dataclass(frozen=True)
class Models:
    """The champions; None where there is none yet.

    Without one of the first four every decision is `degraded`. Without one of the others, the
    merchant's own figures hold: their base rates, their thresholds of dormancy. `refused` names
    those that there are and that could not be used, which degrades a decision, whichever it is.
    """

    churn: Model | None
    send_hour: Model | None
    affinity_category: Model | None
    affinity_product: Model | None
    email_dormancy: Model | None
    dormancy_date: Model | None
    response_click: Model | None
    response_order: Model | None
    response_unsubscribe: Model | None
    refused: tuple[str, ...]

    @property
    def versions(self) -> dict[str, str | None]:
        """Version by name of the model, None for one that is missing."""
        return {name: model.version if model else None for name, model in self._named()}

    @property
    def hour_evidence(self) -> str | None:
        """What the send hour was learnt from: "clicks", or "activity" where there are too few."""
        return None if self.send_hour is None else str(self.send_hour.about["evidence"])

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the missing models without which a decision is degraded."""
        versions = self.versions
        return tuple(
            name for name in versions
            if versions[name] is None and (name in NEEDED or name in self.refused)
        )  # fmt: skip

    @property
    def missing_told(self) -> tuple[str, ...]:
        """`missing`, and of those that were refused that they were: nobody should wait for them."""
        return tuple(f"{name}{REFUSED}" if name in self.refused else name for name in self.missing)

    @property
    def synthetic(self) -> tuple[str, ...]:
        """Names of the models that were trained on synthetic data."""
        return tuple(n for n, model in self._named() if model and model.about.get("synthetic"))

    def _named(self) -> list[tuple[str, Model | None]]:
        return [(name, getattr(self, field)) for name, field in FIELDS.items()]


# The registry's names of the models, as attributes of Models.
FIELDS = {one.name.replace("_", "-"): one.name for one in fields(Models) if one.name != "refused"}


@dataclass(frozen=True)
class Scores:
    """All that is known of each row of a spine; every frame holds KEY and follows the spine.

    `people` has one row each: features, segment, stage, `churn`, `email_dormancy`, `dormant_on` and
    `dormant_within_30d` (null without their models), the permissions, `known_customer`,
    `known_until`, `preferred_tone`. `hours` has 48 (see training.model.hours.score_hours).
    `categories` and `products` hold item, probability (null without a model), rank, due_ratio,
    days_since_order, own. `policy` is that under which hours were compared. `contacts` has one row
    per e-mail that they had (see features.contacts), `seen` one per product whose price they saw
    (see features.prices).
    """

    people: pl.DataFrame
    hours: pl.DataFrame
    categories: pl.DataFrame
    products: pl.DataFrame
    policy: PolicySettings
    contacts: pl.DataFrame
    seen: pl.DataFrame


def scores_of(
    spine: pl.DataFrame,
    knowledge: Knowledge,
    models: Models,
    *,
    settings: ServingSettings,
    feature_settings: FeatureSettings,
) -> Scores:
    """Score each row of `spine` (customer_id, as_of; each once)."""
    past = past_of(
        knowledge.history,
        spine,
        knowledge.customers,
        default_timezone=feature_settings.default_timezone,
        limit=feature_settings.newest_events,
    )
    contacts = contacts_of(past)
    seen = prices_seen_of(past)
    people = with_shelf_facts(
        _people(past, spine, knowledge, models, feature_settings=feature_settings),
        seen,
        knowledge.products,
        category_depth=feature_settings.category_depth,
        currency=feature_settings.base_currency,
    ).join(preferred_tones(contacts, settings), on=KEY, how="left", maintain_order="left")
    people = with_own_segments(people, settings.segments)
    if models.send_hour is None:
        hours = default_hours(spine, settings.policy.default_hour, settings.policy.hour_pull)
    else:
        told = hours_of(past, feature_settings)
        usual = usual_of(settings.policy)
        hours = score_hours(models.send_hour, told, people.select(*KEY, "segment"), usual)

    categories = habits_of(past, item="category")
    products = habits_of(past, item="product_id")
    return Scores(
        people=people,
        hours=hours,
        categories=own_items_first(categories, spine)
        if models.affinity_category is None
        else score_items(models.affinity_category, categories, spine, shelf=None),
        products=own_items_first(products, spine, shelf=knowledge.products)
        if models.affinity_product is None
        else score_items(models.affinity_product, products, spine, shelf=knowledge.products),
        policy=settings.policy,
        contacts=contacts,
        seen=seen,
    )


def _people(
    past: Past,
    spine: pl.DataFrame,
    knowledge: Knowledge,
    models: Models,
    *,
    feature_settings: FeatureSettings,
) -> pl.DataFrame:
    history, customers = knowledge.history, knowledge.customers
    features = features_of(past, settings=feature_settings)
    churn = (
        pl.lit(None, pl.Float64).alias("churn")
        if models.churn is None
        else score_churn(models.churn, features).get_column("churn")
    )
    email_dormancy = (
        pl.lit(None, pl.Float64).alias("email_dormancy")
        if models.email_dormancy is None
        else score_email_dormancy(models.email_dormancy, features)
    )
    dates = (
        [pl.lit(None, dtype).alias(name) for name, dtype in _DATES.items()]
        if models.dormancy_date is None
        else score_dormancy_date(models.dormancy_date, features).get_columns()
    )
    permissions = permissions_as_of(history, spine).select(
        "email_consent", "consent_since", "consent_confirmed_at",
        "suppressed_by", "suppressed_at",
    )  # fmt: skip
    known = _known(spine, history, customers)
    return features.with_columns(
        churn,
        email_dormancy,
        *dates,
        *past.rows.select("country", "region"),
        *permissions,
        known.get_column("sources"),
        known.get_column("known_until"),
        known.get_column("known_until").is_not_null().alias("known_customer"),
    )


def _known(spine: pl.DataFrame, history: pl.DataFrame, customers: pl.DataFrame) -> pl.DataFrame:
    """For each row of `spine`, in its order: the newest thing known as `known_until`, and by
    channel as `sources`; null where nothing is."""
    whose = spine.get_column("customer_id").unique(maintain_order=True)
    of_row = places_in(spine.get_column("customer_id"), whose)
    as_of = spine.get_column("as_of").to_physical().to_numpy()
    channels = history.get_column("channel")
    count = len(_SOURCES)
    newest = np.full(spine.height * count, _NEVER)
    for told, source in (
        (history, _PLACE_OF_CHANNEL[channels.to_physical().to_numpy()]),
        (customers, np.full(customers.height, _SOURCES.index("person"))),
    ):
        places = places_in(told.get_column("customer_id"), whose)
        order = None if (places[1:] >= places[:-1]).all() else np.argsort(places, kind="stable")
        row, place = matched(of_row, places if order is None else places[order])
        place = place if order is None else order[place]
        known_at = told.get_column("known_at").to_physical().to_numpy()[place]
        is_known = known_at <= as_of[row]
        slot = row.astype(np.int64) * count + source[place]
        np.maximum.at(newest, slot[is_known], known_at[is_known])
    slots = np.flatnonzero(newest > _NEVER)
    found = (
        pl.DataFrame({"row": slots // count, "source": pl.Series(_SOURCES)[slots % count]})
        .with_columns(pl.Series("known_until", newest[slots]).cast(UTC))
        .group_by("row", maintain_order=True)
        .agg(
            pl.struct("source", "known_until").alias("sources"),
            known_until=pl.col("known_until").max(),
        )
    )
    if found.height == spine.height:
        return found
    rows = pl.DataFrame({"row": np.arange(spine.height)})
    return rows.join(found, on="row", how="left", maintain_order="left")
