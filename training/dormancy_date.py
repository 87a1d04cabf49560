"""The model of the date at which a customer turns dormant: a hazard for each coming week.

Learnt from steps (a customer in a week, see training.model.dormancy) that were over at the first
date by which it is judged; what was not over by then says nothing: no customer counts as staying
only because nobody has looked any further.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.build import features_as_of
from features.catalog import CATALOG
from features.errors import NotReadyError
from features.feature import DAY
from features.settings import FeatureSettings
from training.bgnbd import newest_rhythm
from training.dormancy_rules import KaplanMeier, ShareOfSteps
from training.evaluate import Floats, Interval, intervals, mean
from training.labels import turning_dormant
from training.model.bgnbd import BgNbd
from training.model.dormancy import (
    FEATURES,
    INPUTS,
    OF_STEP,
    STEPS,
    WEEK,
    Steps,
    dormancy_of,
    hazards_of,
    step_inputs,
    steps_of,
)
from training.model.model import UNRECORDED, Model
from training.model.prior import RHYTHM
from training.settings import DormancyDateSettings, TrainingSettings
from training.snapshots import spine_of
from training.trained import About, Fit, Trained, trainer
from training.trees import grow
from training.yes_no import handed_over, refuse_one_outcome

NAME = "dormancy-date"
BASELINE = "kaplan_meier"
RISING = ("silent",)


@dataclass(frozen=True, eq=False)
class Followed:
    """Customers (see customers_at), and of their steps (_cases) what is known and INPUTS."""

    customers: pl.DataFrame
    steps: Steps
    cases: pl.DataFrame
    inputs: Floats


def prepare_dormancy_date(
    history: pl.DataFrame,
    customers: pl.DataFrame,
    products: pl.DataFrame,
    *,
    known_until: datetime,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
    about: About,
) -> Fit:
    """Customers, steps and the rhythm of orders; what grows trees on them and judges them.

    Learn the hazards from older snapshots, judge them by the newest `test_weeks`.

    Raises NotReadyError where the history is too short or nobody turned dormant.
    """
    chosen = settings.dormancy_date
    today = known_until.replace(hour=0, minute=0, second=0, microsecond=0)
    judged_at = today - timedelta(weeks=chosen.test_weeks)
    dates = _train_dates(history, judged_at, today, chosen)
    train = customers_at(history, customers, dates, judged_at, chosen, feature_settings)
    test = customers_at(history, customers, [judged_at], today, chosen, feature_settings)
    rhythm = newest_rhythm(train)
    train_steps, train_cases = _cases(train, judged_at, chosen)
    test_steps, test_cases = _cases(test, today, chosen)
    for cases, use in ((train_cases, "training"), (test_cases, "test")):
        refuse_one_outcome(cases, use, model=NAME, days=chosen.dormant_days, table="dormancy_date")
    learnt, judged = (
        Followed(
            rows, steps, cases, step_inputs(rows, steps, rhythm, dormant_days=chosen.dormant_days)
        )
        for rows, steps, cases in (
            (train, train_steps, train_cases),
            (test, test_steps, test_cases),
        )
    )
    return lambda chosen: _fitted(
        learnt, judged, rhythm, settings=chosen, feature_settings=feature_settings, origin=about
    )


train_dormancy_date = trainer(prepare_dormancy_date)


def _fitted(
    learnt: Followed,
    judged: Followed,
    rhythm: BgNbd | None,
    *,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
    origin: About,
) -> Trained:
    """The hazards learnt from some steps, judged by others; `rhythm` goes with them."""
    chosen = settings.dormancy_date
    labels = learnt.cases.get_column("label").to_numpy()
    some = _some(len(labels), chosen)
    booster = grow(
        learnt.inputs[some],
        labels[some],
        names=INPUTS,
        monotone=[int(name in RISING) for name in INPUTS],
        offset=None,
        weights=None,
        settings=chosen,
    )
    steps_table = pl.DataFrame(
        {"dormant_days": [float(chosen.dormant_days)], "weeks": [chosen.weeks]}
    )
    tables = {STEPS: steps_table} | ({} if rhythm is None else {RHYTHM: rhythm.as_table()})
    model = Model(
        name=NAME,
        version=UNRECORDED,
        inputs=booster.inputs,
        booster=booster,
        tables=tables,
        about={},
    )
    test = judged.customers
    tested_cases = judged.cases.with_columns(
        pl.Series(name, judged.inputs[:, place]) for place, name in enumerate(INPUTS)
    )
    trained = handed_over(
        model,
        learnt.cases,
        tested_cases,
        {
            "model": hazards_of(model, test, judged.steps),
            BASELINE: KaplanMeier.fit(learnt.cases, labels).probability(judged.cases),
            "base_rate": ShareOfSteps.fit(learnt.cases, labels).probability(judged.cases),
        },
        baseline=BASELINE,
        outcome="turned",
        facts={"days_off": _days_off(model, test, chosen, settings)},
        settings=chosen,
        resampling=settings.resampling,
        feature_settings=feature_settings,
        meanings={f.name: f.meaning for f in CATALOG if f.name in FEATURES} | OF_STEP,
        origin=origin,
    )
    # Another model reads the same customers through a rhythm of its own.
    own = test.select(pl.col(name).gather(judged.steps.whose) for name in FEATURES)
    step = trained.examples.select("customer", "label", "baseline_loss", "is_first", "week")
    return replace(trained, examples=pl.concat([own, step], how="horizontal"))


def customers_at(
    history: pl.DataFrame,
    customers: pl.DataFrame,
    dates: list[datetime],
    known_until: datetime,
    settings: DormancyDateSettings,
    feature_settings: FeatureSettings,
) -> pl.DataFrame:
    """Features and `turn_days` (null: not by `known_until`) of who is not dormant at each date."""
    spine = spine_of(history, dates)
    rows = features_as_of(history, spine, customers, settings=feature_settings)
    turns = turning_dormant(
        history, spine, dormant_days=settings.dormant_days, known_until=known_until
    )
    span = (turns.get_column("turns_at") - turns.get_column("as_of")).dt.total_microseconds()
    days = span.to_numpy() / DAY
    return rows.with_columns(
        pl.col(FEATURES).cast(pl.Float64), turn_days=pl.Series(days).fill_nan(None)
    ).filter(
        pl.col("days_since_order") < settings.dormant_days,
        # An order that was told late: by now we know that they were dormant then.
        pl.col("turn_days").is_null() | (pl.col("turn_days") > 0),
    )


def _train_dates(
    history: pl.DataFrame, judged_at: datetime, today: datetime, settings: DormancyDateSettings
) -> list[datetime]:
    every = timedelta(days=settings.every_days)
    first = history.filter(pl.col("kind") == "order").get_column("at").min()
    dates = [judged_at - n * every for n in range(settings.train_snapshots, 0, -1)]
    if isinstance(first, datetime):
        dates = [date for date in dates if date >= first + every]
    # Only a date that lies a whole silence before the judged weeks has seen whoever went on.
    reach = judged_at - timedelta(days=settings.dormant_days) - timedelta(weeks=1)
    if not isinstance(first, datetime) or not any(date <= reach for date in dates):
        needed = 7 * settings.test_weeks + settings.dormant_days + 7 + 2 * settings.every_days
        found = (
            f"the first one {(today - first).days} days before"
            if isinstance(first, datetime)
            else "no order at all"
        )
        raise NotReadyError(
            f"the date of dormancy is learnt from orders of at least {needed} days before "
            f"{today:%Y-%m-%d}; found {found}; bring older orders in with `onje ingest`, or "
            "lower dormant_days or test_weeks under [training.dormancy_date] in onje.toml"
        )
    return dates


def _cases(
    rows: pl.DataFrame, known_until: datetime, settings: DormancyDateSettings
) -> tuple[Steps, pl.DataFrame]:
    """The steps of `rows` that were over at `known_until`, and of each what is known and `label`.

    A step after the one in which the customer turned dormant is none.
    """
    to_go = settings.dormant_days - rows.get_column("days_since_order").to_numpy()
    steps = steps_of(to_go, dormant_days=settings.dormant_days, weeks=settings.weeks)
    turn_days = rows.get_column("turn_days").to_numpy()
    turn_week = np.where(np.isnan(turn_days), np.inf, np.floor(turn_days / WEEK))[steps.whose]
    left = (known_until - rows.get_column("as_of")).dt.total_microseconds().to_numpy()
    weeks_left = np.floor(left / DAY / WEEK)[steps.whose]
    kept = (steps.week + 1 <= weeks_left) & (steps.week <= turn_week)
    steps = Steps(steps.whose[kept], steps.is_first[kept], steps.week[kept])
    cases = rows.select("customer_id", "as_of", "segment", "days_since_order")[steps.whose]
    return steps, cases.with_columns(
        is_first=pl.Series(steps.is_first.astype(np.float64)),
        week=pl.Series(steps.week.astype(np.float64)),
        label=pl.Series((steps.week == turn_week[kept]).astype(np.float64)),
    )


def _some(cases: int, settings: DormancyDateSettings) -> NDArray[np.int64]:
    """At most `examples` of all cases, in their order."""
    if cases <= settings.examples:
        return np.arange(cases)
    drawn = np.random.default_rng(settings.seed).choice(cases, settings.examples, replace=False)
    return np.sort(drawn)


def _days_off(
    model: Model, test: pl.DataFrame, settings: DormancyDateSettings, training: TrainingSettings
) -> dict[str, Any]:
    """By how many days the dates were wrong on average, and how much less than by the rule.

    The rule is the last order plus `dormant_days`, as if nobody ever came back. Of who had not
    turned when the judged weeks were over, only that is known: for them, and for dates beyond, the
    end of these weeks counts.
    """
    end = WEEK * settings.test_weeks
    turned = test.get_column("turn_days").to_numpy()
    said = np.nan_to_num(dormancy_of(model, test).days, nan=WEEK * settings.weeks)
    rule = settings.dormant_days - test.get_column("days_since_order").to_numpy()
    customer = test.get_column("customer_id").rank("dense").to_numpy()

    def compared(rows: NDArray[np.bool_], truth: Floats) -> dict[str, Any]:
        off, rule_off = (
            np.abs(np.minimum(days[rows], end) - np.minimum(truth[rows], end))
            for days in (said, rule)
        )
        found: dict[str, Interval] = intervals(
            {"model": mean(off), "last_order_rule": mean(rule_off), "gain": mean(rule_off - off)},
            customer[rows],
            settings=training.resampling,
        )
        return {name: interval.as_list() for name, interval in found.items()} | {
            "customers": int(rows.sum())
        }

    is_turned = ~np.isnan(turned)
    everybody = np.ones(len(turned), dtype=np.bool_)
    all_truth = np.where(is_turned, turned, np.inf)
    return {
        "of_everybody": compared(everybody, all_truth),
        "of_who_turned": compared(is_turned, all_truth),
    }
