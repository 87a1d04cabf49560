"""Churn in a real shop (CDNOW) and a simulated one (Complete Journey), beside simple rules.

`python -m benchmarks.churn` prints a table, `--json` the same for machines. Protocol: P(no order
within 60 days) for everybody with an order; six snapshots to learn from, four weeks apart; their
labels end before the first test snapshot. CDNOW is tested at day 425 (1998-03-02), Complete
Journey on its last two snapshots whose outcome is known. Intervals are 95 %, by customer.
"""

from __future__ import annotations

import argparse
import json
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import polars as pl
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from features.history import to_history
from features.settings import FeatureSettings
from features.tables import CUSTOMERS, HISTORY
from pipelines.ingest import completejourney
from training.churn import BASELINE, BASELINES, churn_dates, churn_rows, fit_churn
from training.evaluate import Floats, Interval, intervals, log_losses, mean
from training.model.churn import churn_of
from training.report import report_on
from training.settings import TrainingSettings
from training.trained import About, Report

SETTINGS = Path(__file__).parents[1] / "onje.toml"
ORIGIN = About(
    lake_versions={},
    code_version="benchmark",
    trained_at=datetime(1970, 1, 1, tzinfo=UTC),
    synthetic=False,
)
METRICS = {"auc": "AUC", "ap_negative": "AP (active)", "log_loss": "log-loss", "ece": "ECE"}
RFM = ("days_since_order", "orders", "basket_value")


@dataclass(frozen=True)
class Shop:
    """A data set and how it is tested."""

    name: str
    read: Callable[[FeatureSettings], tuple[pl.DataFrame, pl.DataFrame]]
    known_until: datetime
    test_snapshots: int


@dataclass(frozen=True)
class Comparison:
    """Everybody on one shop; `lost` is the log-loss of each contestant less the model's, paired."""

    shop: str
    report: Report
    lost: Mapping[str, Interval]
    seconds: Mapping[str, float]


def cdnow(settings: FeatureSettings) -> tuple[pl.DataFrame, pl.DataFrame]:
    """History and (no) customers of the whole CDNOW cohort; an order is a day with purchases."""
    package = find_spec("lifetimes")
    if package is None or package.origin is None:
        raise SystemExit("the CDNOW data is in the package lifetimes; type `pip install onje[dev]`")
    lines = (Path(package.origin).parent / "datasets" / "CDNOW_master.txt").read_text().splitlines()
    rows = [line.split() for line in lines[1:] if line.strip()]
    bought = pl.DataFrame(rows, schema=["customer_id", "day", "discs", "dollars"], orient="row")
    order = pl.concat_str("customer_id", "day", separator="-")
    # Only the day is known; noon lies on that day in most of the world.
    at = (
        pl.col("day").str.to_datetime("%Y%m%d", time_unit="us", time_zone="UTC").dt.offset_by("12h")
    )
    events = bought.with_row_index("line").select(
        "customer_id",
        event_id=pl.col("line").cast(pl.String),
        at=at,
        known_at=at,
        kind=pl.lit("order"),
        channel=pl.lit("web"),
        quantity=pl.col("discs").cast(pl.Float64),
        amount=pl.col("dollars").cast(pl.Decimal(18, 4)),
        order_id=order,
    )
    return HISTORY.shape(events), CUSTOMERS.schema.create_empty()


def complete_journey(settings: FeatureSettings) -> tuple[pl.DataFrame, pl.DataFrame]:
    """History and customers of the demo's grocer."""
    ingested = completejourney.read()
    history = to_history(ingested.events, ingested.products, settings=settings)
    return history, ingested.customers


SHOPS = (
    Shop("CDNOW", cdnow, datetime(1998, 5, 1, tzinfo=UTC), test_snapshots=1),
    Shop("Complete Journey", complete_journey, datetime(2018, 1, 1, tzinfo=UTC), test_snapshots=2),
)


def logistic_on_log_rfm(train: pl.DataFrame, test: pl.DataFrame) -> Floats:
    """What a careful analyst does in an afternoon."""
    curve: Pipeline = make_pipeline(
        SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(max_iter=1000)
    )
    inputs = [pl.col(name).log1p() for name in RFM]
    curve.fit(train.select(inputs).to_numpy(), train.get_column("label").to_numpy())
    probabilities: Floats = curve.predict_proba(test.select(inputs).to_numpy())[:, 1]
    return probabilities


def compare(shop: Shop, settings: TrainingSettings, features: FeatureSettings) -> Comparison:
    """Train, test, and put everybody side by side on the same draws."""
    started = time.perf_counter()
    history, customers = shop.read(features)
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
    described = time.perf_counter()
    trained = fit_churn(train, test, settings=settings, feature_settings=features, origin=ORIGIN)
    fitted = time.perf_counter()

    labels, truth = train.get_column("label").to_numpy(), test.get_column("label").to_numpy()
    contestants = {
        "model": churn_of(trained.model, test),
        "logistic on log RFM": logistic_on_log_rfm(train, test),
    }
    for name, rule in BASELINES.items():
        contestants[name] = rule.fit(train, labels).probability(test)
    customer = trained.examples.get_column("customer").to_numpy()
    report = report_on(
        contestants,
        truth,
        customer,
        baseline=BASELINE,
        segments=None,
        facts=trained.report.facts,
        settings=settings.resampling,
    )
    losses = {name: log_losses(truth, found) for name, found in contestants.items()}
    lost = intervals(
        {name: mean(loss - losses["model"]) for name, loss in losses.items() if name != "model"},
        customer,
        settings=settings.resampling,
    )
    seconds = {"features": described - started, "fit and report": fitted - described}
    return Comparison(shop.name, report, lost, seconds)


def as_markdown(found: Comparison) -> str:
    """One table per shop."""
    facts = found.report.facts
    lines = [
        f"### {found.shop}",
        "",
        f"{facts['test_rows']} rows of {facts['test_customers']} customers, "
        f"{facts['test_share_churned']:.1%} churned, tested at {', '.join(facts['test_dates'])}; "
        f"learnt from {facts['train_rows']} rows ({facts['train_dates'][0]} to "
        f"{facts['train_dates'][-1]}). "
        + ", ".join(f"{name} {spent:.0f} s" for name, spent in found.seconds.items())
        + ".",
        "",
        f"| | {' | '.join(METRICS.values())} | log-loss lost against the model |",
        f"|---|{'---|' * (len(METRICS) + 1)}",
    ]
    for name, metrics in found.report.metrics.items():
        cells = [str(metrics[metric]) for metric in METRICS]
        lines.append(f"| {name} | {' | '.join(cells)} | {found.lost.get(name, '–')} |")
    return "\n".join([*lines, ""])


def as_json(found: Comparison) -> dict[str, object]:
    """The same, every interval as [low, estimate, high]."""
    return {
        "shop": found.shop,
        "facts": dict(found.report.facts),
        "metrics": {
            name: {metric: metrics[metric].as_list() for metric in METRICS}
            for name, metrics in found.report.metrics.items()
        },
        "log_loss_lost_against_the_model": {
            name: interval.as_list() for name, interval in found.lost.items()
        },
        "seconds": dict(found.seconds),
    }


def measure() -> list[Comparison]:
    """Everybody on every shop, by the settings of onje.toml."""
    written = tomllib.loads(SETTINGS.read_text("utf-8"))
    settings = TrainingSettings.model_validate(written["training"])
    features = FeatureSettings.model_validate(written["features"])
    return [compare(shop, settings, features) for shop in SHOPS]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    asked = parser.parse_args()
    found = measure()
    if asked.json:
        print(json.dumps([as_json(one) for one in found], indent=1))
    else:
        print("\n".join(as_markdown(one) for one in found))


if __name__ == "__main__":
    main()
