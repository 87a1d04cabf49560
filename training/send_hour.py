"""The send-hour model: in which local hours a mail finds a customer."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from features.errors import NotReadyError
from features.settings import FeatureSettings
from training import plots
from training.evaluate import Floats, intervals, log_losses, loss, mean
from training.losses import send_hour_losses
from training.model.hours import (
    INPUTS,
    LOGISTIC,
    MEANINGS,
    OwnHours,
    log_odds,
    slot_chances,
    slot_inputs,
)
from training.model.model import UNRECORDED, Model
from training.model.shrinkage import (
    HOURS,
    KINDS_OF_DAY,
    SLOTS,
    Curves,
    Shrinkage,
    shrunk,
    smoothed,
    with_other_days,
)
from training.send_hour_cases import Cases, Evidence, Source, cases_at, evidence_in
from training.send_hour_shrinkage import fit_curves, fit_shrinkage
from training.settings import TrainingSettings
from training.snapshots import snapshot_dates
from training.trained import About, Report, Trained, described
from training.trees import grow

NAME = "send-hour"
BASELINE = "everyone"
# More of any other input must never make a slot less likely. A new customer has done little
# without being less active, and weekends may be better or worse.
EITHER_WAY = ("is_weekend", "acts")
# Enough to keep coefficients finite where a column is constant, too weak to be seen elsewhere.
INVERSE_RIDGE = 1e4
# As if everyone's click rate had been seen so often in each slot, so that no hour wins by luck.
SENDS_OF_A_SLOT = 200.0


def train_send_hour(
    history: pl.DataFrame,
    customers: pl.DataFrame,
    products: pl.DataFrame,
    *,
    known_until: datetime,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
    about: About,
) -> Trained:
    """Learn from older snapshots, judge by the newest; what is judged is what will be served.

    Raises NotReadyError where history or outcomes do not suffice.
    """
    chosen = settings.send_hour
    dates = snapshot_dates(
        history,
        known_until=known_until,
        horizon=timedelta(days=chosen.horizon_days),
        every=timedelta(days=chosen.every_days),
        train=chosen.train_snapshots,
        test=1,
    )
    source = Source(history, customers, known_until, chosen, feature_settings)
    evidence = evidence_in(source, dates.train)
    train, test = (cases_at(source, some, evidence=evidence) for some in (dates.train, dates.test))
    return fit_send_hour(
        train,
        test,
        evidence=evidence,
        settings=settings,
        feature_settings=feature_settings,
        origin=about,
    )


def fit_send_hour(
    train: Cases,
    test: Cases,
    *,
    evidence: Evidence,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
    origin: About,
) -> Trained:
    """The model learnt from `train`, judged by `test`, whose moments come after it."""
    _refuse_one_answer(train, "training", settings)
    _refuse_one_answer(test, "test", settings)
    model = _model(train, evidence, settings)
    judged = _judged(test, evidence)
    losses = {"model": send_hour_losses(model, judged)} | _rival_losses(model, train, test, judged)
    report = _report(losses, judged, _facts(train, test, model), settings)
    about = described(
        origin,
        report,
        settings=settings.send_hour.model_dump(mode="json"),
        # Each segment has hours of its own, so that where segments end matters here too.
        feature_settings=feature_settings.model_dump(mode="json"),
        meanings=MEANINGS,
    )
    observed = test.seen.select(_share()).to_series().to_numpy()
    chances = slot_chances(model, test.own, test.people.get_column("segment"))[_slot(test.seen)]
    return Trained(
        model=replace(model, about={**about, **model.about}),
        report=report,
        examples=judged.with_columns(baseline_loss=pl.Series(losses[BASELINE])),
        golden=_golden(model, test),
        figures={
            "calibration": plots.calibration_plot(observed, {"model": chances}),
            "gain": plots.gain_plot(observed, {"model": chances}),
        },
    )


def _model(train: Cases, evidence: Evidence, settings: TrainingSettings) -> Model:
    segments = train.people.get_column("segment")
    shrinkage = fit_shrinkage(train.own.acts, segments, train.following)
    spread = smoothed(train.own.acts, shrinkage.smoothing_hours)
    curves = fit_curves(spread, segments, shrinkage.segment_weight)
    prior = curves.shares[curves.places(segments)]

    answers = _answers(train.seen)
    labels, weights = (answers.get_column(name).to_numpy() for name in ("label", "times"))
    inputs = slot_inputs(train.own, prior, curves.everyone, shrinkage)[_place(answers)]
    columns = [INPUTS.index(name) for name in LOGISTIC]
    fitted = LogisticRegression(C=INVERSE_RIDGE, max_iter=1_000).fit(
        inputs[:, columns], labels, sample_weight=weights
    )
    coefficients = np.append(fitted.coef_[0], fitted.intercept_[0])
    booster = grow(
        inputs,
        labels,
        names=INPUTS,
        monotone=[int(name not in EITHER_WAY) for name in INPUTS],
        offset=log_odds(inputs, coefficients),
        weights=weights,
        settings=settings.send_hour,
    )
    return Model(
        name=NAME,
        version=UNRECORDED,
        inputs=booster.inputs,
        booster=booster,
        tables={
            "shrinkage": pl.DataFrame([asdict(shrinkage)]),
            "curves": curves.to_table(),
            "logistic": pl.DataFrame({"input": [*LOGISTIC, ""], "coefficient": coefficients}),
        },
        about={"evidence": evidence},
    )


def _answers(seen: pl.DataFrame) -> pl.DataFrame:
    """Each slot once with label 1.0 and once with 0.0, with how many `times` that was seen."""
    return pl.concat(
        seen.select("row", "weekend", "hour", label=pl.lit(label), times=answer)
        for answer, label in (("yes", 1.0), ("no", 0.0))
    ).filter(pl.col("times") > 0)


def _share() -> pl.Expr:
    return pl.col("yes") / (pl.col("yes") + pl.col("no"))


def _judged(test: Cases, evidence: Evidence) -> pl.DataFrame:
    """The cases by which models are judged, as training.losses wants them."""
    sends = test.seen.select("row", "weekend", "hour", clicked="yes")
    judged = sends if evidence == "clicks" else test.next_acts
    row = judged.get_column("row").to_numpy()
    shape = (judged.height, SLOTS)
    customers = test.people.get_column("customer_id").rank("dense").cast(pl.UInt32)
    return judged.drop("row").with_columns(
        customer=customers.gather(row),
        segment=test.people.get_column("segment").gather(row),
        acts=pl.Series(test.own.acts[row].reshape(shape), dtype=pl.Array(pl.Float64, SLOTS)),
        clicks=pl.Series(test.own.clicks[row].reshape(shape), dtype=pl.Array(pl.Float64, SLOTS)),
    )


def _rival_losses(
    model: Model, train: Cases, test: Cases, judged: pl.DataFrame
) -> dict[str, Floats]:
    """What plainer ways of knowing the hour lose on the cases of `judged`, case by case."""
    day, hour = (judged.get_column(name).cast(pl.Int64).to_numpy() for name in ("weekend", "hour"))
    if "clicked" in judged.columns:
        rate = _click_rates(train)[day, hour]
        return {BASELINE: log_losses(judged.get_column("clicked").to_numpy(), rate)}
    shrinkage = Shrinkage(**model.tables["shrinkage"].row(0, named=True))
    curves = Curves.from_table(model.tables["curves"])
    prior = curves.shares[curves.places(test.people.get_column("segment"))]
    spread = smoothed(test.own.acts, shrinkage.smoothing_hours)
    own = with_other_days(spread, shrinkage.other_days)
    row = test.next_acts.get_column("row").to_numpy()
    shares = {
        BASELINE: curves.everyone[day, hour],
        "segment": prior[row, day, hour],
        "shrunk": shrunk(own, prior, shrinkage.customer_weight)[row, day, hour],
    }
    return {name: -np.log(share) for name, share in shares.items()}


def _click_rates(train: Cases) -> Floats:
    """Everyone's clicks per send by slot [2, 24], each with SENDS_OF_A_SLOT of the average kind."""
    sends, clicks = (np.zeros((KINDS_OF_DAY, HOURS)) for _ in range(2))
    _, *slot = _slot(train.seen)
    clicked = train.seen.get_column("yes").to_numpy()
    np.add.at(sends, tuple(slot), 1.0)
    np.add.at(clicks, tuple(slot), clicked)
    rates: Floats = (clicks + SENDS_OF_A_SLOT * clicked.mean()) / (sends + SENDS_OF_A_SLOT)
    return rates


def _report(
    losses: dict[str, Floats],
    judged: pl.DataFrame,
    facts: dict[str, Any],
    settings: TrainingSettings,
) -> Report:
    found = intervals(
        {name: loss(lost, most=np.inf) for name, lost in losses.items()}
        | {"gain": mean(losses[BASELINE] - losses["model"])},
        judged.get_column("customer").to_numpy(),
        settings=settings.resampling,
    )
    return Report(
        baseline=BASELINE,
        metrics={name: {"log_loss": found[name]} for name in losses},
        gain=found["gain"],
        facts=facts,
    )


def _facts(train: Cases, test: Cases, model: Model) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "evidence": model.about["evidence"],
        **model.tables["shrinkage"].row(0, named=True),
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
    curves = Curves.from_table(model.tables["curves"])
    prior = curves.shares[curves.places(test.people.get_column("segment").head(1))]
    first = OwnHours(acts=test.own.acts[:1], clicks=test.own.clicks[:1])
    shrinkage = Shrinkage(**model.tables["shrinkage"].row(0, named=True))
    inputs = slot_inputs(first, prior, curves.everyone, shrinkage)
    return pl.DataFrame(inputs, schema=list(model.inputs))


def _slot(frame: pl.DataFrame) -> tuple[NDArray[np.int64], ...]:
    """Row, kind of day and hour of each row of `frame`, as an index."""
    return tuple(frame.select("row", "weekend", "hour").cast(pl.Int64).to_numpy().T)


def _place(seen: pl.DataFrame) -> NDArray[np.int64]:
    """Where the slots of `seen` stand among the rows of `slot_inputs`."""
    row, day, hour = _slot(seen)
    return row * SLOTS + day * HOURS + hour


def _refuse_one_answer(cases: Cases, use: str, settings: TrainingSettings) -> None:
    answers = cases.seen.select(pl.col("yes", "no").sum()).row(0) if cases.seen.height else (0, 0)
    if min(answers) == 0 or cases.next_acts.is_empty():
        raise NotReadyError(
            f"the {cases.seen.height} {use} rows of the send-hour model all say the same: nobody "
            f"acted within {settings.send_hour.horizon_days} days, or nobody clicked; choose "
            "another horizon_days or clicks_needed under [training.send_hour] in onje.toml, or "
            "bring more events in with `onje ingest`"
        )
