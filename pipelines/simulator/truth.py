"""What is hidden in a simulated world, kept beside the lake: ONJE_HOME/truth.

Only the simulator and the evaluation may look (an import rule and a test): whoever learns or
decides has to make do with events.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from features.errors import DamagedError, NotReadyError
from pipelines.simulator.population import Population
from pipelines.simulator.size import Size
from pipelines.simulator.worlds import WorldSettings

FOLDER = "truth"
_TIMES = ("signed_up", "leaves")


def write_truth(
    home: Path,
    size: Size,
    settings: WorldSettings,
    population: Population,
    *,
    start: datetime,
    past: str,
) -> None:
    """customers.parquet, one row per customer, then world.json, which says what it is of.

    `past` tells this past from another of the same size, made by other code. NotReadyError where
    the disk does not take it.
    """
    folder = home / FOLDER
    customers, world = folder / "customers.unfinished", folder / "world.unfinished"
    said = {
        "synthetic": "every figure is simulated",
        **asdict(size),
        "start": start.isoformat(),
        "past": past,
        "settings": settings.model_dump(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        hidden(population).write_parquet(customers)
        customers.replace(folder / "customers.parquet")
        world.write_text(json.dumps(said, indent=2) + os.linesep, "utf-8")
        world.replace(folder / "world.json")
    except (OSError, pl.exceptions.ComputeError) as problem:
        raise NotReadyError(
            f"{folder} cannot be written: {problem}; make room, or set ONJE_HOME to a folder "
            "elsewhere, then type the same again"
        ) from problem


def size_of(home: Path) -> Size | None:
    """The world whose truth lies in this home, None where there is none.

    DamagedError where its world.json cannot be read.
    """
    held = _written(home)
    return None if held is None else held[0]


def past_of(home: Path) -> str | None:
    """What `write_truth` was given as `past`."""
    held = _written(home)
    return None if held is None else held[1]


def _written(home: Path) -> tuple[Size, str] | None:
    file = home / FOLDER / "world.json"
    if not file.exists():
        return None
    try:
        said: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return Size(**{field.name: said[field.name] for field in fields(Size)}), said["past"]
    except (ValueError, KeyError, TypeError) as fault:
        raise DamagedError(
            f"{file} does not say which world it is of; remove the folder {home} and simulate anew"
        ) from fault


def truth_of_customers(home: Path) -> pl.DataFrame:
    """`hidden`, as it was written."""
    return pl.read_parquet(home / FOLDER / "customers.parquet")


def hidden(population: Population) -> pl.DataFrame:
    """One row per customer; what drifts has a column before (`tastes`) and after (`tastes_after`).

    Rows of several numbers are arrays: tastes by category, rhythm by weekday or weekend and hour.
    """
    columns: dict[str, Any] = {"customer_id": population.names}
    for field in fields(population):
        value = getattr(population, field.name)
        if not isinstance(value, np.ndarray):
            continue
        if len(value) == population.size:
            columns[field.name] = value
        else:  # by era first: what a customer is like before a drift, and after it
            eras = (field.name, f"{field.name}_after")
            columns |= dict(zip(eras, value, strict=False))
    times = pl.col(name for name in _TIMES if name in columns)
    return pl.DataFrame(columns).with_columns(times.cast(pl.Datetime("us", "UTC")))
