"""The affinity models: P(order) of each category, or each product, for each customer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression

from features.errors import NotReadyError
from features.settings import FeatureSettings
from features.touched import Item
from training.affinity_cases import (
    Cases,
    Moment,
    cases_of,
    customers_at,
    labelled,
    limits_of,
    moments_at,
)
from training.affinity_quick import fit_quick
from training.affinity_report import customer_numbers, report_on_lists
from training.affinity_tables import numbered_orders, tables_of
from training.evaluate import Floats, log_losses
from training.model.booster import Booster
from training.model.candidates import Limits
from training.model.items import INPUTS, MEANINGS
from training.model.model import UNRECORDED, Model
from training.plots import Drawn, calibration_plot, gain_plot
from training.settings import AffinitySettings, TrainingSettings
from training.snapshots import snapshot_dates
from training.trained import About, Fit, Trained, described, trainer
from training.trees import grow

NAMES: dict[Item, str] = {"category": "affinity-category", "product_id": "affinity-product"}
# How long a list is when its recall is measured: about what an e-mail could show.
TOP: dict[Item, int] = {"category": 10, "product_id": 20}
BASELINE = "own_frequency"
# More of these must never make an order less likely. Without that, a shop of few categories has
# each of them recognised by its popularity of the day, and learns the days by heart.
RISING = (
    "orders_28d", "orders_91d", "orders_365d", "weight_30d", "weight_120d", "views_28d",
    "carts_28d", "popularity", "trend", "week_trend", "habit", "liked", "together", "taste",
)  # fmt: skip
# For the baseline; an item that is not among the known ones is as rare as the rarest of them.
_KNOWN = pl.col("popularity").fill_nan(None)
POPULARITY = _KNOWN.fill_null(_KNOWN.min())
INVERSE_RIDGE = 1e4
# Customers from whom the quick score is learnt, over all moments; with all of their candidates.
QUICK_CUSTOMERS = 2_000
GOLDEN_ROWS = 20


def prepare_affinity(
    history: pl.DataFrame,
    customers: pl.DataFrame,
    products: pl.DataFrame,
    *,
    item: Item,
    known_until: datetime,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
    about: About,
) -> Fit:
    """Candidates, their quick score and what was ordered; what grows trees and judges them.

    Learn from older snapshots, judge by the newest: the trees that are judged will be served.

    What is popular goes with them as of `known_until`, while they were judged by what had been
    popular at the time. Raises NotReadyError where history or outcomes do not suffice.
    """
    chosen = settings.affinity
    _refuse_no_items(history, products, item)
    dates = snapshot_dates(
        history,
        known_until=known_until,
        horizon=timedelta(days=chosen.horizon_days),
        every=timedelta(days=chosen.every_days),
        train=chosen.train_snapshots,
        test=1,
    )
    lines = numbered_orders(history, item=item)
    spines = [customers_at(history, some, chosen) for some in (dates.train, dates.test)]
    moments = moments_at(
        history,
        products,
        pl.concat(spines),
        lines=lines,
        item=item,
        known_until=known_until,
        settings=chosen,
        feature_settings=feature_settings,
    )
    # Each date of training lies before those of the test.
    train = [one for one in moments if one.spine.item(0, "as_of") < dates.test[0]]
    test = moments[len(train) :]
    limits = limits_of(chosen, feature_settings)
    quick, known = quick_affinity(train, limits, chosen)
    cases = cases_of(test, quick, limits, with_recall=True)
    _refuse_one_answer(cases.candidates.filter("scored"), "test", chosen)
    tables = {
        **tables_of(lines, known_until, item=item, settings=chosen),
        "quick": quick,
        "candidates": pl.DataFrame([asdict(limits)]),
    }
    return lambda chosen: _fitted(
        known,
        cases,
        tables,
        item=item,
        settings=chosen,
        feature_settings=feature_settings,
        origin=about,
    )


train_affinity = trainer(prepare_affinity)


@dataclass(frozen=True, eq=False)
class Learnt:
    """Trees and the quick score that picks what they look at, with what they were learnt from."""

    booster: Booster
    quick: pl.DataFrame
    cases: Cases


def learn_affinity(moments: list[Moment], limits: Limits, settings: AffinitySettings) -> Learnt:
    """Both scores, from moments whose outcome is known."""
    quick, cases = quick_affinity(moments, limits, settings)
    return Learnt(_grown(cases, settings), quick, cases)


def quick_affinity(
    moments: list[Moment], limits: Limits, settings: AffinitySettings
) -> tuple[pl.DataFrame, Cases]:
    """The quick score, and the cases that it leaves for trees to learn from."""
    few = max(1, QUICK_CUSTOMERS // len(moments))
    quick = fit_quick(
        [
            (found, labels)
            for _, _, found, labels in labelled(moments, limits, most=few, seed=settings.seed)
        ]
    )
    cases = cases_of(moments, quick, limits, with_recall=False)
    _refuse_one_answer(cases.candidates.filter("scored"), "training", settings)
    return quick, cases


def _grown(cases: Cases, settings: AffinitySettings) -> Booster:
    scored = cases.candidates.filter("scored")
    return grow(
        scored.select(INPUTS).to_numpy(),
        scored.get_column("label").to_numpy(),
        names=INPUTS,
        monotone=[int(name in RISING) for name in INPUTS],
        offset=None,
        weights=None,
        settings=settings,
    )


def _fitted(
    train: Cases,
    test: Cases,
    tables: Mapping[str, pl.DataFrame],
    *,
    item: Item,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
    origin: About,
) -> Trained:
    """The model learnt from `train`, judged by `test`, whose moments come after it.

    `tables` travel with it: the quick score, limits, and training.affinity_tables as of the moment
    from which the model will be used.
    """
    chosen = settings.affinity
    scored = test.candidates.filter("scored")
    booster = _grown(train, chosen)
    plain = Model(NAMES[item], UNRECORDED, INPUTS, booster, tables, about={})

    inputs, truth = scored.select(INPUTS), scored.get_column("label").to_numpy()
    probability = plain.probability(inputs).to_numpy()
    known = train.candidates.filter("scored")
    probabilities = {"model": probability, BASELINE: by_frequency(known, scored)}
    order = test.candidates.get_column("quick").to_numpy() - 1.0
    order[test.candidates.get_column("scored").to_numpy()] = probability
    report = report_on_lists(
        test,
        probabilities,
        {"model": order, BASELINE: frequency_first(test.candidates)},
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
            customer=customer_numbers(scored),
            label=truth,
            baseline_loss=log_losses(truth, probabilities[BASELINE]),
        ),
        golden=inputs.sample(min(GOLDEN_ROWS, inputs.height), seed=chosen.seed),
        figures=Drawn(
            {
                "calibration": partial(calibration_plot, truth, probabilities),
                "gain": partial(gain_plot, truth, probabilities),
            }
        ),
    )


def frequency_first(candidates: pl.DataFrame) -> Floats:
    """The list of a shop without a model: what the customer orders most, ties by popularity."""
    # A popularity is a share of customers: half of it never outweighs one order.
    score = pl.col("orders_365d") + POPULARITY.exp() / 2
    return candidates.select(score).to_series().to_numpy()


def by_frequency(train: pl.DataFrame, test: pl.DataFrame) -> Floats:
    """The same knowledge as a probability: a logistic regression on frequency and popularity."""
    known = [pl.col("orders_365d").log1p(), POPULARITY]
    labels = train.get_column("label").to_numpy()
    curve = LogisticRegression(C=INVERSE_RIDGE).fit(train.select(known).to_numpy(), labels)
    probability: Floats = curve.predict_proba(test.select(known).to_numpy())[:, 1]
    return probability


def _facts(train: Cases, test: Cases) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for use, cases in (("train", train), ("test", test)):
        rows = cases.candidates.filter("scored")
        facts[f"{use}_rows"] = rows.height
        facts[f"{use}_customers"] = rows.get_column("customer_id").n_unique()
        facts[f"{use}_share_ordered"] = float(np.mean(rows.get_column("label").to_numpy()))
        dates = rows.get_column("as_of").unique().sort()
        facts[f"{use}_dates"] = [date.date().isoformat() for date in dates]
    return facts


def _refuse_no_items(history: pl.DataFrame, products: pl.DataFrame, item: Item) -> None:
    """Say what is missing where no order names such an item, and what can be trained without."""
    orders = history.filter(pl.col("kind") == "order")
    named = orders.get_column(item).drop_nulls().len()
    if orders.is_empty():
        return
    if named:
        _refuse_single_orders(orders)
        return
    if item == "category":
        raise NotReadyError(
            f"none of {orders.height} order lines has a category: it comes from the `category` of "
            f"the products, and of {products.height} products "
            f"{products.get_column('category').drop_nulls().len()} name one; name it in the "
            "mapping of an ingest. Affinity for products is trained without (`onje train affinity`)"
        )
    raise NotReadyError(
        f"none of {orders.height} order lines names a product; name `product_id` in the mapping of "
        "an ingest of order lines. Churn and the send hour are trained without products"
    )


def _refuse_single_orders(orders: pl.DataFrame) -> None:
    """What follows an order can be learnt of nobody where no customer has a second one."""
    order = pl.coalesce("order_id", pl.col("at").cast(pl.String))
    of_each = orders.group_by("customer_id").agg(orders=order.n_unique())
    if (of_each.get_column("orders") < 2).all():
        raise NotReadyError(
            f"none of {of_each.height:,} customers ordered twice, and no other horizon_days cures "
            "that: see whether the file gives the same person the same customer_id each time, or "
            "bring orders of a longer time in with `onje ingest`"
        )


def _refuse_one_answer(scored: pl.DataFrame, use: str, settings: AffinitySettings) -> None:
    if scored.get_column("label").n_unique() < 2:
        raise NotReadyError(
            f"of the {scored.height} {use} rows of the affinity model all or none were "
            f"ordered within {settings.horizon_days} days; choose another horizon_days under "
            "[training.affinity] in onje.toml, or bring more orders in with `onje ingest`"
        )
