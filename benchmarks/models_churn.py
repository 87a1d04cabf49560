"""Churn and dormancy beside rules, BG/NBD of lifetimes, logistic regression and a leaking split.

`python -m benchmarks.models_churn` prints its part of the table. Churn: P(no order within 60 days)
of everybody who ever ordered; up to six dates to learn from, four weeks apart, their outcomes known
before the first date of the test: day 425 on CDNOW (1998-03-02), else the last two dates whose
outcome is known. Intervals are 95 %, by customer. Dormancy by e-mail needs clicks, which no public
shop data has: it is measured in a simulated world.
"""

from __future__ import annotations

import sys
import time
import tomllib
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from benchmarks.churn_leak import leak_rows
from benchmarks.churn_peers import PLAIN_TREES, methods
from benchmarks.churn_shops import ORIGIN, ROOT, SHOPS, Shop, Tables
from benchmarks.model_rows import OURS, Row, Step, as_markdown, less
from features.history import to_history
from features.lake import Lake
from features.settings import FeatureSettings
from pipelines.console import progress
from pipelines.simulator.into_lake import simulate
from pipelines.simulator.size import Size
from training.calibration import calibration_error
from training.churn import churn_dates, churn_rows, fit_churn
from training.dormancy import train_email_dormancy
from training.dormancy_date import train_dormancy_date
from training.evaluate import (
    Floats,
    Interval,
    Metric,
    auc,
    average_precision,
    intervals,
    log_losses,
    loss,
)
from training.model.churn import churn_of
from training.settings import TrainingSettings
from training.trained import Trained

SETTINGS = ROOT / "onje.toml"
WORLD = Size("default", 3_000, 60, 11)
AUC, AP, LOG_LOSS, ECE = "AUC", "AP (active)", "log-loss", "ECE"
METRICS: dict[str, Callable[[Floats, Floats], Metric]] = {
    AUC: auc,
    AP: lambda labels, chances: average_precision(1 - labels, -chances),
    LOG_LOSS: lambda labels, chances: loss(log_losses(labels, chances), most=np.inf),
}
LESS_IS_BETTER = (LOG_LOSS,)
# Scores that rank and are no chances: their log-loss would say nothing.
NO_CHANCES = ("BG/NBD 1 - P(alive)",)


def rows(step: Step) -> list[Row]:
    """Churn on all shops, then the date of dormancy, then dormancy by e-mail."""
    written = tomllib.loads(SETTINGS.read_text("utf-8"))
    settings = TrainingSettings.model_validate(written["training"])
    features = FeatureSettings.model_validate(written["features"])
    found: list[Row] = []
    total = len(SHOPS) + 2
    tables = {}
    for place, shop in enumerate(SHOPS):
        step(f"churn, {shop.name}", place, total)
        read = shop.read(features)
        if read is None:
            absent = "is not in $ONJE_SHARED_DATA or ../shared/data and is not measured"
            print(f"{shop.name} {absent}", file=sys.stderr)
            continue
        tables[shop.name] = read
        found += churn_on(shop, read, settings)
    step("dormancy date", len(SHOPS), total)
    for shop in SHOPS:
        if shop.name != "Online Retail":  # ten months are too short
            found += date_on(shop, tables[shop.name], settings)
    step("dormancy by e-mail", len(SHOPS) + 1, total)
    found += email_in_a_world(settings, features)
    step("churn and dormancy", total, total)
    return found


def churn_on(shop: Shop, tables: Tables, settings: TrainingSettings) -> list[Row]:
    """Every method on the same rows and the same draws."""
    history, customers, features = tables
    churn = settings.churn.model_copy(update={"test_snapshots": shop.test_snapshots})
    settings = settings.model_copy(update={"churn": churn})
    dates = churn_dates(history, known_until=shop.known_until, settings=churn)
    train, test = (
        churn_rows(
            history,
            customers,
            some,
            horizon=timedelta(days=churn.horizon_days),
            known_until=shop.known_until,
            feature_settings=features,
        )
        for some in (dates.train, dates.test)
    )
    begun = time.perf_counter()
    trained = fit_churn(train, test, settings=settings, feature_settings=features, origin=ORIGIN)
    seconds = {OURS: time.perf_counter() - begun}
    chances = {OURS: churn_of(trained.model, test)}
    for name, method in methods(settings).items():
        begun = time.perf_counter()
        chances[name] = method(train, test)
        seconds[name] = time.perf_counter() - begun
    truth = test.get_column("label").to_numpy()
    customer = test.get_column("customer_id").rank("dense").to_numpy()
    chosen = trained.report.facts["calibration"]["chosen"]
    notes = {
        OURS: f"{len(truth):,} rows of {len(np.unique(customer)):,} customers, {truth.mean():.1%} "
        f"lost; correction chosen: {chosen}; seconds with report and plots",
        "BG/NBD 1 - P(alive)": "broken: 0 for whoever ordered once, however long ago",
    }
    found = compared(shop.name, "churn 60 d", chances, truth, customer, seconds, notes, settings)
    return [*found, *leak_rows(shop, tables, dates, test, chances[PLAIN_TREES], settings)]


def compared(
    data: str,
    task: str,
    chances: Mapping[str, Floats],
    truth: Floats,
    customer: np.typing.NDArray[np.int64],
    seconds: Mapping[str, float],
    notes: Mapping[str, str],
    settings: TrainingSettings,
) -> list[Row]:
    """A row for each method and metric, gains paired."""
    asked = {
        (method, metric): make(truth, said)
        for method, said in chances.items()
        for metric, make in METRICS.items()
        if not (metric == LOG_LOSS and method in NO_CHANCES)
    }
    pairs = {
        (method, metric, "gain"): less(asked[OURS, metric], theirs)
        if metric not in LESS_IS_BETTER
        else less(theirs, asked[OURS, metric])
        for (method, metric), theirs in asked.items()
        if method != OURS
    }
    found = intervals({**asked, **pairs}, customer, settings=settings.resampling)
    told = [
        Row(
            data,
            task,
            method,
            metric,
            found[method, metric],
            found.get((method, metric, "gain")),
            seconds.get(method),
            notes.get(method, ""),
        )
        for method, metric in asked
    ]
    for method, said in chances.items():
        if method not in NO_CHANCES:
            error = calibration_error(truth, said, customer, settings=settings.resampling)
            note = notes.get(method, "") if method == OURS else "an error is not paired"
            told.append(Row(data, task, method, ECE, error, None, seconds.get(method), note))
    order = list(chances)
    return sorted(told, key=lambda row: order.index(row.method))


def date_on(shop: Shop, tables: Tables, settings: TrainingSettings) -> list[Row]:
    """The hazards of dormancy after 90 days, and how far off the dates are."""
    history, customers, features = tables
    begun = time.perf_counter()
    trained = train_dormancy_date(
        history,
        customers,
        pl.DataFrame(),
        known_until=history.get_column("known_at").max(),  # type: ignore[arg-type]
        settings=settings,
        feature_settings=features,
        about=ORIGIN,
    )
    seconds = time.perf_counter() - begun
    found = _of_report(shop.name, "dormancy date", trained, seconds, settings, note="per week")
    for whom, note in (
        ("of_everybody", "days off, of everybody; nobody's end counts beyond the judged weeks"),
        (
            "of_who_turned",
            "days off, of who turned in these weeks: chosen by outcome, an early date wins",
        ),
    ):
        days = {
            name: Interval(*values)
            for name, values in trained.report.facts["days_off"][whom].items()
            if name != "customers"
        }
        ours = Row(shop.name, "dormancy date", OURS, "days off", days["model"], None, seconds, note)
        rule = Row(
            shop.name,
            "dormancy date",
            "last order + 90 d",
            "days off",
            days["last_order_rule"],
            days["gain"],
            None,
            note,
        )
        found += [ours, rule]
    return found


def email_in_a_world(settings: TrainingSettings, features: FeatureSettings) -> list[Row]:
    """Dormancy by e-mail in the default world."""
    with TemporaryDirectory() as home:
        lake = Lake(Path(home) / "lake")
        stored = simulate(Path(home), lake, WORLD, step=lambda *_: None)
        products = lake.read("products")
        history = to_history(lake.read("events"), products, settings=features)
        customers = lake.read("customers")
    begun = time.perf_counter()
    trained = train_email_dormancy(
        history,
        customers,
        products,
        known_until=stored.start,
        settings=settings,
        feature_settings=features,
        about=ORIGIN,
    )
    seconds = time.perf_counter() - begun
    data = f"world {WORLD} (synthetic)"
    return _of_report(data, "dormancy by e-mail", trained, seconds, settings, note="synthetic")


def _of_report(
    data: str,
    task: str,
    trained: Trained,
    seconds: float,
    settings: TrainingSettings,
    *,
    note: str,
) -> list[Row]:
    """Rows of what a training reports by itself; the gain is that over its trivial baseline."""
    told = []
    names = {"model": OURS, "silent_60d": "silent for 60 days", "kaplan_meier": "Kaplan-Meier"}
    for contestant, metrics in trained.report.metrics.items():
        if contestant == "base_rate":
            continue
        for metric, name in (("auc", AUC), ("log_loss", LOG_LOSS), ("ece", ECE)):
            is_gain = contestant == trained.report.baseline and metric == "log_loss"
            told.append(
                Row(
                    data,
                    task,
                    names[contestant],
                    name,
                    metrics[metric],
                    trained.report.gain if is_gain else None,
                    seconds if contestant == "model" else None,
                    note,
                )
            )
    return told


def main() -> None:
    """Measure and print."""
    with progress(quiet=False) as step:
        found = rows(step)
    print(as_markdown(found))


if __name__ == "__main__":
    main()
