"""How the effects of an experiment came to be, with the intervals that held at every look."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from training.experiment import Units, effects_over_time
from training.settings import ComparisonSettings

LOOKS = 100


def effects_plot(
    units: Units, arms: Sequence[str], settings: ComparisonSettings, *, synthetic: bool
) -> bytes:
    """PNG: per arm after the first its effect and interval by customers; 0 = no difference."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0, color="lightgrey")
    looks = np.unique(np.linspace(0, len(units), LOOKS + 1, dtype=np.int64)[1:])
    looks = looks[looks > 0]
    for place, arm in enumerate(arms[1:], start=1):
        told = effects_over_time(units, place, settings, comparisons=len(arms) - 1, looks=looks)
        counts = [count for count, _ in told]
        axes.plot(counts, [found.estimate for _, found in told], label=f"{arm} less {arms[0]}")
        axes.fill_between(
            counts, [found.low for _, found in told], [found.high for _, found in told], alpha=0.2
        )
    axes.set_xlabel("customers whose answer is known" + (" (synthetic)" if synthetic else ""))
    axes.set_ylabel("effect per customer")
    axes.legend(loc="upper right")
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return image.getvalue()
