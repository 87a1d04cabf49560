"""What became of one policy in one world, kept whole or not at all."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl


@dataclass(frozen=True)
class Figures:
    """Totals of one policy in one simulated world, over all customers, from the world's truth.

    Money in the base currency. `margin` is that of all orders, less discounts and costs of
    sending; `gain` is what the truth expected the mails to add to it. `explored` counts mails that
    chance chose.
    """

    policy: str
    seed: int
    margin: float
    gain: float
    orders: int
    unsubscribes: int
    complaints: int
    mails: int
    explored: int
    models: dict[str, str | None]
    fixed: str | None


@dataclass(frozen=True)
class Result:
    """What is kept of a run besides its figures.

    `customers`: customer_id, holdout, margin, orders, unsubscribes, complaints, mails, before
    (their margin before the comparison began), gain (as if chance had chosen none of the mails).
    `mails`: customer_id, at, email, explored, kept (the chance that it was not explored), gain.
    `log`: what each decision that had a choice was drawn from, and its reward
    (pipelines.evaluation.logged); only Onje draws, so that of others is empty.
    """

    figures: Figures
    customers: pl.DataFrame
    mails: pl.DataFrame
    log: pl.DataFrame


FRAMES = ("customers", "mails", "log")


def save(result: Result, folder: Path) -> None:
    """Write to `folder`, which appears whole."""
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    (unfinished / "figures.json").write_text(json.dumps(asdict(result.figures), indent=2))
    for name in FRAMES:
        getattr(result, name).write_parquet(unfinished / f"{name}.parquet")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def load(folder: Path) -> Result | None:
    """The result kept in `folder`; None where there is none, or none that can be read."""
    try:
        figures = Figures(**json.loads((folder / "figures.json").read_text()))
        return Result(figures, *(pl.read_parquet(folder / f"{name}.parquet") for name in FRAMES))
    except (OSError, ValueError, TypeError, pl.exceptions.PolarsError):
        return None
