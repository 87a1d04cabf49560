"""What is known of the orders that an e-mail brings: of what was seen and of the merchant's word.

What a click sells is pulled, e-mail by e-mail, from what was seen towards what the merchant expects
of it. What is given away is counted where it was used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from training.model.model import Model

# By how much of it the merchant's figure for what clicks bring may be off, all e-mails together and
# each beside the others as far as nothing else is seen; and never by less than so much.
TIMES_SPREAD, LEAST_SPREAD = 0.5, 0.03
# Nothing that was seen counts as surer than so, beside what the merchant says of it.
LEAST_ERROR = 0.001
# No click sells more surely than this.
MOST_SOLD = 0.9
# The share of all e-mails that give something away counts for so many orders of one of them.
REDEEMING = 20.0
# And so many orders count in which who clicked used what the e-mail promised.
PROMISED = 20.0


@dataclass(frozen=True)
class Expected:
    """What the merchant expects of an e-mail, and what it gives away (a share of the basket)."""

    orders_per_click: float
    bought_anyway: float
    discount: float


@dataclass(frozen=True)
class Figures:
    """Of an e-mail: the chance that a click `sells` to who would not have ordered by themselves,
    the `error` in it that noise of what was seen makes, and the share `redeemed` of orders that no
    click came before; of orders after a click that would have come anyway, the share `reduced`
    that uses what is given away.
    """

    sells: float
    error: float
    redeemed: float
    reduced: float


def order_figures(model: Model, expected: Mapping[str, Expected]) -> dict[str, Figures]:
    """What `order_chances` needs to know of each e-mail of `expected`.

    What clicks were seen to bring is pulled, e-mail by e-mail, towards what the merchant expects of
    them, orders per click less what would have come anyway, times how well all of them together do
    beside that (DerSimonian and Laird 1986): the merchant knows which e-mail sells better than
    which.

    A click was no experiment: whoever clicks may have been about to buy, for reasons that no
    feature tells. So what clickers order beyond others like them is only believed in part
    (`adjusted_weight` of the model). For the rest the merchant's figure holds; less still where all
    clicks together brought less than that. The merchant's part counts as certain: it is not what
    was seen that stands behind it.
    """
    share = model.tables["orders"].item(0, "adjusted_weight")
    redeemed, reduced = redeemed_shares(model, expected), reduced_shares(model, expected)
    said = {name: one.orders_per_click * (1 - one.bought_anyway) for name, one in expected.items()}
    seen = brought(model)
    times, spread = _beside(said, {email: seen[email] for email in seen if said.get(email, 0) > 0})
    figures = {}
    for email, figure in said.items():
        usual, apart = times * figure, max(spread * times * figure, LEAST_SPREAD)
        found, error = seen.get(email, (usual, math.inf))
        trust = apart**2 / (apart**2 + error**2)
        sells = min(max(usual + trust * (found - usual), 0.0), MOST_SOLD)
        figures[email] = Figures(
            share * sells + (1 - share) * min(times, 1.0) * figure,
            share * trust * error if trust else 0.0,
            redeemed[email],
            reduced[email],
        )
    return figures


def _beside(
    said: Mapping[str, float], seen: Mapping[str, tuple[float, float]]
) -> tuple[float, float]:
    """How many times what is `said` of them e-mails bring, and how far they lie apart in that.

    `seen` are estimates with their standard errors.
    """
    ratios = [
        (found / said[email], max(error / said[email], LEAST_ERROR))
        for email, (found, error) in seen.items()
    ]
    spread = TIMES_SPREAD
    weights = [1 / error**2 for _, error in ratios]
    total = math.fsum(weights)
    # Nothing, where one of them has all the weight: it alone does not say how far they lie apart.
    unit = total - math.fsum(w**2 for w in weights) / total if total else 0.0
    if len(ratios) > 1 and unit > 0:
        middle = math.fsum(w * ratio for w, (ratio, _) in zip(weights, ratios, strict=True)) / total
        apart = math.fsum(
            w * (ratio - middle) ** 2 for w, (ratio, _) in zip(weights, ratios, strict=True)
        )
        spread = max(spread, math.sqrt(max(apart - (len(ratios) - 1), 0.0) / unit))
    # The merchant's own figures, 1, are one voice more.
    weights = [1 / (spread**2 + error**2) for _, error in ratios]
    own = 1 / TIMES_SPREAD**2
    total = own + math.fsum(w * ratio for w, (ratio, _) in zip(weights, ratios, strict=True))
    return max(total / (own + math.fsum(weights)), 0.0), spread


def brought(model: Model) -> dict[str, tuple[float, float]]:
    """Of each e-mail seen: the chance that a click sells, as adjusted, and its standard error."""
    emails = model.tables["emails"]
    # Models of before kept only what was left of it after shrinkage.
    columns = ("brought", "error") if "brought" in emails.columns else ("sells", "sells_error")
    return {row[0]: (row[1], row[2]) for row in emails.select("email", *columns).iter_rows()}


def sold(model: Model) -> dict[str, float]:
    """Of each e-mail seen: the chance that a click sells, as adjusted and shrunk in training."""
    return dict(model.tables["emails"].select("email", "sells").iter_rows())


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


def reduced_shares(model: Model, expected: Mapping[str, Expected]) -> dict[str, float]:
    """Of each e-mail: of orders after a click that come anyway, the share at a reduced price.

    Of an e-mail of which little was seen, the share of all that give something away counts. What
    the click brought is reduced itself, so no order that comes anyway needs to be.
    """
    emails = model.tables["emails"]
    if "reduced" not in emails.columns:  # models of before say nothing of it
        return dict.fromkeys(expected, 1.0)
    seen = {row["email"]: row for row in emails.iter_rows(named=True)}
    giving = [seen[email] for email, one in expected.items() if one.discount > 0 and email in seen]

    def anyway(row: Mapping[str, float]) -> tuple[float, float]:
        """Orders after a click that would have come anyway, and how many of these were reduced."""
        own = min(max(row["sells"] * row["clicks"], 0.0), row["after"])
        return row["after"] - own, min(max(row["reduced"] - own, 0.0), row["after"] - own)

    counts = [anyway(row) for row in giving]
    came, used = (math.fsum(column) for column in zip(*counts, strict=True)) if counts else (0, 0)
    # As if so many orders more had followed a click, all at the price that it promised.
    common = (used + PROMISED) / (came + PROMISED)
    shares = {}
    for email in expected:
        of_it, reduced = anyway(seen[email]) if email in seen else (0.0, 0.0)
        shares[email] = (reduced + REDEEMING * common) / (of_it + REDEEMING)
    return shares
