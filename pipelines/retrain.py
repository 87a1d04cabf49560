"""Train models on what the lake says, and record each with its evidence."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from features.errors import NotReadyError, OnjeError
from features.history import to_history
from features.lake import Lake
from pipelines.console import Step
from pipelines.models import TRAINERS
from pipelines.settings import Settings
from training.affinity import prepare_affinity
from training.churn import prepare_churn
from training.dormancy import prepare_email_dormancy
from training.dormancy_date import prepare_dormancy_date
from training.evaluate import Interval
from training.gate import Verdict
from training.registry import Registry
from training.response import prepare_response
from training.send_hour import prepare_send_hour
from training.trained import About, Fit, Trained, trainer


@dataclass(frozen=True)
class Retrained:
    """One new version with what was measured, and the gate's verdict where it was asked."""

    name: str
    version: str
    trained: Trained
    verdict: Verdict | None


@dataclass(frozen=True)
class Skipped:
    """A model for which the data does not suffice, and why; the others are trained all the same."""

    name: str
    reason: str


@dataclass(frozen=True)
class Known:
    """What there is to learn from: the tables as HISTORY, CUSTOMERS and PRODUCTS, until when
    something is known, and where it comes from.
    """

    history: pl.DataFrame
    customers: pl.DataFrame
    products: pl.DataFrame
    until: datetime
    about: About


def retrain(
    names: Sequence[str],
    lake: Lake,
    registry: Registry,
    *,
    known_until: datetime,
    trained_at: datetime,
    promote: bool,
    settings: Settings,
    step: Step,
) -> list[Retrained | Skipped]:
    """Train the models of `names` (keys of TRAINERS) on what was known until `known_until`.

    Each is recorded as challenger; with `promote` the gate is asked to make it champion. What
    cannot be trained is skipped; where nothing can, the error of the first, with what all say.
    """
    return list(
        retrained(
            names, lake, registry, known_until=known_until, trained_at=trained_at,
            promote=promote, settings=settings, step=step,
        )
    )  # fmt: skip


def retrained(
    names: Sequence[str],
    lake: Lake,
    registry: Registry,
    *,
    known_until: datetime,
    trained_at: datetime,
    promote: bool,
    settings: Settings,
    step: Step,
) -> Iterator[Retrained | Skipped]:
    """One after the other what `retrain` gives: what is done is told, whatever comes after it."""
    known = known_by(known_until, lake, trained_at=trained_at, settings=settings)
    models = [model for name in names for model in TRAINERS[name]]
    problems: list[OnjeError] = []
    for place, model in enumerate(models):
        step("models", place, len(models))
        try:
            yield _retrained(model, known, registry, promote=promote, settings=settings)
        except OnjeError as problem:
            problems.append(problem)
            yield Skipped(model, str(problem))
    step("models", len(models), len(models))
    if len(problems) == len(models):
        told = (f"{model}: {problem}" for model, problem in zip(models, problems, strict=True))
        raise type(problems[0])("\n".join(told))


def _retrained(
    model: str, known: Known, registry: Registry, *, promote: bool, settings: Settings
) -> Retrained:
    trained = trainer_of(model)(
        known.history,
        known.customers,
        known.products,
        known_until=known.until,
        settings=settings.training,
        feature_settings=settings.features,
        about=known.about,
    )
    number = registry.record(trained)
    verdict = None
    if promote:
        verdict = registry.promote(
            model, version=number, force_reason=None, settings=settings.training.resampling
        )
    return Retrained(model, number, trained, verdict)


def known_by(asked: datetime, lake: Lake, *, trained_at: datetime, settings: Settings) -> Known:
    """Everything in the lake, one version of each table, to be read as of `asked`."""
    versions = lake.versions()
    products, customers, events = (
        lake.read(table, version=versions.get(table))
        for table in ("products", "customers", "events")
    )
    history = to_history(events, products, settings=settings.features)
    about = About(
        lake_versions=versions,
        code_version=code_version(),
        trained_at=trained_at,
        synthetic=lake.is_synthetic(),
    )
    return Known(history, customers, products, data_until(history, asked), about)


def data_until(history: pl.DataFrame, asked: datetime) -> datetime:
    """`asked`, or when the newest thing became known, if that was before.

    After an export of ten days ago nothing is known of these ten days: taken for "no order", they
    would teach that everybody leaves.
    """
    newest = history.select(pl.col("known_at").filter(pl.col("known_at") <= asked).max()).item()
    if newest is None:
        raise NotReadyError(f"nothing was known by {asked:%Y-%m-%d %H:%M} UTC; choose a later time")
    found: datetime = newest
    return found


def row_of(one: Retrained | Skipped) -> dict[str, Any]:
    """What people want to know of a new version, in one line."""
    if isinstance(one, Skipped):
        nothing = dict.fromkeys(
            ("version", "log_loss", "baseline", "gain", "champion", "synthetic")
        )
        return {"model": one.name, **nothing, "gate": f"not trained: {one.reason}"}
    report, verdict = one.trained.report, one.verdict
    return {
        "model": one.name,
        "version": one.version,
        "log_loss": str(report.metrics["model"]["log_loss"]),
        "baseline": f"{report.baseline} {report.metrics[report.baseline]['log_loss']}",
        "gain": str(report.gain),
        "champion": verdict.promote if verdict else None,
        "synthetic": one.trained.model.about["synthetic"],
        "gate": "; ".join(verdict.reasons) if verdict else "not asked",
    }


def with_interval(metrics: Mapping[str, float], name: str) -> str | None:
    """A logged metric with its interval, None where it was not logged."""
    if name not in metrics:
        return None
    return str(Interval(metrics[f"{name}.low"], metrics[name], metrics[f"{name}.high"]))


def code_version() -> str:
    """The version of this code: the commit it stands on where there is one, else the release's."""
    root = Path(__file__).parent.parent
    described = subprocess.run(
        ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    commit = described.stdout.strip() if (root / ".git").exists() else ""
    return f"{version('onje')}+{commit}" if commit else version("onje")


def trainer_of(model: str) -> Callable[..., Trained]:
    """What trains `model`: its preparation, and then the trees of the same settings."""
    return trainer(preparation_of(model))


def preparation_of(model: str) -> Callable[..., Fit]:
    """What makes the features and labels of `model`, and gives what trains on them."""
    preparations: dict[str, Callable[..., Fit]] = {
        "churn": prepare_churn,
        "email-dormancy": prepare_email_dormancy,
        "dormancy-date": prepare_dormancy_date,
        "send-hour": prepare_send_hour,
        "affinity-category": partial(prepare_affinity, item="category"),
        "affinity-product": partial(prepare_affinity, item="product_id"),
        "response-click": partial(prepare_response, outcome="click"),
        "response-order": partial(prepare_response, outcome="order"),
        "response-unsubscribe": partial(prepare_response, outcome="unsubscribe"),
    }
    return preparations[model]
