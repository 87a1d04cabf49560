"""Pictures that tell whether probabilities can be trusted and whether ranking pays."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.calibration import CALIBRATION_BINS
from training.evaluate import Floats

Corner: TypeAlias = Literal["upper left", "upper right", "lower right"]

LEAST_SHARE = 0.02


class Drawn(Mapping[str, bytes]):
    """PNG images by name, each drawn when first asked for: who asks for none waits less."""

    def __init__(self, draw: Mapping[str, Callable[[], bytes]]) -> None:
        self._draw, self._done = dict(draw), dict[str, bytes]()

    def __getitem__(self, name: str) -> bytes:
        if name not in self._done:
            self._done[name] = self._draw[name]()
        return self._done[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._draw)

    def __len__(self) -> int:
        return len(self._draw)


def calibration_plot(labels: Floats, contestants: Mapping[str, Floats]) -> bytes:
    """Observed against predicted share over bins of equal mass; on the diagonal = as promised."""
    figure, axes = _empty("predicted", "observed")
    axes.plot([0, 1], [0, 1], color="lightgrey")
    for name, probabilities in contestants.items():
        bins = np.array_split(np.argsort(probabilities, kind="stable"), CALIBRATION_BINS)
        bins = [rows for rows in bins if len(rows)]
        axes.plot(
            [probabilities[rows].mean() for rows in bins],
            [labels[rows].mean() for rows in bins],
            marker="o",
            label=name,
        )
    return _png(figure, axes, legend="upper left")


def gain_plot(labels: Floats, contestants: Mapping[str, Floats]) -> bytes:
    """Share of all positives found among the rows with the highest probabilities."""
    figure, axes = _empty("share of rows, most probable first", "share of positives found")
    axes.plot([0, 1], [0, 1], color="lightgrey")
    for name, probabilities in contestants.items():
        found = np.cumsum(labels[np.argsort(-probabilities, kind="stable")])
        axes.plot(np.arange(1, len(found) + 1) / len(found), found / found[-1], label=name)
    return _png(figure, axes, legend="lower right")


def lift_plot(labels: Floats, contestants: Mapping[str, Floats]) -> bytes:
    """How many times as many positives as by lot, among the rows of highest probability."""
    figure, axes = _empty("share of rows, most probable first", "lift")
    axes.axhline(1, color="lightgrey")
    for name, probabilities in contestants.items():
        found = np.cumsum(labels[np.argsort(-probabilities, kind="stable")])
        share = np.arange(1, len(found) + 1) / len(found)
        # Of the first few rows chance alone decides.
        told = share >= LEAST_SHARE
        axes.plot(share[told], (found / found[-1] / share)[told], label=name)
    return _png(figure, axes, legend="upper right")


def regret_plot(regret: Mapping[str, Sequence[float]], currency: str) -> bytes:
    """What each policy missed until the end of each week, by policy; synthetic, and says so."""
    figure, axes = _empty("week (synthetic world)", f"expected margin missed so far, {currency}")
    for policy, sums in regret.items():
        axes.plot(range(1, len(sums) + 1), sums, marker="o", markersize=3, label=policy)
    return _png(figure, axes, legend="upper left")


def _empty(across: str, up: str) -> tuple[Figure, Axes]:
    # Figures of our own, not pyplot's: pyplot keeps every figure in a global list.
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.add_subplot(xlabel=across, ylabel=up)
    return figure, axes


def _png(figure: Figure, axes: Axes, *, legend: Corner) -> bytes:
    axes.legend(loc=legend)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()
