"""What the models cost: processor time per customer at night, and for one who is waited for.

On a copy of the installation, with its champions; where there is none, in a simulated shop with
models learnt there. The models' share is told apart from what reads a past and from the policy. The
goals are .4 ms per customer at night and 2 ms for one; item lists are a stage of the night by
themselves and stand apart. The night is decided in portions: one of them is measured.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any
from unittest.mock import patch

import polars as pl

from benchmarks.copies import copied
from benchmarks.model_rows import OURS, Row, Step, as_markdown
from features.errors import NotReadyError
from features.history import to_history
from features.lake import Lake
from pipelines.console import progress, silently
from pipelines.installation import Installation
from pipelines.models import MODELS
from pipelines.places import places
from pipelines.retrain import trainer_of
from pipelines.settings import Settings, load_settings
from pipelines.simulator.into_lake import simulate
from pipelines.simulator.size import Size
from serving import answer, scores
from serving.conditions import NO_CONDITIONS
from serving.knowledge import Knowledge
from serving.models import FIELDS, NO_MODELS, ModelShelf
from serving.scores import Models
from serving.tables import MAIL, REQUESTS
from serving.valuation import OWN
from training.model.model import Model
from training.registry import champions
from training.trained import About

ROOT = Path(__file__).parents[1]
WORLD = Size("rich", 2_000, 26, 11)
PORTION = 1_000
ALONE = 40
REPEATS = 3
GOALS_MS = {"night": 0.4, "alone": 2.0}
STAGES = {"night": "a stage of the night by itself", "alone": ""}
# What reads a past and says what there was, and what says what is likely.
DESCRIBES = ("past_of", "features_of", "hours_of", "habits_of", "permissions_as_of", "contacts_of")
SCORES = (
    "score_churn",
    "score_email_dormancy",
    "score_dormancy_date",
    "score_hours",
    "score_items",
)
RESPONSES = "with_responses"
METERED: Sequence[tuple[ModuleType, Sequence[str]]] = (
    (scores, (*DESCRIBES, *SCORES)),
    (answer, (RESPONSES,)),
)
LISTS = ("affinity-category", "affinity-product")
WHOLE = "all"


@dataclass(frozen=True)
class Asked:
    """Whose customers are decided for, as of when, and by which models."""

    data: str
    history: pl.DataFrame
    customers: pl.DataFrame
    products: pl.DataFrame
    models: Models
    settings: Settings
    as_of: datetime

    def answer(self, customers: Sequence[str]) -> None:
        """Decide for `customers` in one pass."""
        theirs = pl.col("customer_id").is_in(list(customers))
        answer.answer(
            _requests(customers, self.as_of),
            Knowledge(
                self.history.filter(theirs),
                self.customers.filter(theirs),
                self.products,
                pl.DataFrame(schema=MAIL),
                NO_CONDITIONS,
                {},
            ),
            self.models,
            settings=self.settings.serving,
            feature_settings=self.settings.features,
            valuation=OWN,
        )


def rows(step: Step) -> list[Row]:
    """Milliseconds of processor time by model, at night per customer and alone."""
    if champions(places(os.environ).home):
        with copied() as onje:
            asked = _installed(onje)
    else:
        print(
            "there are no champions in ONJE_HOME, so a simulated shop is measured; "
            "for your own type `onje train all --promote`, for the demo `onje demo --once`",
            file=sys.stderr,
        )
        asked = _simulated(step)
    return _rows(asked, step)


def _installed(onje: Installation) -> Asked:
    settings = onje.settings
    shelf = ModelShelf(onje.places.home)
    shelf.refresh(settings.features)
    products, customers = onje.lake.read("products"), onje.lake.read("customers")
    history = to_history(onje.lake.read("events"), products, settings=settings.features)
    now = onje.now()
    return Asked("installation", history, customers, products, shelf.current, settings, now)


def _simulated(step: Step) -> Asked:
    settings = load_settings(ROOT / "onje.toml", patches=[])
    with TemporaryDirectory(prefix="onje-bench-") as folder:
        lake = Lake(Path(folder) / "lake")
        start = simulate(Path(folder), lake, WORLD, step=silently).start
        products, customers = lake.read("products"), lake.read("customers")
        history = to_history(lake.read("events"), products, settings=settings.features)
    about = About({}, "benchmark", datetime(1970, 1, 1, tzinfo=UTC), synthetic=True)
    learnt: dict[str, Model] = {}
    for done, name in enumerate(MODELS):
        step("speed: training", done, len(MODELS))
        try:
            learnt[FIELDS[name]] = trainer_of(name)(
                history,
                customers,
                products,
                known_until=start,
                settings=settings.training,
                feature_settings=settings.features,
                about=about,
            ).model
        except NotReadyError:
            continue
    step("speed: training", len(MODELS), len(MODELS))
    models = replace(NO_MODELS, **learnt)
    data = f"world {WORLD} (synthetic)"
    return Asked(data, history, customers, products, models, settings, start)


def _requests(customers: Sequence[str], as_of: datetime) -> pl.DataFrame:
    ids = list(customers)
    frame = pl.DataFrame({"customer_id": ids, "request_id": ids, "decision_id": ids}).with_columns(
        row=pl.int_range(pl.len(), dtype=pl.UInt32), as_of=pl.lit(as_of).cast(REQUESTS["as_of"])
    )
    missing = [pl.lit(None, dtype).alias(n) for n, dtype in REQUESTS.items() if n not in frame]
    return frame.with_columns(missing).select(list(REQUESTS))


def _rows(asked: Asked, step: Step) -> list[Row]:
    known = asked.history.filter(pl.col("known_at") <= asked.as_of)
    ids = known.get_column("customer_id").unique().sort().head(PORTION).to_list()
    asked.answer(ids[:10])  # what is done once, on first use, is nobody's cost
    asked.answer(ids[:1])
    night, alone = [], []
    for repeat in range(REPEATS):
        step("speed: a portion of the night", repeat, REPEATS)
        night.append(_spent(asked, ids))
    step("speed: a portion of the night", REPEATS, REPEATS)
    for place, one in enumerate(ids[:ALONE]):
        step("speed: one customer", place + 1, min(ALONE, len(ids)))
        alone.append(_spent(asked, [one]))
    return [
        *_told(asked, "ms of processor per customer, night", "night", night, len(ids), min),
        *_told(asked, "ms of processor, one customer", "alone", alone, 1, median),
    ]


def _spent(asked: Asked, customers: Sequence[str]) -> dict[str, float]:
    """Seconds of processor time by model, by function that describes, and in all."""
    with _metered() as spent:
        begun = time.process_time()
        asked.answer(customers)
        spent[WHOLE] = time.process_time() - begun
    return spent


@contextmanager
def _metered() -> Iterator[dict[str, float]]:
    """Adds up the processor time of what is called: by the name of the model, or of the function.

    None of them calls another one of them, so that nothing counts twice.
    """
    spent: dict[str, float] = defaultdict(float)

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*given: Any, **named: Any) -> Any:
            name = given[0].name if isinstance(given[0], Model) else function.__name__
            begun = time.process_time()
            try:
                return function(*given, **named)
            finally:
                spent[name] += time.process_time() - begun

        return call

    with ExitStack() as stack:
        for module, names in METERED:
            for name in names:
                function = timed(getattr(module, name))
                stack.enter_context(patch.object(module, name, function))
        yield spent


def _told(
    asked: Asked,
    metric: str,
    when: str,
    runs: Sequence[Mapping[str, float]],
    customers: int,
    best: Callable[[Sequence[float]], float],
) -> list[Row]:
    """The sums first, then model by model, then what is no model's."""

    def ms(names: Sequence[str]) -> float:
        return best([sum(run.get(name, 0.0) for name in names) for run in runs]) / customers * 1e3

    missing = [name for name in MODELS if getattr(asked.models, FIELDS[name]) is None]
    note = f"no model of {', '.join(missing)}" if missing else ""
    single = [name for name in MODELS if name not in LISTS and not name.startswith("response-")]
    without = [*single, RESPONSES]
    goal = GOALS_MS[when]
    lines = [
        (f"{OURS}, models without item lists", without, _beside(ms(without), goal)),
        (f"{OURS}, item lists", LISTS, STAGES[when]),
        (f"{OURS}, all models", [*without, *LISTS], _beside(ms([*without, *LISTS]), goal)),
        *((f"model {name}", [name], "") for name in (*single, *LISTS)),
        ("models response-*", [RESPONSES], "of each e-mail that competes"),
        *((f"described by {name}", [name], "no model's") for name in DESCRIBES),
        ("all of a decision, policy included", [WHOLE], ""),
    ]
    return [
        Row(
            asked.data,
            "speed",
            method,
            metric,
            ms(names),
            None,
            None,
            "; ".join(part for part in (said, note) if part) if method.startswith(OURS) else said,
        )
        for method, names, said in lines
        if ms(names)
    ]


def _beside(ms: float, goal: float) -> str:
    """Where a figure stands beside its goal."""
    return f"{'within' if ms <= goal else 'above'} the goal of {goal} ms"


if __name__ == "__main__":
    with progress(quiet=False) as told:
        print(as_markdown(rows(told)))
