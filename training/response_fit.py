"""Fitting the response models: trees that all e-mails share, and a base for each e-mail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit, logit

from features.contacts import MEANINGS as OF_CONTACT
from training.evaluate import Floats
from training.model.booster import Booster
from training.model.response import INPUTS, OF_CUSTOMER, strength_of
from training.settings import ResponseSettings
from training.trees import grow

# In turns, since what an e-mail does and what its readers do cannot be told apart at once.
TURNS = 3
# More of these never makes a click likelier, or an unsubscribe less likely.
PRESSURE = ("sends_7d", "sends_30d", "unclicked_streak")
REST = ("days_since_send", "days_since_same")
# Who has answered before answers again.
WARMTH = (
    "opens_30d", "opens_90d", "clicks_30d", "clicks_90d", "open_rate_90d", "click_rate_90d",
    "clicks_same", "usual",
)  # fmt: skip
RECENCY = ("days_since_open", "days_since_click")


@dataclass(frozen=True, eq=False)
class Answers:
    """Trees of a model of answers with its tables `emails` and `shrinkage`."""

    booster: Booster
    emails: pl.DataFrame
    shrinkage: pl.DataFrame


def fit_answers(
    rows: pl.DataFrame, labels: Floats, *, annoys: bool, settings: ResponseSettings
) -> Answers:
    """A model of yes or no for `rows` (see response_rows); `annoys`: of unsubscribes, else clicks.

    In turns: trees beside the bases that the e-mails have, then what each e-mail brought about
    where those trees would expect the usual of its readers.
    """
    inputs = rows.select(*OF_CUSTOMER, *OF_CONTACT).to_numpy()
    names, whose = np.unique(rows.get_column("email").to_numpy(), return_inverse=True)
    middle = float(logit(labels.mean()))
    counted = _sums(whose, labels)
    usual = _sums(whose, np.full(len(labels), labels.mean()))
    # E-mails first: those that answer to something, a cart say, meet customers who stand out, and
    # trees would credit the customers with what the e-mail does.
    for _ in range(TURNS):
        strength = strength_of(list(counted), list(usual))
        base = middle + np.log((counted + strength) / (usual + strength))
        booster = grow(
            np.column_stack([inputs, base[whose]]),
            labels,
            names=INPUTS,
            monotone=monotone(annoys=annoys),
            offset=base[whose],
            weights=None,
            settings=settings,
        )
        added = booster.raw(np.column_stack([inputs, base[whose]]))
        usual = _sums(whose, expit(middle + added))
    return Answers(
        booster,
        pl.DataFrame(
            {
                "email": names.astype(str),
                "sends": _sums(whose, np.ones(len(labels))),
                "outcomes": counted,
                "usual": usual,
            }
        ),
        pl.DataFrame({"middle": [middle], "strength": [strength_of(list(counted), list(usual))]}),
    )


def monotone(*, annoys: bool) -> list[int]:
    """Of each input: whether more of it may never lower (1) or raise (-1) the chance."""
    if annoys:
        return [1 if name in (*PRESSURE, "usual") else -1 if name in REST else 0 for name in INPUTS]
    return [
        -1 if name in (*PRESSURE, *RECENCY) else 1 if name in (*REST, *WARMTH) else 0
        for name in INPUTS
    ]


def grow_orders(rows: pl.DataFrame, settings: ResponseSettings) -> Booster:
    """Trees for P(order) where nothing was clicked."""
    return grow(
        rows.select(OF_CUSTOMER).to_numpy(),
        rows.get_column("order").to_numpy(),
        names=OF_CUSTOMER,
        monotone=[0] * len(OF_CUSTOMER),
        offset=None,
        weights=None,
        settings=settings,
    )


def _sums(whose: NDArray[np.int64], values: Floats) -> Floats:
    sums: Floats = np.bincount(whose, weights=values).astype(np.float64)
    return sums
