"""What an e-mail brings about: clicks, orders that would not have come, lost subscribers.

The log-odds of an answer are the base of its e-mail plus trees that all e-mails share. The base is
what the e-mail was seen to bring about, pulled towards what the merchant expects of it in relation
to the other e-mails: the fewer mails were seen, the harder (gamma-Poisson, Robbins 1956).

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


# By how much of it the merchant's figure for what clicks bring may be off, all e-mails together.
TIMES_SPREAD = 0.5
# The share of all e-mails that give something away counts for so many orders of one of them.
REDEEMING = 20.0


@dataclass(frozen=True)
class Expected:
    """What the merchant expects of an e-mail, and what it gives away (a share of the basket)."""

    orders_per_click: float
    bought_anyway: float
    discount: float


@dataclass(frozen=True)
class Figures:
    """Of an e-mail: the chance that a click `sells` to who would not have ordered by themselves,
    its standard `error`, and the share `redeemed` of orders that no click came before.
    """

    sells: float
    error: float
    redeemed: float


@dataclass(frozen=True)
class Orders:
    """Of mails that may be sent, each [rows]: chances of an order within the days of the model.

    `without` a click, `after_click`, how many of these the click `brings` (never negative) with
    its standard `error`, and `redeemed`: of orders that come without a click, the share that uses
    what the e-mail gives away.
    """

    without: Floats
    after_click: Floats
    brings: Floats
    error: Floats
    redeemed: Floats


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
    sells, error, redeemed = (
        np.array([getattr(figures_of[email], figure) for email in emails], dtype=np.float64)
        for figure in ("sells", "error", "redeemed")
    )
    without = sigmoid(model.booster.raw(rows.select(OF_CUSTOMER).to_numpy()))
    brings = sells * (1 - without)
    return Orders(without, without + brings, brings, error * (1 - without), redeemed)


def order_figures(model: Model, expected: Mapping[str, Expected]) -> dict[str, Figures]:
    """What `order_chances` needs to know of each e-mail of `expected`.

    A click was no experiment: whoever clicks may have been about to buy, for reasons that no
    feature tells. So what clickers order beyond others like them is only believed in part
    (`adjusted_weight` of the model). For the rest the merchant's figure holds, orders per click
    less what would have come anyway; less still where all clicks together brought less than that.
    The merchant's part counts as certain: it is not what was seen that stands behind it.
    """
    about = model.tables["orders"].row(0, named=True)
    clicks = dict(model.tables["emails"].select("email", "clicks").iter_rows())
    sells, redeemed = sold(model), redeemed_shares(model, expected)
    errors = _errors(model)
    said = {name: one.orders_per_click * (1 - one.bought_anyway) for name, one in expected.items()}
    # What the merchant expects of the clicks there were, in sight of how unsure the found is.
    weight = {email: 1.0 + clicks.get(email, 0.0) for email in said}
    usual = math.fsum(weight[email] * said[email] for email in said) / math.fsum(weight.values())
    times = 1.0
    if usual > 0:
        trust = TIMES_SPREAD**2 / (TIMES_SPREAD**2 + (about["error"] / usual) ** 2)
        times += trust * (about["sells"] / usual - 1)
    moved, share = times * usual - about["sells"], about["adjusted_weight"]
    return {
        email: Figures(
            share * max(sells.get(email, about["sells"]) + moved, 0.0)
            + (1 - share) * min(times, 1.0) * figure,
            share * errors.get(email, about["spread"]),
            redeemed[email],
        )
        for email, figure in said.items()
    }


def sold(model: Model) -> dict[str, float]:
    """Of each e-mail seen: the chance that a click sells, as adjusted and shrunk in training."""
    return dict(model.tables["emails"].select("email", "sells").iter_rows())


def _errors(model: Model) -> dict[str, float]:
    """The standard error of what `sold` says, as far as e-mails differ from each other."""
    return dict(model.tables["emails"].select("email", "sells_error").iter_rows())


def mail_orders(model: Model, rows: pl.DataFrame) -> Floats:
    """P(order) for rows of which `click` tells whether it was clicked (null: nothing was sent)."""
    without = sigmoid(model.booster.raw(rows.select(OF_CUSTOMER).to_numpy()))
    sells_of, common = sold(model), model.tables["orders"].item(0, "sells")
    sells = np.array([sells_of.get(email, common) for email in rows.get_column("email")])
    is_clicked = (rows.get_column("click") > 0).fill_null(False).to_numpy()
    return np.where(is_clicked, without + sells * (1 - without), without)


def redeemed_shares(model: Model, expected: Mapping[str, Expected]) -> dict[str, float]:
    """Of each e-mail: the share of orders without a click that use what it gives away.

    Orders at a reduced price that come without any mail are taken off. Of an e-mail of which
    little was seen, the share of all that give something away counts.
    """
    seen = {row["email"]: row for row in model.tables["emails"].iter_rows(named=True)}
    used = model.tables["orders"].item(0, "used")
    giving = [seen[email] for email, one in expected.items() if one.discount > 0 and email in seen]
    redeemed = math.fsum(row["redeemed"] for row in giving)
    common = redeemed / max(math.fsum(row["organic"] for row in giving), 1.0)
    shares = {}
    for email in expected:
        row = seen.get(email, {"organic": 0.0, "redeemed": 0.0})
        share = (row["redeemed"] + REDEEMING * common) / (row["organic"] + REDEEMING)
        shares[email] = max(share - used, 0.0)
    return shares


def bases(model: Model, expected: Mapping[str, float]) -> dict[str, float]:
    """The base log-odds of each e-mail of `expected` or of those that the model has seen.

    The table `emails` says of each e-mail how many `outcomes` were seen where `usual` ones were to
    be expected of its customers, `middle` is the log-odds of all together, `strength` how many
    expected outcomes the merchant's figure (or the middle, where there is none) counts for.
    """
    seen = {row["email"]: row for row in model.tables["emails"].iter_rows(named=True)}
    about = model.tables["shrinkage"].row(0, named=True)
    middle, strength = about["middle"], about["strength"]
    priors = priors_of(seen, expected, middle)
    found = {}
    for email, prior in priors.items():
        row = seen.get(email, {"outcomes": 0.0, "usual": 0.0})
        to_expect = row["usual"] * math.exp(prior - middle)
        times = (row["outcomes"] + strength) / (to_expect + strength)
        found[email] = prior + math.log(times)
    return found


def doubts(model: Model, expected: Mapping[str, float]) -> dict[str, float]:
    """The standard error of e^base of each e-mail of `bases`, as a share of it.

    Of a gamma of `outcomes` + `strength`, which is what was seen and what it is pulled to.
    """
    seen = dict(model.tables["emails"].select("email", "outcomes").iter_rows())
    strength = model.tables["shrinkage"].item(0, "strength")
    emails = {**dict.fromkeys(expected, 0.0), **seen}
    return {email: (outcomes + strength) ** -0.5 for email, outcomes in emails.items()}


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
