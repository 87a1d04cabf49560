"""What the response models say of each e-mail that competes, in place of the merchant's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl

from features.contacts import MEANINGS as OF_CONTACT
from serving.scores import Models
from serving.settings import ServingSettings
from serving.tables import KEY
from training.model.model import Model, sigmoid
from training.model.response import (
    OF_CUSTOMER,
    answer_chances,
    bases,
    doubts,
    order_chances,
)
from training.model.sales import Expected, Figures, order_figures

# Of these parts of the value a receipt says that they were learnt.
PARTS = {
    "response_click": "clicks",
    "response_order": "orders",
    "response_unsubscribe": "unsubscribes",
}


def with_responses(
    candidates: pl.DataFrame,
    people: pl.DataFrame,
    contacts: pl.DataFrame,
    models: Models,
    settings: ServingSettings,
) -> pl.DataFrame:
    """The candidates with what models have learnt of those that compete; see candidates.LEARNT.

    `people` are in the order of `person`; `contacts` are those of features.contacts. A missing
    model changes nothing: then the merchant's figure stands, part by part.
    """
    learnt = [part for name, part in PARTS.items() if getattr(models, name) is not None]
    if not learnt:
        return candidates
    arms = candidates.filter("considered").select("arm", "person", "email", *KEY)
    emails = arms.get_column("email").to_list()
    rows = inputs_of_arms(arms, people, contacts)
    found: dict[str, pl.Series] = {}
    if models.response_click is not None:
        of_email = _clicks(models.response_click, settings)
        clicks = answer_chances(models.response_click, rows, emails, of_email.base)
        found["learnt_clicks"] = pl.Series(clicks)
        found["usual_clicks"], found["doubt_clicks"] = of_email.of(emails)
    if models.response_order is not None:
        figures = _orders(models.response_order, settings)
        orders = order_chances(models.response_order, rows, emails, figures)
        found["learnt_orders"] = pl.Series(orders.after_click)
        found["learnt_brings"] = pl.Series(orders.brings)
        found["doubt_brings"] = pl.Series(orders.error)
        found["learnt_without"] = pl.Series(orders.without)
        found["learnt_redeemed"] = pl.Series(orders.without * orders.redeemed)
        found["learnt_reduced"] = pl.Series(orders.reduced)
    if models.response_unsubscribe is not None:
        of_email = _unsubscribes(models.response_unsubscribe, settings)
        lost = answer_chances(models.response_unsubscribe, rows, emails, of_email.base)
        found["learnt_unsubscribes"] = pl.Series(lost)
        found["usual_unsubscribes"], found["doubt_unsubscribes"] = of_email.of(emails)
    # Every arm has a row, in the order of `arm`.
    place = arms.get_column("arm")
    nobody = pl.repeat(None, candidates.height, dtype=pl.Float64, eager=True)
    return candidates.with_columns(
        *(nobody.scatter(place, said.round(9)).alias(name) for name, said in found.items()),
        learnt=pl.when("considered").then(pl.lit(learnt)).otherwise("learnt"),
    )


def inputs_of_arms(
    arms: pl.DataFrame, people: pl.DataFrame, contacts: pl.DataFrame
) -> pl.DataFrame:
    """What the models read of each of `arms` (KEY, email, and `person`, a row of `people`)."""
    known = people.select(pl.col(name).cast(pl.Float64) for name in OF_CUSTOMER)
    had = arms.join(contacts, on=[*KEY, "email"], how="left", maintain_order="left").select(
        "days_since_same", pl.col("sends_same", "clicks_same").fill_null(0.0)
    )
    return pl.concat([known[arms.get_column("person")], had.select(*OF_CONTACT)], how="horizontal")


@dataclass(frozen=True)
class _Rates:
    """Of each e-mail: the log-odds that its answers have, their share, and how doubtful it is."""

    base: Mapping[str, float]
    usual: Mapping[str, float]
    doubt: Mapping[str, float]

    @classmethod
    def told(cls, model: Model, expected: Mapping[str, float]) -> _Rates:
        base = bases(model, expected)
        usual = {email: float(sigmoid(np.array([odds]))[0]) for email, odds in base.items()}
        return cls(base, usual, doubts(model, expected))

    def of(self, emails: Sequence[str]) -> tuple[pl.Series, pl.Series]:
        """The usual share of each of `emails`, and the standard error as a share of that."""
        return (
            pl.Series([self.usual[email] for email in emails], dtype=pl.Float64),
            pl.Series([self.doubt[email] for email in emails], dtype=pl.Float64),
        )


@lru_cache(maxsize=8)
def _clicks(model: Model, settings: ServingSettings) -> _Rates:
    return _Rates.told(model, {name: email.click_rate for name, email in settings.emails.items()})


@lru_cache(maxsize=8)
def _unsubscribes(model: Model, settings: ServingSettings) -> _Rates:
    expected = {name: email.unsubscribe_rate for name, email in settings.emails.items()}
    return _Rates.told(model, expected)


@lru_cache(maxsize=8)
def _orders(model: Model, settings: ServingSettings) -> dict[str, Figures]:
    expected = {
        name: Expected(email.orders_per_click, email.bought_anyway, email.discount)
        for name, email in settings.emails.items()
    }
    return order_figures(model, expected)
