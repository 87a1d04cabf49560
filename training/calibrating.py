"""Whether probabilities are corrected after training, and how: asked of later customers.

The candidates learn from one half of a later slice and are judged by the other half, and the other
way round; no customer is in both. The one with the least log-loss is taken where it is surely
better than no correction, by the paired interval; in doubt there is none. Class balancing is not
among the candidates: it makes every probability wrong, to be put right afterwards.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import polars as pl
from sklearn.isotonic import IsotonicRegression

from features.hashing import stable_hash
from training.evaluate import Floats, Interval, intervals, log_losses, mean
from training.model.calibrators import CALIBRATION, calibrated
from training.model.model import sigmoid
from training.prior import fit_logistic
from training.settings import ResamplingSettings

NONE = "none"
# Steps learn chance by heart with fewer.
ENOUGH_FOR_ISOTONIC = 20_000
FEWEST_ROWS = 500
GRID = np.linspace(-12.0, 12.0, 241)
# No correction makes anything certain.
MOST_LOG_ODDS = 12.0

Fit = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True)
class Choice:
    """The correction that was taken (NONE: no table), and the gain of each over none, with why."""

    chosen: str
    gains: Mapping[str, Interval]
    reason: str
    tables: Mapping[str, pl.DataFrame]

    def as_facts(self) -> dict[str, object]:
        """Plain JSON for the report."""
        gains = {name: gain.as_list() for name, gain in self.gains.items()}
        return {"chosen": self.chosen, "gains": gains, "why": self.reason}


def choose_calibration(
    log_odds: Floats,
    labels: Floats,
    customers: pl.Series,
    *,
    settings: ResamplingSettings,
) -> Choice:
    """The best correction of `log_odds` [rows], which were given before `labels` were known."""
    fewest = int(min(labels.sum(), (1 - labels).sum())) if len(labels) else 0
    if len(labels) < FEWEST_ROWS or fewest < 20:
        return not_asked(
            f"the later slice has {len(labels)} rows, {fewest} of them of the rarer outcome; "
            f"a choice needs {FEWEST_ROWS} and 20"
        )
    half = np.array([stable_hash(name, "calibration") % 2 for name in customers.cast(pl.String)])
    raw = log_losses(labels, sigmoid(log_odds))
    gains = {}
    for name, fit in _candidates(len(labels)).items():
        corrected = np.empty_like(log_odds)
        for judged in (0, 1):
            learnt_from, asked = half != judged, half == judged
            curve = {CALIBRATION: _table(fit(log_odds[learnt_from], labels[learnt_from]))}
            corrected[asked] = calibrated(curve, log_odds[asked])
        gains[name] = mean(raw - log_losses(labels, sigmoid(corrected)))
    found = intervals(gains, customers.rank("dense").to_numpy(), settings=settings)
    best = max(found, key=lambda name: found[name].estimate)
    if found[best].low <= 0:
        return Choice(NONE, found, f"{best} is not surely better than none", {})
    table = _table(_candidates(len(labels))[best](log_odds, labels))
    return Choice(best, found, f"{best} is surely better than none", {CALIBRATION: table})


def not_asked(reason: str) -> Choice:
    """No correction, because none could be tried."""
    return Choice(NONE, {}, reason, {})


def _candidates(rows: int) -> dict[str, Fit]:
    """Ways to learn the corrected log-odds at each point of GRID from log-odds and labels."""
    found: dict[str, Fit] = {"platt": _platt, "beta": _beta}
    if rows >= ENOUGH_FOR_ISOTONIC:
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
    return _log_odds(steps.predict(GRID))


def _venn_abers(log_odds: Floats, labels: Floats) -> Floats:
    """The middle of two isotonic fits, one for each outcome that the asked row may have."""
    from venn_abers import VennAbers  # an optional peer, loaded where it is there

    given, grid = sigmoid(log_odds), sigmoid(GRID)
    machine = VennAbers()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it looks for the steepest of no slopes
        machine.fit(np.column_stack([1 - given, given]), labels)
        middle, _ = machine.predict_proba(np.column_stack([1 - grid, grid]))
    return np.where(np.isnan(middle[:, 1]), GRID, _log_odds(middle[:, 1]))


def _log_odds(probabilities: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.log(probabilities) - np.log1p(-probabilities)
    return found


def _table(meant: Floats) -> pl.DataFrame:
    rising = np.maximum.accumulate(np.clip(meant, -MOST_LOG_ODDS, MOST_LOG_ODDS))
    return pl.DataFrame({"given": GRID, "meant": rising})
