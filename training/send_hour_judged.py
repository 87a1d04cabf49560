"""How well a send-hour model knows the hours of a later time, beside plainer ways of knowing them.

Of sends, each e-mail has a rate of its own for all contestants: the history mailed at 03:00 for a
reason, and knowing that reason is no merit of a model of hours. The baseline knows besides how
often that e-mail was clicked in that hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.evaluate import Floats, Interval, intervals, log_losses, loss, mean
from training.losses import send_hour_losses
from training.model.habits import habits_in, slot_inputs
from training.model.hours import fitted, slot_log_odds
from training.model.model import Model, sigmoid
from training.model.shrinkage import SLOTS, shrunk, smoothed, with_other_days
from training.plots import Drawn, calibration_plot, gain_plot
from training.send_hour_cases import Cases
from training.send_hour_pull import click_rates, email_log_odds
from training.settings import TrainingSettings
from training.trained import Report

BASELINE = "everyone"


@dataclass(frozen=True)
class Judged:
    """The evidence of a model, as Trained wants it."""

    report: Report
    examples: pl.DataFrame
    golden: pl.DataFrame
    figures: Mapping[str, bytes]


def judged_by(model: Model, train: Cases, test: Cases, *, settings: TrainingSettings) -> Judged:
    """`model`, learnt from `train`, on the cases of `test`: by hours of next acts and by clicks.

    The gain is that of the hours; what clicks say is told beside it, where there are any.
    """
    examples = _examples(test)
    losses = {"model": send_hour_losses(model, examples)} | _rivals(model, test)
    customers = examples.get_column("customer").to_numpy()
    found = intervals(
        {name: loss(lost, most=np.inf) for name, lost in losses.items()}
        | {"gain": mean(losses[BASELINE] - losses["model"])},
        customers,
        settings=settings.resampling,
    )
    metrics = {name: {"log_loss": found[name]} for name in losses}
    chances = sigmoid(_odds_seen(model, train, test))
    if "email" in test.seen.columns:
        of_clicks = _click_losses(chances, train, test, settings)
        metrics = {name: {**told, **of_clicks.get(name, {})} for name, told in metrics.items()}
    report = Report(
        baseline=BASELINE,
        metrics=metrics,
        gain=found["gain"],
        facts=_facts(train, test, model),
    )
    observed = test.seen.select(_share()).to_series().to_numpy()
    return Judged(
        report=report,
        examples=examples.with_columns(baseline_loss=pl.Series(losses[BASELINE])),
        golden=_golden(model, test),
        figures=Drawn(
            {
                "calibration": partial(calibration_plot, observed, {"model": chances}),
                "gain": partial(gain_plot, observed, {"model": chances}),
            }
        ),
    )


def _examples(test: Cases) -> pl.DataFrame:
    """The cases by which models are judged, as training.losses wants them."""
    row = test.next_acts.get_column("row").to_numpy()
    customers = test.people.get_column("customer_id").rank("dense").cast(pl.UInt32)
    acts = test.acts[row].reshape(len(row), SLOTS)
    return test.next_acts.drop("row").with_columns(
        customer=customers.gather(row),
        segment=test.people.get_column("segment").gather(row),
        acts=pl.Series(acts, dtype=pl.Array(pl.Float64, SLOTS)),
    )


def _rivals(model: Model, test: Cases) -> dict[str, Floats]:
    """What plainer ways of knowing the hour lose on each of the next acts."""
    tables = fitted(model)
    kinds, shrinkage = tables.kinds, tables.shrinkage
    row, day, hour = _slot(test.next_acts)
    prior = kinds.curves[kinds.places(test.people.get_column("segment"))]
    own = with_other_days(smoothed(test.acts, shrinkage.smoothing_hours), shrinkage.other_days)
    shares = {
        BASELINE: kinds.everyone[day, hour],
        "segment": prior[row, day, hour],
        "shrunk": shrunk(own, prior, shrinkage.customer_weight)[row, day, hour],
    }
    return {name: -np.log(share) for name, share in shares.items()}


def _click_losses(
    chances: Floats, train: Cases, test: Cases, settings: TrainingSettings
) -> dict[str, dict[str, Interval]]:
    """The log-loss of clicks by contestant; everyone's rate is that of the e-mail in that hour."""
    clicked = test.seen.get_column("yes").to_numpy()
    rates = click_rates(train.seen, test.seen, by_hour=True)
    row, _, _ = _slot(test.seen)
    whose = test.people.get_column("customer_id").rank("dense").cast(pl.Int64).to_numpy()[row]
    found = intervals(
        {
            name: loss(log_losses(clicked, given), most=np.inf)
            for name, given in (("model", chances), (BASELINE, rates))
        },
        whose,
        settings=settings.resampling,
    )
    return {name: {"click_log_loss": interval} for name, interval in found.items()}


def _odds_seen(model: Model, train: Cases, test: Cases) -> Floats:
    odds = slot_log_odds(model, test.acts, test.people.get_column("segment"))
    offset = email_log_odds(train.seen, test.seen) if "email" in test.seen.columns else 0.0
    return odds[_slot(test.seen)] + offset


def _facts(train: Cases, test: Cases, model: Model) -> dict[str, Any]:
    tables = fitted(model)
    facts: dict[str, Any] = {
        "evidence": model.about["evidence"],
        **model.tables["shrinkage"].row(0, named=True),
        **model.tables["pull"].row(0, named=True),
        "kinds": len(tables.kinds.shares),
        "trees_pay": "num_leaves=1\n" not in model.booster.text,
    }
    for use, cases in (("train", train), ("test", test)):
        facts[f"{use}_rows"] = cases.seen.height
        facts[f"{use}_customers"] = cases.people.get_column("customer_id").n_unique()
        facts[f"{use}_share"] = cases.seen.select(_share().mean()).item()
        dates = cases.people.get_column("as_of").unique().sort()
        facts[f"{use}_dates"] = [date.date().isoformat() for date in dates]
    return facts


def _golden(model: Model, test: Cases) -> pl.DataFrame:
    """Some rows of the trees' inputs: all slots of the first customer."""
    tables = fitted(model)
    segment = test.people.get_column("segment").head(1)
    first = habits_in(test.acts[:1], segment, tables.kinds, tables.shrinkage)
    return pl.DataFrame(slot_inputs(first, tables.kinds.everyone), schema=list(model.inputs))


def _slot(frame: pl.DataFrame) -> tuple[NDArray[np.int64], ...]:
    """Row, kind of day and hour of each row of `frame`, as an index."""
    return tuple(frame.select("row", "weekend", "hour").cast(pl.Int64).to_numpy().T)


def _share() -> pl.Expr:
    return pl.col("yes") / (pl.col("yes") + pl.col("no"))
