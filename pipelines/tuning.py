"""Look for better settings of models on what the lake says, and record what was found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from features.errors import NotReadyError
from features.lake import Lake
from pipelines.console import Step
from pipelines.models import TRAINERS, table_of
from pipelines.retrain import known_by, preparation_of
from pipelines.settings import Settings
from training.registry import Registry
from training.tune import Tables, Tuned, tune


def tune_models(
    names: Sequence[str],
    lake: Lake,
    registry: Registry,
    *,
    known_until: datetime,
    at: datetime,
    trials: int | None,
    settings: Settings,
    step: Step,
) -> list[Tuned]:
    """Try settings for the models of `names` (keys of TRAINERS); onje.toml stays as it is.

    `trials` is how many, those of [training.tuning] if None. A model for which the data does not
    suffice is left out; NotReadyError where it suffices for none.
    """
    known = known_by(known_until, lake, trained_at=at, settings=settings)
    found: list[Tuned] = []
    problems: list[str] = []
    for model in (model for name in names for model in TRAINERS[name]):
        try:
            tuned = tune(
                model,
                table_of(model, type(settings.training).model_fields),
                preparation_of(model),
                Tables(known.history, known.customers, known.products),
                known_until=known.until,
                settings=settings.training,
                feature_settings=settings.features,
                about=known.about,
                trials=trials or settings.training.tuning.trials,
                step=step,
            )
        except NotReadyError as problem:
            problems.append(f"{model}: {problem}")
            continue
        registry.record_search(tuned, known.about)
        found.append(tuned)
    if not found:
        raise NotReadyError("\n".join(problems))
    return found


def row_of_tuned(one: Tuned) -> dict[str, Any]:
    """What a search has found, in one line."""
    low, high = one.gain.low, one.gain.high
    return {
        "model": one.name,
        "tried": len(one.trials),
        "seconds": round(one.seconds),
        "gain": str(one.gain),
        "verdict": "surely better" if low > 0 else "worse" if high < 0 else "not surely better",
        "searched_until": ", ".join(f"{end:%Y-%m-%d}" for end in reversed(one.folds)),
        "proved_until": f"{one.proof:%Y-%m-%d}",
        "found": one.found,
        "present": one.present,
        "note": one.note,
        "toml": one.toml,
    }
