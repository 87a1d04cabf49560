"""What the models cost: processor time per customer at night, and for one who is waited for.

On a copy of the installation, with its champions. Features are told apart: the models' share is
that of the functions that score. The night is decided in portions: one of them is measured.
"""

from __future__ import annotations

import cProfile
import os
import pstats
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from statistics import median

import polars as pl

from benchmarks.copies import copied
from benchmarks.model_rows import OURS, Row, Step
from features.history import to_history
from features.tables import SPINE
from pipelines.installation import Installation
from serving.knowledge import Knowledge
from serving.models import ModelShelf
from serving.scores import scores_of
from serving.tables import MAIL

PORTION = 1_000
ALONE = 40
REPEATS = 3
# Whatever reads a past and says what there was, and whatever says what is likely.
DESCRIBES = ("past_of", "features_of", "hours_of", "habits_of", "permissions_as_of")
SCORES = "score_"


def rows(step: Step) -> list[Row]:
    """Milliseconds of processor time by function, at night per customer and alone."""
    with copied() as onje:
        return _rows(onje, step)


def _rows(onje: Installation, step: Step) -> list[Row]:
    settings = onje.settings
    shelf = ModelShelf(onje.places.home)
    shelf.refresh(settings.features)
    products, customers = onje.lake.read("products"), onje.lake.read("customers")
    history = to_history(onje.lake.read("events"), products, settings=settings.features)
    as_of = onje.now()
    ids = history.get_column("customer_id").unique().sort().head(PORTION).to_list()

    def score(some: Sequence[str]) -> None:
        theirs = pl.col("customer_id").is_in(list(some))
        knowledge = Knowledge(
            history.filter(theirs), customers.filter(theirs), products, pl.DataFrame(schema=MAIL)
        )
        scores_of(
            _spine(some, as_of),
            knowledge,
            shelf.current,
            settings=settings.serving,
            feature_settings=settings.features,
        )

    score(ids[:10])  # what is done once, on first use, is nobody's cost
    night = []
    for repeat in range(REPEATS):
        step("speed: a portion of the night", repeat, REPEATS)
        night.append(_spent(score, ids))
    step("speed: a portion of the night", REPEATS, REPEATS)
    alone = []
    for place, one in enumerate(ids[:ALONE]):
        step("speed: one customer", place + 1, ALONE)
        alone.append(_spent(score, [one]))
    missing = ", ".join(name for name, version in shelf.current.versions.items() if not version)
    note = f"no champion of {missing}" if missing else ""
    found = [
        *_told("ms of processor per customer, night", night, len(ids), min, note),
        *_told("ms of processor, one customer", alone, 1, median, note),
    ]
    return [row for row in found if row.value]


def _spine(customers: Sequence[str], as_of: datetime) -> pl.DataFrame:
    return SPINE.shape(pl.DataFrame({"customer_id": list(customers)}).with_columns(as_of=as_of))


def _spent(score: Callable[[Sequence[str]], None], customers: Sequence[str]) -> dict[str, float]:
    """Seconds of processor time by function."""
    profile = cProfile.Profile(time.process_time)
    profile.runcall(score, customers)
    spent: dict[str, float] = {}
    for (file, _, function), (*_, cumulative, _callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        of_ours = f"{os.sep}training{os.sep}" in file or f"{os.sep}features{os.sep}" in file
        if of_ours and (function in DESCRIBES or function.startswith(SCORES)):
            spent[function] = cumulative
    return spent


def _told(
    metric: str,
    runs: Sequence[Mapping[str, float]],
    customers: int,
    best: Callable[[Sequence[float]], float],
    note: str,
) -> list[Row]:
    def ms(of: Callable[[str], bool]) -> float:
        sums = [sum(spent for name, spent in run.items() if of(name)) for run in runs]
        return best(sums) / customers * 1_000

    names = sorted({name for run in runs for name in run})
    return [
        Row("installation", "speed", method, metric, ms(of), None, None, note)
        for method, of in [
            (f"{OURS}, all models", _is_model),
            *((name, name.__eq__) for name in names),
        ]
    ]


def _is_model(function: str) -> bool:
    return function.startswith(SCORES)
