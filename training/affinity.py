"""The affinity models: P(order) of each category, or each product, for each customer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression

from features.errors import NotReadyError
from features.items import Item
from features.settings import FeatureSettings
from training.affinity_cases import Cases, cases_at, popular_items
from training.affinity_report import customer_numbers, report_on_lists
from training.evaluate import Floats, log_losses
from training.model.items import INPUTS, MEANINGS
from training.model.model import UNRECORDED, Model
from training.plots import calibration_plot, gain_plot
from training.settings import AffinitySettings, TrainingSettings
from training.snapshots import snapshot_dates
from training.trained import About, Trained, described
from training.trees import grow

NAMES: dict[Item, str] = {"category": "affinity-category", "product_id": "affinity-product"}
# How long a list is when its recall is measured: about what an e-mail could show.
TOP: dict[Item, int] = {"category": 10, "product_id": 20}
BASELINE = "own_frequency"
# More of these must never make an order less likely. Without that, a shop of few categories has
# each of them recognised by its popularity of the day, and learns the days by heart.
RISING = (
    "orders_28d", "orders_91d", "orders_365d", "views_28d", "carts_28d", "popularity", "trend",
    "habit",
)  # fmt: skip
# For the baseline; an item that is not among the known ones is as rare as the rarest of them.
POPULARITY = pl.col("popularity").fill_null(pl.col("popularity").min())
INVERSE_RIDGE = 1e4
GOLDEN_ROWS = 20


def train_affinity(
    history: pl.DataFrame,
    customers: pl.DataFrame,
    products: pl.DataFrame,
    *,
    item: Item,
    known_until: datetime,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
    about: About,
) -> Trained:
    """Learn from older snapshots, judge by the newest: the trees that are judged will be served.

    What is popular goes with them as of `known_until`, while they were judged by what had been
    popular at the time. Raises NotReadyError where history or outcomes do not suffice.
    """
    chosen = settings.affinity
    dates = snapshot_dates(
        history,
        known_until=known_until,
        horizon=timedelta(days=chosen.horizon_days),
        every=timedelta(days=chosen.every_days),
        train=chosen.train_snapshots,
        test=1,
    )
    train, test = (
        cases_at(
            history,
            some,
            item=item,
            known_until=known_until,
            settings=chosen,
            feature_settings=feature_settings,
        )
        for some in (dates.train, dates.test)
    )
    popular = popular_items(history, known_until, item=item, settings=chosen)
    return fit_affinity(
        train,
        test,
        popular,
        item=item,
        settings=settings,
        feature_settings=feature_settings,
        origin=about,
    )


def fit_affinity(
    train: Cases,
    test: Cases,
    popular: pl.DataFrame,
    *,
    item: Item,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
    origin: About,
) -> Trained:
    """The model learnt from `train`, judged by `test`, whose moments come after it."""
    chosen = settings.affinity
    _refuse_one_answer(train, "training", chosen)
    _refuse_one_answer(test, "test", chosen)
    labels = train.candidates.get_column("label").to_numpy()
    booster = grow(
        train.candidates.select(INPUTS).to_numpy(),
        labels,
        names=INPUTS,
        monotone=[int(name in RISING) for name in INPUTS],
        offset=None,
        weights=None,
        settings=chosen,
    )
    limits = {"most_own": chosen.own_candidates, "most_popular": chosen.popular_candidates}
    tables = {"popular": popular, "candidates": pl.DataFrame([limits])}
    plain = Model(NAMES[item], UNRECORDED, INPUTS, booster, tables, about={})

    inputs, truth = test.candidates.select(INPUTS), test.candidates.get_column("label").to_numpy()
    probabilities = {
        "model": plain.probability(inputs).to_numpy(),
        BASELINE: _by_frequency(train.candidates, labels, test.candidates),
    }
    report = report_on_lists(
        test,
        probabilities,
        {
            "model": probabilities["model"],
            BASELINE: _frequency_first(test.candidates),
        },
        baseline=BASELINE,
        top=TOP[item],
        facts=_facts(train, test),
        settings=settings.resampling,
    )
    return Trained(
        model=Model(
            name=plain.name,
            version=UNRECORDED,
            inputs=INPUTS,
            booster=booster,
            tables=tables,
            about=described(
                origin,
                report,
                settings=chosen.model_dump(mode="json"),
                feature_settings=feature_settings.of_features(),
                meanings=MEANINGS,
            ),
        ),
        report=report,
        examples=inputs.with_columns(
            customer=customer_numbers(test.candidates),
            label=truth,
            baseline_loss=log_losses(truth, probabilities[BASELINE]),
        ),
        golden=inputs.sample(min(GOLDEN_ROWS, inputs.height), seed=chosen.seed),
        figures={
            "calibration": calibration_plot(truth, probabilities),
            "gain": gain_plot(truth, probabilities),
        },
    )


def _frequency_first(candidates: pl.DataFrame) -> Floats:
    """The list of a shop without a model: what the customer orders most, ties by popularity."""
    # A popularity is a share of customers: half of it never outweighs one order.
    score = pl.col("orders_365d") + POPULARITY.exp() / 2
    return candidates.select(score).to_series().to_numpy()


def _by_frequency(train: pl.DataFrame, labels: Floats, test: pl.DataFrame) -> Floats:
    """The same knowledge as a probability: a logistic regression on frequency and popularity."""
    known = [pl.col("orders_365d").log1p(), POPULARITY]
    curve = LogisticRegression(C=INVERSE_RIDGE).fit(train.select(known).to_numpy(), labels)
    probability: Floats = curve.predict_proba(test.select(known).to_numpy())[:, 1]
    return probability


def _facts(train: Cases, test: Cases) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for use, cases in (("train", train), ("test", test)):
        rows = cases.candidates
        facts[f"{use}_rows"] = rows.height
        facts[f"{use}_customers"] = rows.get_column("customer_id").n_unique()
        facts[f"{use}_share_ordered"] = float(np.mean(rows.get_column("label").to_numpy()))
        dates = rows.get_column("as_of").unique().sort()
        facts[f"{use}_dates"] = [date.date().isoformat() for date in dates]
    return facts


def _refuse_one_answer(cases: Cases, use: str, settings: AffinitySettings) -> None:
    if cases.candidates.is_empty():
        raise NotReadyError(
            "nothing to learn from: no order of this history names such an item; a category "
            "comes from the products' `category`, which the mapping of an ingest can name"
        )
    if cases.candidates.get_column("label").n_unique() < 2:
        raise NotReadyError(
            f"of the {cases.candidates.height} {use} rows of the affinity model all or none were "
            f"ordered within {settings.horizon_days} days; choose another horizon_days under "
            "[training.affinity] in onje.toml, or bring more orders in with `onje ingest`"
        )
