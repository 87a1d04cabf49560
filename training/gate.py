"""Whether a challenger may become champion."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from features.errors import NotReadyError
from training.evaluable import NotEvaluable
from training.evaluate import Floats, Interval, customers_of_weight, intervals, mean
from training.losses import LOSSES
from training.model.model import Model
from training.settings import ResamplingSettings


@dataclass(frozen=True)
class Verdict:
    """`promote`, and a sentence for each comparison that was made."""

    promote: bool
    reasons: tuple[str, ...]


def judge(
    challenger: Model,
    champion: Model | None,
    examples: pl.DataFrame,
    *,
    settings: ResamplingSettings,
) -> Verdict:
    """Promote only where the gain in log-loss is surely above zero, over each opponent.

    Opponents are the trivial baseline and the champion (where there is one), on the challenger's
    own test cases and paired: customer by customer. A champion that was trained later may have
    seen those cases; that makes the gate stricter, never laxer. Too few customers to judge by let
    nothing through.
    """
    thin = _too_few(examples, settings)
    if thin is not None:
        return Verdict(promote=False, reasons=(str(thin),))
    losses = LOSSES[challenger.name](challenger, examples)
    gains = {"the trivial baseline": examples.get_column("baseline_loss").to_numpy() - losses}
    if champion is not None:
        opponent = f"champion {champion.version}"
        try:
            gains[opponent] = LOSSES[champion.name](champion, examples) - losses
        except NotReadyError as problem:
            reason = f"cannot be compared with {opponent}: {problem}"
            return Verdict(promote=False, reasons=(reason,))
    return _verdict(gains, examples, settings)


def _too_few(examples: pl.DataFrame, settings: ResamplingSettings) -> NotEvaluable | None:
    found = customers_of_weight(examples.get_column("customer").to_numpy())
    if found >= settings.least_customers:
        return None
    return NotEvaluable(
        f"its {examples.height:,} test cases say as much as {math.floor(found):,} customers of "
        f"equal weight would, {settings.least_customers:,} are needed; wait for more customers, "
        "more cases of the same ones do not help, or lower least_customers under "
        "[training.resampling] in onje.toml"
    )


def _verdict(
    gains: dict[str, Floats], examples: pl.DataFrame, settings: ResamplingSettings
) -> Verdict:
    found = intervals(
        {opponent: mean(gain) for opponent, gain in gains.items()},
        examples.get_column("customer").to_numpy(),
        settings=settings,
    )
    return Verdict(
        promote=all(gain.is_surely_positive for gain in found.values()),
        reasons=tuple(_sentence(opponent, gain) for opponent, gain in found.items()),
    )


def _sentence(opponent: str, gain: Interval) -> str:
    if gain.is_surely_positive:
        return f"better than {opponent}: gain in log-loss {gain}"
    if gain.high < 0:
        return f"worse than {opponent}: gain in log-loss {gain}"
    return f"not surely better than {opponent}: gain in log-loss {gain}"
