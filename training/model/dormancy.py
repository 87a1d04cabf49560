"""Dormancy scores: whether somebody will answer e-mails no more, and when they turn dormant.

Who has not ordered for `dormant_days` is dormant. Whoever is not yet can turn so at two sorts of
moments only: on the day that many days after the last order, if none comes before; and, if one
comes, not before `dormant_days` have passed from now. So a customer has one first step, in the week
of that day, and one for each later week: a hazard each, all from one call of the trees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.feature import DAY
from training.model.bgnbd import BgNbd, Rhythms
from training.model.model import Model, log_odds_of, sigmoid
from training.model.prior import RHYTHM
from training.model.score import inputs_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# What the hazards are made of: features of the catalog, and what belongs to the step.
FEATURES = (
    "orders",
    "orders_30d",
    "orders_90d",
    "orders_365d",
    "days_since_order",
    "days_since_first_order",
    "order_gap_days_mean",
    "order_gap_days_std",
    "silence_ratio",
    "basket_value",
    "sessions_30d",
    "clicks_90d",
    "days_since_act",
)
OF_STEP = {
    "is_first": "1 for the day on which the silence becomes long enough, 0 for a later week",
    "week": "weeks from now",
    "days_to_go": "days until the silence is long enough, if no order comes",
    "silent": "log-odds of BG/NBD that the orders stop for so long: from now, or after one more",
}
INPUTS = (*FEATURES, *OF_STEP)
# As a table of the model: `dormant_days` and `weeks`.
STEPS = "steps"
SOON_DAYS = 30.0
WEEK = 7.0


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps of some customers, in the order of customer and time: all [steps].

    `whose` is the customer's place among those asked for, `week` counts from 0.
    """

    whose: Ints
    is_first: NDArray[np.bool_]
    week: Ints


def steps_of(to_go: Floats, *, dormant_days: float, weeks: int) -> Steps:
    """Every step within `weeks` of customers who have `to_go` [customers] days until dormancy."""
    first = np.floor(to_go / WEEK).astype(np.int64)
    all_weeks = np.arange(weeks)
    is_first = all_weeks[None, :] == first[:, None]
    is_later = (all_weeks[None, :] > first[:, None]) & (all_weeks >= dormant_days // WEEK)
    whose, week = np.nonzero(is_first | is_later)
    return Steps(whose=whose, is_first=is_first[whose, week], week=week)


def step_inputs(
    features: pl.DataFrame, steps: Steps, rhythm: BgNbd | None, *, dormant_days: float
) -> Floats:
    """The INPUTS of each step [steps, inputs]; `features` has one row per customer of `steps`."""
    to_go = dormant_days - features.get_column("days_since_order").to_numpy()
    if rhythm is None:
        from_now = after_one_more = np.full(features.height, np.nan)
    else:
        known = Rhythms.of(features)
        one_more = Rhythms(repeats=known.repeats + 1, last=known.age, age=known.age)
        from_now = log_odds_of(rhythm.silent(known, np.maximum(to_go, 0.0)))
        after_one_more = log_odds_of(rhythm.silent(one_more, dormant_days))
    whose, is_first = steps.whose, steps.is_first
    inputs = np.empty((len(whose), len(INPUTS)))
    inputs[:, : len(FEATURES)] = features.select(FEATURES).to_numpy()[whose]
    inputs[:, len(FEATURES)] = is_first
    inputs[:, len(FEATURES) + 1] = steps.week
    inputs[:, len(FEATURES) + 2] = to_go[whose]
    inputs[:, len(FEATURES) + 3] = np.where(is_first, from_now[whose], after_one_more[whose])
    return inputs


def hazards_of(model: Model, features: pl.DataFrame, steps: Steps) -> Floats:
    """P(turns dormant in a step | not before) [steps]."""
    rhythm = BgNbd.from_table(model.tables[RHYTHM]) if RHYTHM in model.tables else None
    dormant_days = float(model.tables[STEPS].get_column("dormant_days")[0])
    inputs = step_inputs(features, steps, rhythm, dormant_days=dormant_days)
    return sigmoid(model.booster.raw(inputs))


@dataclass(frozen=True, eq=False)
class Dormancy:
    """When each customer turns dormant, by the places of those asked for.

    `survival` [customers, weeks] is P(not dormant by the end of the week), 0 throughout for who
    is dormant already. `days` [customers] until it is likelier than not that the customer has
    turned (below zero: since when they are), NaN beyond the last week; `soon` [customers] is
    P(dormant within SOON_DAYS). All NaN for whoever has never ordered.
    """

    survival: Floats
    days: Floats
    soon: Floats


def dormancy_of(model: Model, features: pl.DataFrame) -> Dormancy:
    """For each row of `features`."""
    dormant_days, weeks = (
        model.tables[STEPS].get_column(name)[0] for name in ("dormant_days", "weeks")
    )
    to_go = dormant_days - features.get_column("days_since_order").to_numpy()
    asked = np.flatnonzero(to_go > 0)
    survival = np.where(np.isnan(to_go), np.nan, 0.0)[:, None] * np.ones(weeks)
    days = np.where(to_go > 0, np.nan, to_go)
    soon = np.where(np.isnan(to_go), np.nan, 1.0)
    if len(asked):
        chosen = features if len(asked) == features.height else features[asked]
        steps = steps_of(to_go[asked], dormant_days=dormant_days, weeks=weeks)
        hazards = hazards_of(model, chosen, steps)
        stays = np.ones((len(asked), weeks))
        stays[steps.whose, steps.week] = 1.0 - hazards
        survival[asked] = np.cumprod(stays, axis=1)
        days[asked] = _median_days(survival[asked], to_go[asked])
        # A first step is one day of its week, a later one is spread over it.
        passed = np.clip(SOON_DAYS / WEEK - steps.week, 0.0, 1.0)
        first_passed = to_go[asked][steps.whose] <= SOON_DAYS
        by_then = np.ones((len(asked), weeks))
        by_then[steps.whose, steps.week] = 1.0 - hazards * np.where(
            steps.is_first, first_passed, passed
        )
        soon[asked] = 1.0 - np.cumprod(by_then, axis=1)[:, -1]
    return Dormancy(survival=survival, days=days, soon=soon)


def score_dormancy_date(model: Model, features: pl.DataFrame) -> pl.DataFrame:
    """`dormant_on` (a moment, null beyond the last week) and `dormant_within_30d`, rows as given.

    Of whoever is dormant already `dormant_on` is when they became so.
    """
    found = dormancy_of(model, features)
    micros = np.round(np.nan_to_num(found.days) * DAY).astype(np.int64)
    later = pl.Series("later", micros).cast(pl.Duration("us"))
    is_known = pl.Series("known", ~np.isnan(found.days))
    dormant_on = (features.get_column("as_of") + later).set(~is_known, None)
    soon = pl.Series("dormant_within_30d", found.soon, dtype=pl.Float64).fill_nan(None)
    return pl.DataFrame([dormant_on.alias("dormant_on"), soon])


def score_email_dormancy(model: Model, features: pl.DataFrame) -> pl.Series:
    """`email_dormancy`: P(neither click nor visit within the horizon, though mailed).

    Null for whoever was not mailed within the last 60 days: of them nothing was learnt.
    """
    chance = model.probability(inputs_of(model, features))
    is_mailed = features.get_column("delivered_60d") > 0
    return chance.set(~is_mailed, None).alias("email_dormancy")


def _median_days(survival: Floats, to_go: Floats) -> Floats:
    """Days until survival is down to one half [customers]; NaN where it never is."""
    is_down = survival <= 0.5
    week = np.argmax(is_down, axis=1)
    rows = np.arange(len(survival))
    before = np.where(week > 0, survival[rows, np.maximum(week - 1, 0)], 1.0)
    after = survival[rows, week]
    fallen = np.divide(
        before - 0.5, before - after, out=np.zeros_like(before), where=before > after
    )
    first = np.floor(to_go / WEEK)
    days = np.where(week == first, to_go, WEEK * (week + fallen))
    return np.where(is_down.any(axis=1), days, np.nan)
