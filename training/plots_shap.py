"""A picture of what each input adds to a model's answer, row by row."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.figure import Figure

from training.evaluate import Floats
from training.explain import Contributions

MOST_INPUTS = 15
BINS = 60
WIDEST = 0.4


def contributions_plot(found: Contributions) -> bytes:
    """A dot per row and input: to the right it raised the answer; red is a high value of it.

    Grey is "not known". The inputs that move most come first; dots that would hide one another
    lie above and below.
    """
    order = np.argsort(-np.abs(found.added).mean(axis=0), kind="stable")[:MOST_INPUTS]
    figure = Figure(figsize=(8, 0.38 * len(order) + 1.2), layout="constrained")
    axes = figure.add_subplot(xlabel="added to the log-odds")
    axes.axvline(0, color="lightgrey")
    for place, column in enumerate(order[::-1]):
        added, values = found.added[:, column], found.values[:, column]
        height = place + _spread(added)
        known = np.isfinite(values)
        axes.scatter(added[~known], height[~known], s=5, color="lightgrey")
        axes.scatter(
            added[known], height[known], s=5, c=_ranks(values[known]), cmap="coolwarm",
            vmin=0, vmax=1,
        )  # fmt: skip
    axes.set_yticks(range(len(order)), [found.inputs[column] for column in order[::-1]])
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def _spread(added: Floats) -> Floats:
    """How far above or below its line each dot lies: the n-th of its bin by n, either way."""
    bins = np.floor((added - added.min()) / max(np.ptp(added), 1e-300) * BINS).astype(np.int64)
    order = np.argsort(bins, kind="stable")
    starts = np.searchsorted(bins[order], bins[order], side="left")
    within = np.empty(len(bins), dtype=np.float64)
    within[order] = np.arange(len(bins)) - starts
    sides = np.where(within % 2 == 0, 1.0, -1.0) * np.ceil(within / 2)
    spread: Floats = sides / max(np.abs(sides).max(), 1.0) * WIDEST
    return spread


def _ranks(values: Floats) -> Floats:
    """Where each value stands among the others, 0 to 1; equal ones stand together."""
    if not len(values):
        return values
    _, places = np.unique(values, return_inverse=True)
    ranks: Floats = places / max(places.max(), 1)
    return ranks
