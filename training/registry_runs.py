"""What MLflow shows of a training or of a search for settings: figures, settings and tags."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from training.evaluate import Interval
from training.registry import SYNTHETIC
from training.trained import About, Trained
from training.tune import Tuned

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric


def log_run(client: MlflowClient, run: str, trained: Trained) -> None:
    """Log settings, metrics with their intervals, and where the data and the code come from."""
    described, report = trained.model.about, trained.report
    at = _milliseconds(datetime.fromisoformat(described["trained_at"]))
    metrics = [
        one
        for contestant, found in report.metrics.items()
        for name, interval in found.items()
        for one in _as_metrics(f"{contestant}/{name}", interval, at)
    ]
    _log(
        client,
        run,
        metrics=[*metrics, *_as_metrics("gain", report.gain, at)],
        params={**described["settings"], **_short(report.facts)},
        tags={
            "code_version": described["code_version"],
            "lake_versions": json.dumps(described["lake_versions"]),
            "trained_at": described["trained_at"],
            "baseline": report.baseline,
            SYNTHETIC: as_tag(described[SYNTHETIC]),
        },
    )
    client.log_dict(run, dict(report.facts), "facts.json")


def _short(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What fits on a line; tables of facts stand in the run's artifacts."""
    return {name: fact for name, fact in facts.items() if not isinstance(fact, list | dict)}


def log_search(client: MlflowClient, run: str, tuned: Tuned, about: About) -> None:
    """Log every setting's loss in the order in which they were tried, and what was found."""
    from mlflow.entities import Metric

    at = _milliseconds(about.trained_at)
    losses = [
        Metric("tried/log_loss", loss, at, step) for step, (_, loss) in enumerate(tuned.trials)
    ]
    _log(
        client,
        run,
        metrics=[*losses, *_as_metrics("gain", tuned.gain, at)],
        params={
            **{f"found/{key}": value for key, value in tuned.found.items()},
            **{f"present/{key}": value for key, value in tuned.present.items()},
        },
        tags={
            "search": tuned.table,
            "code_version": about.code_version,
            "lake_versions": json.dumps(dict(about.lake_versions)),
            "proved_until": tuned.proof.isoformat(),
            SYNTHETIC: as_tag(about.synthetic),
        },
    )
    client.log_text(run, f"{tuned.toml}\n", "settings.toml")


def as_tag(flag: bool) -> str:
    return "true" if flag else "false"


def _log(
    client: MlflowClient,
    run: str,
    *,
    metrics: list[Metric],
    params: Mapping[str, object],
    tags: Mapping[str, object],
) -> None:
    from mlflow.entities import Param, RunTag

    client.log_batch(
        run,
        metrics=metrics,
        params=[Param(key, str(value)) for key, value in params.items()],
        tags=[RunTag(key, str(value)) for key, value in tags.items()],
    )


def _as_metrics(name: str, interval: Interval, at: int) -> list[Metric]:
    from mlflow.entities import Metric

    return [
        Metric(name, interval.estimate, at, 0),
        Metric(f"{name}.low", interval.low, at, 0),
        Metric(f"{name}.high", interval.high, at, 0),
    ]


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
