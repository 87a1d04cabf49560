"""Training each model, beside what cannot be saved: its features and LightGBM's own `train`.

Labels, baselines, intervals, calibration, plots and the model's report are what is paid on top. All
is measured within the same run, by a profile of the calls, so that both sides see the same rows.
"""

from __future__ import annotations

import cProfile
import pstats
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightgbm.engine

from features import build
from features.errors import NotReadyError
from features.history import to_history
from pipelines.installation import Installation
from pipelines.models import MODELS
from pipelines.retrain import code_version, data_until, trainer_of
from training.trained import About

FEATURES = str(Path(build.__file__).parent)
TARGET = 1.3


def run(onje: Installation) -> dict[str, Any]:
    """Seconds of each model's training by part; a model that cannot be trained says why."""
    settings = onje.settings
    events, customers, products = (
        onje.lake.read(table) for table in ("events", "customers", "products")
    )
    history = to_history(events, products, settings=settings.features)
    about = About(onje.lake.versions(), code_version(), datetime.now(UTC), onje.lake.is_synthetic())
    found: dict[str, Any] = {"events": history.height, "synthetic": about.synthetic, "models": {}}
    for model in MODELS:
        profile = cProfile.Profile()
        try:
            profile.runcall(
                trainer_of(model),
                history,
                customers,
                products,
                known_until=data_until(history, onje.now()),
                settings=settings.training,
                feature_settings=settings.features,
                about=about,
            )
        except NotReadyError as problem:
            found["models"][model] = {"not_trained": str(problem).split(";")[0]}
            continue
        found["models"][model] = parts_of(pstats.Stats(profile))
    return found


def parts_of(stats: pstats.Stats) -> dict[str, float]:
    """Seconds in all, in features (calls from outside into that package) and in LightGBM."""
    functions: dict[Any, Any] = stats.stats  # type: ignore[attr-defined]
    features = sum(
        called[3]
        for (file, *_), (*_, callers) in functions.items()
        if file.startswith(FEATURES)
        for (caller, *_), called in callers.items()
        if not caller.startswith(FEATURES) and "/training/" in caller
    )
    engine = lightgbm.engine.__file__
    fit = sum(
        cumulative
        for (file, _, name), (_, _, _, cumulative, _) in functions.items()
        if file == engine and name == "train"
    )
    total = stats.total_tt  # type: ignore[attr-defined]
    return {
        "seconds": total,
        "features": features,
        "lightgbm": fit,
        "ratio": total / (features + fit),
    }


def table(measured: dict[str, Any]) -> str:
    """The figures as a markdown table."""
    lines = [
        f"{measured['events']:,} events{' (synthetic)' if measured['synthetic'] else ''}; the goal "
        f"is a ratio of {TARGET} or less.\n",
        "| model | seconds | features | LightGBM | ratio |",
        "|---|---|---|---|---|",
    ]
    for model, one in measured["models"].items():
        lines.append(
            f"| {model} | not trained: {one['not_trained']} | | | |"
            if "not_trained" in one
            else f"| {model} | {one['seconds']:.1f} | {one['features']:.1f} "
            f"| {one['lightgbm']:.1f} | {one['ratio']:.2f} |"
        )
    return "\n".join(lines)
