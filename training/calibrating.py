"""Whether probabilities are corrected after training, and how: asked of later customers.

The candidates learn from what a model says of customers whom it did not learn from, at the dates
from which it learnt; they are judged by a date whose outcomes came later. Who learns a correction
from one later date instead learns by how much the world has moved until then, and applies it to a
model that has moved along (on CDNOW that cost 0.005 of log-loss). The candidate with the least
log-loss is taken where it is surely better than no correction, by the paired interval; in doubt
there is none. Class balancing is not among them: it makes every probability wrong.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import polars as pl
from sklearn.isotonic import IsotonicRegression

from training.evaluate import Floats, Interval, intervals, log_losses, mean
from training.model.calibrators import CALIBRATION, calibrated
from training.model.model import MOST_LOG_ODDS, log_odds_of, sigmoid
from training.prior import fit_logistic
from training.settings import ResamplingSettings

NONE = "none"
# Steps learn chance by heart with fewer.
ENOUGH_FOR_STEPS = 20_000
FEWEST_ROWS = 500
FEWEST_OF_EACH = 20
# No correction makes anything certain.
GRID = np.linspace(-MOST_LOG_ODDS, MOST_LOG_ODDS, 241)

Fit = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True, eq=False)
class Said:
    """What a model said of rows that it did not learn from, and what came of them; all [rows]."""

    log_odds: Floats
    labels: Floats
    customers: pl.Series


@dataclass(frozen=True)
class Choice:
    """The correction that was chosen (or NONE), and the gain of each over none, with why."""

    chosen: str
    gains: Mapping[str, Interval]
    reason: str

    def as_facts(self) -> dict[str, object]:
        """Plain JSON for the report."""
        gains = {name: gain.as_list() for name, gain in self.gains.items()}
        return {"chosen": self.chosen, "gains": gains, "why": self.reason}


def choose_calibration(learnt: Said, judged: Said, *, settings: ResamplingSettings) -> Choice:
    """The best correction that can be learnt from `learnt`, if `judged` is surely better for it."""
    for said in (learnt, judged):
        fewest = int(min(said.labels.sum(), (1 - said.labels).sum()))
        if len(said.labels) < FEWEST_ROWS or fewest < FEWEST_OF_EACH:
            return not_asked(
                f"a choice needs {FEWEST_ROWS} rows to learn from and to judge by, and of each "
                f"outcome {FEWEST_OF_EACH}; found {len(said.labels)} and {fewest}"
            )
    raw = log_losses(judged.labels, sigmoid(judged.log_odds))
    gains = {}
    for name in _candidates(len(learnt.labels)):
        corrected = sigmoid(calibrated(correction(name, learnt), judged.log_odds))
        gains[name] = mean(raw - log_losses(judged.labels, corrected))
    found = intervals(gains, judged.customers.rank("dense").to_numpy(), settings=settings)
    best = max(found, key=lambda name: found[name].estimate)
    if not found[best].is_surely_positive:
        return Choice(NONE, found, f"{best} is not surely better than none")
    return Choice(best, found, f"{best} is surely better than none")


def correction(name: str, learnt: Said) -> dict[str, pl.DataFrame]:
    """The table CALIBRATION by the candidate of that name; no table for NONE."""
    if name == NONE:
        return {}
    fit = _candidates(len(learnt.labels))[name]
    meant = fit(learnt.log_odds, learnt.labels)
    # Nothing was learnt beyond what was seen: there the curve goes on as the model says.
    within = np.clip(GRID, learnt.log_odds.min(), learnt.log_odds.max())
    return {CALIBRATION: _table(np.interp(within, GRID, meant) + GRID - within)}


def not_asked(reason: str) -> Choice:
    """No correction, because none could be tried."""
    return Choice(NONE, {}, reason)


def _candidates(rows: int) -> dict[str, Fit]:
    """Ways to learn the corrected log-odds at each point of GRID from log-odds and labels."""
    found: dict[str, Fit] = {"platt": _platt, "beta": _beta}
    if rows >= ENOUGH_FOR_STEPS:
        found["isotonic"] = _isotonic
        if find_spec("venn_abers"):
            found["venn-abers"] = _venn_abers
    return found


def _platt(log_odds: Floats, labels: Floats) -> Floats:
    """A straight line (Platt 1999)."""
    intercept, slope = fit_logistic(log_odds[:, None], labels, rising=[True])
    line: Floats = intercept + slope * GRID
    return line


def _beta(log_odds: Floats, labels: Floats) -> Floats:
    """A line in ln p and -ln(1 - p), each with its own weight (Kull, Silva Filho, Flach 2017)."""
    intercept, *weights = fit_logistic(_ends(log_odds), labels, rising=[True, True])
    ends = _ends(GRID)
    curve: Floats = intercept + weights[0] * ends[:, 0] + weights[1] * ends[:, 1]
    return curve


def _ends(log_odds: Floats) -> Floats:
    return np.column_stack([-np.logaddexp(0.0, -log_odds), np.logaddexp(0.0, log_odds)])


def _isotonic(log_odds: Floats, labels: Floats) -> Floats:
    """The best rising steps."""
    steps = IsotonicRegression(out_of_bounds="clip").fit(log_odds, labels)
    return log_odds_of(steps.predict(GRID))


def _venn_abers(log_odds: Floats, labels: Floats) -> Floats:
    """The middle of two isotonic fits, one for each outcome that the asked row may have."""
    from venn_abers import VennAbers  # an optional peer, loaded where it is there

    given, grid = sigmoid(log_odds), sigmoid(GRID)
    machine = VennAbers()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it looks for the steepest of no slopes
        machine.fit(np.column_stack([1 - given, given]), labels)
        middle, _ = machine.predict_proba(np.column_stack([1 - grid, grid]))
    return np.where(np.isnan(middle[:, 1]), GRID, log_odds_of(middle[:, 1]))


def _table(meant: Floats) -> pl.DataFrame:
    rising = np.maximum.accumulate(np.clip(meant, -MOST_LOG_ODDS, MOST_LOG_ODDS))
    return pl.DataFrame({"given": GRID, "meant": rising})
