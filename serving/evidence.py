"""How much is known of what e-mails bring, and when that is enough to leave the surest choice.

Stages: A, no model of responses stands: the merchant's figures decide, and chance explores. B,
response models stand. C, what mail changes is learnt person by person, from decisions that chance
made: no such model decides yet, so nobody is told so.

In stage B the best fixed e-mail of those that may go is the reference: the one worth most to the
customer if they clicked and unsubscribed as everybody does. Another one goes only if it is surely
worth more to them, so that noise of many e-mails is not taken for the best of them.
"""

from __future__ import annotations

from statistics import NormalDist

import polars as pl

from serving.guardrail_settings import TRANSACTIONAL
from serving.scores import Models
from serving.settings import PolicySettings
from serving.value import gain_and_still

STAGES = {
    "A": "no model of responses stands; the merchant's figures decide",
    "B": "response models stand; a better e-mail than the usual best goes only if that is sure",
    "C": "what mail changes is learnt person by person; no model does so yet",
}


def stage_of(models: Models) -> str:
    """By which evidence the values were told."""
    parts = (models.response_click, models.response_order, models.response_unsubscribe)
    return "A" if all(part is None for part in parts) else "B"


def with_evidence(arms: pl.DataFrame, policy: PolicySettings, *, is_own: bool) -> pl.DataFrame:
    """Add `stands_back`: an arm that is not surely worth more than the reference of its question.

    The gain's standard error is the noise in what the models' tables hold of both e-mails: how
    many clicks, orders and unsubscribes they were seen to bring. An e-mail that nobody has seen has
    none: there the merchant's word decides, as in stage A. What the customer's own features say of
    both alike takes no part. `is_own`: only Onje's own valuation is money.
    """
    if not is_own or not _is_learnt(arms):
        return arms.with_columns(stands_back=pl.lit(False))
    gain, still = gain_and_still(pl.col, pl.col("pull"), pl.col("waited"))
    times = pl.col("usual_clicks") / pl.col("learnt_clicks")
    # What an unsubscribe costs: its worth, and its price where a budget binds.
    lost = still * pl.col("unsubscribe_cost") + pl.col("unsubscribe_price")
    leaves = pl.col("usual_unsubscribes") / pl.col("learnt_unsubscribes")
    fixed = still * pl.col("send_cost") + pl.col("mail_price") + pl.col("coupon_price")
    usual = gain * times.fill_null(1.0) - lost * leaves.fill_null(1.0) - fixed
    sold = (pl.col("margin") - pl.col("given_brought")) * pl.col("pull") / pl.col("brings")
    variance = (
        (gain * pl.col("doubt_clicks").fill_null(0.0)) ** 2
        + pl.when(pl.col("brings") > 0)
        .then(sold * pl.col("doubt_brings").fill_null(0.0))
        .otherwise(0.0)
        ** 2
        + (lost * pl.col("doubt_unsubscribes").fill_null(0.0)) ** 2
    )
    sure = NormalDist().inv_cdf(policy.gain_certainty)
    competing = (
        arms.lazy()
        .filter(
            pl.col("forbidden_by").list.len() == 0,
            pl.col("worth") > 0,
            pl.col("mail_class") != TRANSACTIONAL,  # what is owed goes anyway
        )
        .select("row", "arm", "place", "value", usual=usual.round(6), variance=variance)
    )
    reference = (
        competing.sort("row", "usual", "place", descending=[False, True, False])
        .unique("row", keep="first", maintain_order=True)
        .select("row", reference="arm", safe_value="value", safe_variance="variance")
    )
    gained = pl.col("value") - pl.col("safe_value")
    error = (pl.col("variance") + pl.col("safe_variance")).sqrt()
    unsure = (
        competing.join(reference, on="row")
        .filter(pl.col("arm") != pl.col("reference"), gained - sure * error <= 0)
        .select("arm")
        .collect(engine="in-memory")
        .get_column("arm")
    )
    return arms.with_columns(stands_back=pl.col("arm").is_in(unsure.implode()))


def _is_learnt(arms: pl.DataFrame) -> bool:
    return bool(arms.get_column("learnt").list.len().max())
