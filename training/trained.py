"""What a training run hands over: a model, and everything that is needed to judge it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import polars as pl

from training.evaluate import Interval
from training.model.model import Model
from training.settings import TrainingSettings


@dataclass(frozen=True)
class About:
    """Where a model comes from: the tables it saw, the code that read them, and when.

    `synthetic`: events that it saw were made up by a simulated world.
    """

    lake_versions: Mapping[str, int]
    code_version: str
    trained_at: datetime
    synthetic: bool


@dataclass(frozen=True)
class Report:
    """How well a model predicts rows that it was not trained on, and how well others do.

    `metrics` is by contestant ("model", the trivial baseline, further rivals) and metric. `gain`
    is the paired gain in log-loss over the trivial `baseline`: above zero, the model is better.
    `facts` counts what was seen: rows, customers, snapshots.
    """

    baseline: str
    metrics: Mapping[str, Mapping[str, Interval]]
    gain: Interval
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Trained:
    """A model with its evidence: what every trainer gives.

    A trainer takes (history, customers, products, *, known_until, settings, feature_settings,
    about), also what it does not read: whoever retrains need not know which model reads what.

    `examples` are the test rows, one per case: `customer` (a number without meaning outside this
    frame, so that no id of a person leaves with it), `baseline_loss` (log-loss of the trivial
    baseline) and whatever `training.losses` needs to score another model on the very same cases.
    `golden` are some rows of the model's inputs. `figures` are PNG images by name.
    """

    model: Model
    report: Report
    examples: pl.DataFrame
    golden: pl.DataFrame
    figures: Mapping[str, bytes]


# A preparation takes what a trainer takes, and gives what trains under settings that differ from
# its own in nothing but how trees are grown: features and labels are those it has made.
Fit: TypeAlias = Callable[[TrainingSettings], Trained]


def trainer(prepare: Callable[..., Fit]) -> Callable[..., Trained]:
    """What takes what `prepare` takes, and trains under the same settings at once."""

    def train(*tables: pl.DataFrame, settings: TrainingSettings, **rest: Any) -> Trained:
        return prepare(*tables, settings=settings, **rest)(settings)

    return train


def described(
    origin: About,
    report: Report,
    *,
    settings: Mapping[str, Any],
    feature_settings: Mapping[str, Any],
    meanings: Mapping[str, str],
) -> dict[str, Any]:
    """Everything that travels in about.json beside name and inputs, as plain JSON.

    `feature_settings`: those on which the model's inputs depend (see Model.misfit).
    """
    return {
        "trained_at": origin.trained_at.isoformat(),
        "code_version": origin.code_version,
        "lake_versions": dict(origin.lake_versions),
        "synthetic": origin.synthetic,
        "settings": dict(settings),
        "feature_settings": dict(feature_settings),
        "baseline": report.baseline,
        "metrics": {
            contestant: {name: interval.as_list() for name, interval in metrics.items()}
            for contestant, metrics in report.metrics.items()
        },
        "gain": report.gain.as_list(),
        "facts": dict(report.facts),
        "meanings": dict(meanings),
    }
