"""What a run keeps beside its figures: pictures, test cases, inputs and what they do, a card."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from training.card import card
from training.evaluate import customers_of_weight
from training.explain import contributions
from training.plots_shap import contributions_plot
from training.registry import EXAMPLES
from training.trained import Trained

INPUTS, CARD = "inputs.json", "card.md"


def write_evidence(trained: Trained, folder: Path) -> None:
    """Write to `folder` what whoever judges the model wants to see; no customer is named in it."""
    figures = folder / "figures"
    figures.mkdir(parents=True)
    moves = contributions(trained)
    pictures = {**trained.figures, "contributions": contributions_plot(moves)}
    for name, image in pictures.items():
        (figures / f"{name}.png").write_bytes(image)
    trained.examples.write_parquet(folder / EXAMPLES)
    about = trained.model.about
    table = moves.table(about["meanings"])
    judged_by = customers_of_weight(trained.examples.get_column("customer").to_numpy())
    inputs = {"rows_are": moves.rows_are, "inputs": table.to_dicts(), "judged_by": judged_by}
    (folder / INPUTS).write_text(json.dumps(inputs, indent=1), "utf-8")
    text = card(
        trained.model.name, "not yet recorded", about, gate="not judged yet",
        contributions=table, rows_are=moves.rows_are, judged_by=judged_by,
    )  # fmt: skip
    (folder / CARD).write_text(text, "utf-8")


def card_of(name: str, version: str, *, about: dict[str, object], gate: str, inputs: Path) -> str:
    """The card of a recorded version, with what has been said of it since; `inputs` is INPUTS."""
    moves = json.loads(inputs.read_text("utf-8"))
    return card(
        name, version, about, gate=gate, contributions=pl.DataFrame(moves["inputs"]),
        rows_are=moves["rows_are"], judged_by=moves.get("judged_by"),
    )  # fmt: skip
