"""A line of the table of models: one method's figure on one data set, and how far Onje is ahead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from training.evaluate import Interval, Metric

# What is measured now, how much of it is done, how much there is.
Step: TypeAlias = Callable[[str, int, int], None]

OURS = "Onje"


@dataclass(frozen=True)
class Row:
    """One method on one data set by one metric.

    `gain` is Onje's gain over this method, paired and by customer, above zero where Onje is better
    (None in Onje's own rows, and where nothing can be paired: then `note` says why). `seconds` is
    what fitting and scoring took.
    """

    data: str
    task: str
    method: str
    metric: str
    value: Interval | float
    gain: Interval | None
    seconds: float | None
    note: str

    @property
    def verdict(self) -> str:
        """Whether Onje is ahead: surely, not surely, or surely behind."""
        if self.method == OURS:
            return ""
        if self.gain is None:
            return "not paired"
        if self.gain.low > 0:
            return "ahead"
        return "behind" if self.gain.high < 0 else "not sure"


def less(first: Metric, second: Metric) -> Metric:
    """One metric less another of the same rows and draws."""
    parts = sparse.vstack([first.parts, second.parts], format="csr")
    split = first.parts.shape[0]
    return Metric(
        sparse.csr_array(parts),
        lambda sums: first.of(sums[:split]) - second.of(sums[split:]),
        least=-np.inf,
        most=np.inf,
    )


def as_markdown(rows: Sequence[Row]) -> str:
    """One table: data set x method x metric, with intervals."""
    lines = [
        "| data | task | method | metric | value | Onje's gain over it | Onje is | s | |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.data} | {row.task} | {row.method} | {row.metric} | {_figure(row.value)} "
        f"| {_figure(row.gain)} | {row.verdict} | {_seconds(row.seconds)} | {row.note} |"
        for row in rows
    ]
    return "\n".join(lines)


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The same, every interval as {low, estimate, high}."""
    return [asdict(row) | {"verdict": row.verdict} for row in rows]


def _figure(value: Interval | float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _seconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.1f}"
