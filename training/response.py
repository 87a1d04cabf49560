"""The response models: what each kind of e-mail brings about, customer by customer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
import polars as pl

from features.catalog import CATALOG
from features.contacts import MEANINGS as OF_CONTACT
from features.errors import NotReadyError
from features.settings import FeatureSettings
from training.evaluate import Floats, log_losses
from training.model.model import UNRECORDED, Model
from training.model.response import (
    INPUTS,
    MEANING_OF_USUAL,
    OF_CUSTOMER,
    USUAL,
    answer_chances,
    bases,
    mail_orders,
)
from training.plots import Drawn, calibration_plot, gain_plot
from training.report import report_on
from training.response_fit import fit_answers
from training.response_orders import fit_orders
from training.response_rows import mails_sent, moments_without, with_inputs
from training.settings import ResponseSettings, TrainingSettings
from training.trained import About, Fit, Trained, described, trainer

Outcome: TypeAlias = Literal["click", "order", "unsubscribe"]

BASELINE = "email_rate"
# What the merchant expects takes no part in learning: a model is judged by what it saw.
NOTHING_EXPECTED: Mapping[str, float] = {}
GOLDEN_ROWS = 20
# Without a mail, customers are looked at so often.
LOOKS = timedelta(days=14)
WHAT = {
    "click": "clicks by a person",
    "order": "orders after a click",
    "unsubscribe": "unsubscribes or complaints",
}
HELPS = {
    "click": "send clicks with the customer and the e-mail they belong to",
    "order": "send clicks and orders of the same customers",
    "unsubscribe": "send unsubscribes and complaints as events; they are rare, so this takes long",
}


def prepare_response(
    history: pl.DataFrame,
    customers: pl.DataFrame,
    products: pl.DataFrame,
    *,
    outcome: Outcome,
    known_until: datetime,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
    about: About,
) -> Fit:
    """Mails with their inputs and answers; what learns from the older and judges by the newer.

    Learn from older mails, judge by newer ones; what is judged is what will be served.

    Raises NotReadyError where there are no mails, or too few answers.
    """
    chosen = settings.response
    mails = mails_sent(history, known_until=known_until, settings=chosen)
    _refuse_silence(mails, history, outcome)
    answers = ["click", "order"] if outcome == "order" else [outcome]
    every, mails = mails, mails.drop_nulls(answers)
    _refuse_too_recent(every, mails, outcome, known_until, chosen)
    if outcome == "order":
        without = moments_without(
            history, mails, known_until=known_until, every=LOOKS, settings=chosen
        ).drop_nulls("order")
        mails = pl.concat([mails, without], how="diagonal")
    parts = _split(mails, outcome, chosen)
    # Before their inputs are made, which takes longer than all the rest.
    for rows, use in zip(parts, ("training", "test"), strict=True):
        _refuse_too_few(rows, use, outcome, chosen)
    train, test = (
        with_inputs(some, history, customers, feature_settings=feature_settings) for some in parts
    )
    return lambda chosen: fit_response(
        train,
        test,
        outcome=outcome,
        settings=chosen,
        feature_settings=feature_settings,
        origin=about,
    )


train_response = trainer(prepare_response)


def fit_response(
    train: pl.DataFrame,
    test: pl.DataFrame,
    *,
    outcome: Outcome,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
    origin: About,
) -> Trained:
    """The model learnt from the rows of `train`, judged by those of `test` (see response_rows)."""
    fit = _fit_orders if outcome == "order" else _fit_answers
    model, facts = fit(train, outcome, settings.response)
    label = test.get_column(outcome).to_numpy()
    examples = test.select(
        *(pl.col(name) for name in ("email", "click") if name in test.columns),
        *OF_CUSTOMER,
        *(OF_CONTACT if outcome != "order" else ()),
    ).with_columns(
        customer=test.get_column("customer_id").rank("dense").cast(pl.UInt32), label=label
    )
    chances = mail_orders(model, examples) if outcome == "order" else _chances(model, examples)
    contestants = {
        "model": chances,
        BASELINE: _rate_of_email(train, test, outcome),
        "everyone": np.full(test.height, _mean(train.get_column(outcome))),
    }
    report = report_on(
        contestants,
        label,
        examples.get_column("customer").to_numpy(),
        baseline=BASELINE,
        segments=None,
        facts={**facts, **_facts(train, test, outcome)},
        settings=settings.resampling,
    )
    shown = {name: contestants[name] for name in ("model", BASELINE)}
    meanings = {f.name: f.meaning for f in CATALOG if f.name in OF_CUSTOMER}
    about = described(
        origin,
        report,
        settings=settings.response.model_dump(mode="json"),
        feature_settings=feature_settings.of_features(),
        meanings={**meanings, **OF_CONTACT, USUAL: MEANING_OF_USUAL},
    )
    return Trained(
        model=replace(model, about=about),
        report=report,
        examples=examples.with_columns(baseline_loss=log_losses(label, contestants[BASELINE])),
        golden=_golden(model, examples, settings.response),
        figures=Drawn(
            {
                "calibration": partial(calibration_plot, label, shown),
                "gain": partial(gain_plot, label, shown),
            }
        ),
    )


def _fit_answers(
    train: pl.DataFrame, outcome: Outcome, settings: ResponseSettings
) -> tuple[Model, Mapping[str, Any]]:
    labels = train.get_column(outcome).to_numpy()
    fitted = fit_answers(train, labels, annoys=outcome == "unsubscribe", settings=settings)
    tables = {"emails": fitted.emails, "shrinkage": fitted.shrinkage}
    model = Model(f"response-{outcome}", UNRECORDED, INPUTS, fitted.booster, tables, {})
    return model, {"emails": fitted.emails.to_dicts(), **fitted.shrinkage.row(0, named=True)}


def _fit_orders(
    train: pl.DataFrame, outcome: Outcome, settings: ResponseSettings
) -> tuple[Model, Mapping[str, Any]]:
    fitted = fit_orders(train, settings)
    model = Model(f"response-{outcome}", UNRECORDED, OF_CUSTOMER, fitted.booster, fitted.tables, {})
    return model, fitted.facts


def _chances(model: Model, rows: pl.DataFrame) -> Floats:
    emails = rows.get_column("email").to_list()
    return answer_chances(model, rows, emails, bases(model, NOTHING_EXPECTED))


def _split(
    mails: pl.DataFrame, outcome: Outcome, settings: ResponseSettings
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Older rows to learn from and newer ones to judge by, no more than the settings allow.

    Between them lies an embargo: the last answer that is learnt from is complete before the first
    mail that is judged.
    """
    begins = _newest(mails) - timedelta(days=settings.test_days)
    parts = (
        mails.filter(pl.col("as_of") + _window(outcome, settings) <= begins),
        mails.filter(pl.col("as_of") > begins),
    )
    train, test = (
        part.sample(settings.examples, seed=settings.seed).sort("as_of", "customer_id", "email")
        if part.height > settings.examples
        else part
        for part in parts
    )
    return train, test


def _rate_of_email(train: pl.DataFrame, test: pl.DataFrame, outcome: Outcome) -> Floats:
    """What a merchant would guess: the rate of the e-mail (after a click, or without) so far."""
    arm = ["email", "click"] if outcome == "order" else ["email"]
    overall = _mean(train.get_column(outcome))
    # As if each e-mail had been sent once more than it was, with the common rate.
    rate = (pl.col(outcome).sum() + overall) / (pl.len() + 1)
    found = test.select(arm).join(
        train.group_by(arm).agg(rate=rate), on=arm, how="left", maintain_order="left",
        nulls_equal=True,
    )  # fmt: skip
    rates: Floats = found.get_column("rate").fill_null(overall).to_numpy()
    return rates


def _mean(values: pl.Series) -> float:
    return float(np.mean(values.to_numpy()))


def _golden(model: Model, examples: pl.DataFrame, settings: ResponseSettings) -> pl.DataFrame:
    some = examples.sample(min(GOLDEN_ROWS, examples.height), seed=settings.seed)
    if model.inputs == OF_CUSTOMER:
        return some.select(OF_CUSTOMER)
    base_of = bases(model, NOTHING_EXPECTED)
    usual = [base_of.get(email, 0.0) for email in some.get_column("email")]
    return some.with_columns(pl.Series(USUAL, usual, pl.Float64)).select(INPUTS)


def _facts(train: pl.DataFrame, test: pl.DataFrame, outcome: Outcome) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for use, rows in (("train", train), ("test", test)):
        at = rows.get_column("as_of")
        facts[f"{use}_rows"] = rows.height
        facts[f"{use}_customers"] = rows.get_column("customer_id").n_unique()
        facts[f"{use}_outcomes"] = int(rows.get_column(outcome).sum())
        facts[f"{use}_from"], facts[f"{use}_until"] = str(at.min()), str(at.max())
    return facts


def _refuse_silence(mails: pl.DataFrame, history: pl.DataFrame, outcome: Outcome) -> None:
    if mails.is_empty():
        sends = history.filter(pl.col("kind") == "send").height
        raise NotReadyError(
            f"the response-{outcome} model learns from e-mails that were sent; found {sends} send "
            "events and none that names its e-mail; bring them in with `onje ingest`, `email` "
            "filled in. Until then your own figures under [emails] hold"
        )


def _window(outcome: Outcome, settings: ResponseSettings) -> timedelta:
    """How long after a mail its answer may come."""
    return timedelta(days=settings.order_days if outcome == "order" else settings.click_days)


def _newest(mails: pl.DataFrame) -> datetime:
    newest = mails.get_column("as_of").max()
    assert isinstance(newest, datetime), "mails are there, and each has a time"
    return newest


def _refuse_too_recent(
    every: pl.DataFrame,
    known: pl.DataFrame,
    outcome: Outcome,
    known_until: datetime,
    settings: ResponseSettings,
) -> None:
    """NotReadyError where no mail is old enough to learn from, those that judge it being newer.

    `every` are all mails, `known` those whose answers are due. Who goes on mailing only has to
    wait: with each day the oldest mails are a day older than those that judge.
    """
    window = _window(outcome, settings)
    needed = timedelta(days=settings.test_days) + window
    first = every.get_column("as_of").min()
    assert isinstance(first, datetime), "there are mails"
    newest = _newest(known) if known.height else known_until - window
    missing = needed - (newest - first)
    if known.height and missing <= timedelta(0):
        return
    asked = "order_days" if outcome == "order" else "click_days"
    wait = max(1, math.ceil(missing / timedelta(days=1)))
    raise NotReadyError(
        f"the response-{outcome} model learns from mails that are older than those by which it is "
        f"judged: it needs {(needed + window).days} days of them (test_days {settings.test_days}, "
        f"and {asked} {window.days} twice, since an answer takes so long); the oldest of all "
        f"{every.height:,} is of {first:%Y-%m-%d}. Go on mailing and wait {wait} days, bring older "
        "mails in with `onje ingest`, or lower test_days under [training.response] in onje.toml. "
        "Until then your own figures under [emails] hold"
    )


def _refuse_too_few(
    rows: pl.DataFrame, use: str, outcome: Outcome, settings: ResponseSettings
) -> None:
    """NotReadyError where too few answered, or all did: nothing could be told apart."""
    needed = settings.answers_needed if use == "training" else 1
    clicked = rows.filter(pl.col("click") > 0) if outcome == "order" else rows
    found = int(clicked.get_column(outcome).sum()) if clicked.height else 0
    other = int((rows.get_column(outcome) == 0).sum())
    if rows.height and not other:
        happened, knob = {
            "click": ("clicked by a person", "click_days"),
            "order": ("followed by an order", "order_days"),
            "unsubscribe": ("followed by an unsubscribe or a complaint", "click_days"),
        }[outcome]
        raise NotReadyError(
            f"all {rows.height:,} {use} rows of the response-{outcome} model were {happened} "
            f"within {_window(outcome, settings).days} days: what is missing are rows that were "
            f"not; lower {knob} under [training.response] in onje.toml. Until then your own "
            "figures under [emails] hold"
        )
    if found < needed:
        raise NotReadyError(
            f"the response-{outcome} model needs {needed} {WHAT[outcome]} among its {use} mails; "
            f"found {found} among {rows.height:,}; {HELPS[outcome]}, wait, or lower "
            "answers_needed under [training.response] in onje.toml. Until then your own figures "
            "under [emails] hold"
        )
