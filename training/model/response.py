"""What an e-mail brings about: clicks, orders that would not have come, lost subscribers.

The log-odds of an answer are the base of its e-mail plus trees that all e-mails share. The base is
what the e-mail was seen to bring about, pulled towards what the merchant expects of it in relation
to the other e-mails: the fewer mails were seen, the harder (gamma-Poisson, Robbins 1956); and the
closer what was seen of all of them lies to what the merchant expects.

Orders are told apart by whether a click came before: with one, and without. What a mail brings is
the difference, for an e-mail that nobody answers sells nothing that could be shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.contacts import MEANINGS as OF_CONTACT
from training.model.model import Model, sigmoid
from training.model.sales import Figures, sold

Floats = NDArray[np.float64]

# Of the customer, from features.catalog.
OF_CUSTOMER = (
    "sends_7d", "sends_30d", "unclicked_streak", "days_since_send", "opens_30d", "opens_90d",
    "clicks_30d", "clicks_90d", "open_rate_90d", "click_rate_90d", "days_since_open",
    "days_since_click", "sessions_7d", "sessions_30d", "days_since_session", "views_7d", "orders",
    "days_since_order", "order_gap_days_mean", "silence_ratio", "days_since_signup",
    "cart_waiting_hours",
)  # fmt: skip
# The base of the e-mail itself, so that trees can tell urgent mails from newsletters, also ones
# that they have never seen.
USUAL = "usual"
INPUTS = (*OF_CUSTOMER, *OF_CONTACT, USUAL)
MEANING_OF_USUAL = "log-odds with which customers usually answer to this e-mail"

# No base rate is believed to be 0 or 1.
LEAST_RATE, MOST_RATE = 1e-5, 0.9
# For how many expected answers the merchant's figure may count.
STRENGTHS: tuple[float, ...] = tuple(0.5 * 400.0 ** (step / 59) for step in range(60))


@dataclass(frozen=True)
class Orders:
    """Of mails that may be sent, each [rows]: chances of an order within the days of the model.

    `without` a click, `after_click`, how many of these the click `brings` (never negative) with
    its standard `error`, and `redeemed`: of orders that come without a click, the share that uses
    what the e-mail gives away; `reduced`: the same of those that a click came before.
    """

    without: Floats
    after_click: Floats
    brings: Floats
    error: Floats
    redeemed: Floats
    reduced: Floats


def answer_chances(
    model: Model, rows: pl.DataFrame, emails: Sequence[str], base_of: Mapping[str, float]
) -> Floats:
    """P(answer) of a model of clicks or of unsubscribes for each of `rows`.

    `rows` hold OF_CUSTOMER and OF_CONTACT, `emails` names the e-mail of each row; `base_of` comes
    from `bases`.
    """
    # An e-mail that was neither seen nor announced is like any other.
    middle = model.tables["shrinkage"].item(0, "middle")
    base = np.array([base_of.get(email, middle) for email in emails], dtype=np.float64)
    inputs = np.column_stack([rows.select(*OF_CUSTOMER, *OF_CONTACT).to_numpy(), base])
    return sigmoid(model.booster.raw(inputs) + base)


def order_chances(
    model: Model, rows: pl.DataFrame, emails: Sequence[str], figures_of: Mapping[str, Figures]
) -> Orders:
    """What orders come of mails; `rows` hold OF_CUSTOMER, `emails` names the e-mail of each.

    A click sells to who would not have ordered anyway: the likelier an order without it, the less
    it brings.
    """
    sells, error, redeemed, reduced = (
        np.array([getattr(figures_of[email], figure) for email in emails], dtype=np.float64)
        for figure in ("sells", "error", "redeemed", "reduced")
    )
    without = sigmoid(model.booster.raw(rows.select(OF_CUSTOMER).to_numpy()))
    brings = sells * (1 - without)
    return Orders(without, without + brings, brings, error * (1 - without), redeemed, reduced)


def mail_orders(model: Model, rows: pl.DataFrame) -> Floats:
    """P(order) for rows of which `click` tells whether it was clicked (null: nothing was sent)."""
    without = sigmoid(model.booster.raw(rows.select(OF_CUSTOMER).to_numpy()))
    sells_of, common = sold(model), model.tables["orders"].item(0, "sells")
    sells = np.array([sells_of.get(email, common) for email in rows.get_column("email")])
    is_clicked = (rows.get_column("click") > 0).fill_null(False).to_numpy()
    return np.where(is_clicked, without + sells * (1 - without), without)


def bases(model: Model, expected: Mapping[str, float]) -> dict[str, float]:
    """The base log-odds of each e-mail of `expected` or of those that the model has seen.

    The table `emails` says of each e-mail how many `outcomes` were seen where `usual` ones were to
    be expected of its customers, `middle` is the log-odds of all together, `strength` how many
    expected outcomes the merchant's figure (or the middle, where there is none) counts for.
    """
    seen = {row["email"]: row for row in model.tables["emails"].iter_rows(named=True)}
    about = model.tables["shrinkage"].row(0, named=True)
    middle = about["middle"]
    priors = priors_of(seen, expected, middle)
    strength = _strength(model, expected)
    found = {}
    for email, prior in priors.items():
        row = seen.get(email, {"outcomes": 0.0, "usual": 0.0})
        to_expect = row["usual"] * math.exp(prior - middle)
        times = (row["outcomes"] + strength) / (to_expect + strength)
        found[email] = prior + math.log(times)
    return found


def doubts(model: Model, expected: Mapping[str, float]) -> dict[str, float]:
    """How far noise of what was seen may have moved e^base of each of `bases`, as a share of it.

    Of `outcomes`, a Poisson count, beside `strength` that what is expected counts for. What nobody
    has seen is as the merchant puts it, which is no noise.
    """
    seen = dict(model.tables["emails"].select("email", "outcomes").iter_rows())
    strength = _strength(model, expected)
    emails = {**dict.fromkeys(expected, 0.0), **seen}
    return {email: outcomes**0.5 / (outcomes + strength) for email, outcomes in emails.items()}


def _strength(model: Model, expected: Mapping[str, float]) -> float:
    """For how many expected answers what the merchant expects of an e-mail counts.

    The better it told what was seen, the more. Of all strengths that what was seen leaves likely,
    the mean of what e-mails then vary by: a few answers, which fit to anything, do not make the
    merchant sure. Where nothing is expected, what training found of e-mails beside each other.
    """
    about = model.tables["shrinkage"].row(0, named=True)
    seen = {row["email"]: row for row in model.tables["emails"].iter_rows(named=True)}
    if not seen.keys() & expected.keys():
        return float(about["strength"])
    priors = priors_of(seen, expected, about["middle"])
    found = _likelihoods(
        [row["outcomes"] for row in seen.values()],
        [row["usual"] * math.exp(priors[email] - about["middle"]) for email, row in seen.items()],
    )
    weights = [math.exp(one - max(found)) for one in found]
    varies = math.fsum(w / strength for w, strength in zip(weights, STRENGTHS, strict=True))
    return math.fsum(weights) / varies


def strength_of(counted: Sequence[float], usual: Sequence[float]) -> float:
    """For how many expected answers the common rate counts, by marginal likelihood.

    `counted` [emails] is Poisson about `usual` times a factor of the e-mail; factors are gamma of
    mean 1 and variance 1 / strength (gamma-Poisson, as a negative binomial).
    """
    found = _likelihoods(counted, usual)
    return STRENGTHS[found.index(max(found))]


def _likelihoods(counted: Sequence[float], usual: Sequence[float]) -> list[float]:
    """ln of the likelihood of each of STRENGTHS."""

    def likelihood(strength: float) -> float:
        return math.fsum(
            math.lgamma(count + strength)
            - math.lgamma(strength)
            + strength * math.log(strength / (strength + to_expect))
            + (count * math.log(to_expect / (strength + to_expect)) if count else 0.0)
            for count, to_expect in zip(counted, usual, strict=True)
        )

    return [likelihood(strength) for strength in STRENGTHS]


def priors_of(
    seen: Mapping[str, Mapping[str, float]], expected: Mapping[str, float], middle: float
) -> dict[str, float]:
    """Log-odds to be expected of each e-mail before anything was seen of it.

    The merchant knows which e-mail does better than which; how well they do all together is seen.
    """
    known = {email: log_odds(expected[email]) for email in seen if email in expected}
    outcomes = math.fsum(seen[email]["outcomes"] for email in known)
    to_expect = math.fsum(
        seen[email]["usual"] * math.exp(prior - middle) for email, prior in known.items()
    )
    # One of each more, so that nothing seen changes nothing.
    moved = math.log((outcomes + 1) / (to_expect + 1))
    priors = {email: log_odds(rate) + moved for email, rate in expected.items()}
    return {**dict.fromkeys(seen, middle), **priors}


def log_odds(rate: float) -> float:
    """Log-odds of a rate, within what is believed."""
    within = min(max(rate, LEAST_RATE), MOST_RATE)
    return math.log(within / (1 - within))
