"""How wrong a model is on each test case: the one place that knows how each model is scored.

`examples` of a trained model hold, beside what is listed here, `customer` and `baseline_loss`.

    churn        `label` (1.0 = churned) and every input of the model
    email-dormancy  `label` (1.0 = dormant) and every input of the model
    dormancy-date   `label` (1.0 = turned), `is_first`, `week` and the features of the customer
    send-hour    `segment`, `acts` and `clicks` (48 numbers: 24 weekday hours, 24 weekend hours),
                 `weekend` and `hour` of the next act, or of a send, then with `clicked` (1.0 = yes)
    affinity-*   `label` (1.0 = ordered) and every input of the model
    response-*   `label` (1.0 = clicked, unsubscribed, ordered), `email` and what trees read of the
                 customer and of earlier mails; of orders `click` (1.0 = yes, null = no mail)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from features.errors import NotReadyError
from training.evaluate import Floats, log_losses
from training.model.churn import churn_of
from training.model.dormancy import Steps, hazards_of
from training.model.hours import OwnHours, slot_chances
from training.model.model import Model
from training.model.response import answer_chances, bases, mail_orders
from training.model.score import inputs_of
from training.model.shrinkage import HOURS, KINDS_OF_DAY


def label_losses(model: Model, examples: pl.DataFrame) -> Floats:
    """Log-loss of each row of `examples`, of a model that answers yes or no by its inputs alone."""
    probability = model.probability(inputs_of(model, examples))
    return log_losses(examples.get_column("label").to_numpy(), probability.to_numpy())


def churn_losses(model: Model, examples: pl.DataFrame) -> Floats:
    """Log-loss of each row of `examples`, of what is served: trees, prior and newcomers."""
    return log_losses(examples.get_column("label").to_numpy(), churn_of(model, examples))


def hazard_losses(model: Model, examples: pl.DataFrame) -> Floats:
    """Log-loss of whether a customer turned dormant in a week, of those at risk in it."""
    steps = Steps(
        whose=np.arange(examples.height),
        is_first=examples.get_column("is_first").to_numpy() > 0,
        week=examples.get_column("week").to_numpy().astype(np.int64),
    )
    return log_losses(examples.get_column("label").to_numpy(), hazards_of(model, examples, steps))


def send_hour_losses(model: Model, examples: pl.DataFrame) -> Floats:
    """Log-loss of whether a send was clicked; without clicks, of the hour of the next act.

    The hour is one of the 24 of its day, weekday or weekend: chances are made to sum to 1.
    """
    evidence = "clicks" if "clicked" in examples.columns else "activity"
    if model.about["evidence"] != evidence:
        raise NotReadyError(
            f"model {model.name} {model.version} learnt from {model.about['evidence']}, these "
            f"cases are {evidence}; look at both in MLflow and promote by hand"
        )
    shape = (examples.height, KINDS_OF_DAY, HOURS)
    own = OwnHours(
        acts=examples.get_column("acts").to_numpy().reshape(shape),
        clicks=examples.get_column("clicks").to_numpy().reshape(shape),
    )
    chances = slot_chances(model, own, examples.get_column("segment"))
    day = (np.arange(examples.height), examples.get_column("weekend").cast(pl.Int64).to_numpy())
    slot = (*day, examples.get_column("hour").cast(pl.Int64).to_numpy())
    if evidence == "clicks":
        return log_losses(examples.get_column("clicked").to_numpy(), chances[slot])
    rates = -np.log1p(-chances)
    losses: Floats = -np.log(rates[slot] / rates[day].sum(axis=-1))
    return losses


def answer_losses(model: Model, examples: pl.DataFrame) -> Floats:
    """Log-loss of whether each mail was answered by a click, or by an unsubscribe."""
    emails = examples.get_column("email").to_list()
    chances = answer_chances(model, examples, emails, bases(model, {}))
    return log_losses(examples.get_column("label").to_numpy(), chances)


def order_losses(model: Model, examples: pl.DataFrame) -> Floats:
    """Log-loss of whether an order came, with a click or without."""
    return log_losses(examples.get_column("label").to_numpy(), mail_orders(model, examples))


LOSSES: Mapping[str, Callable[[Model, pl.DataFrame], Floats]] = {
    "churn": churn_losses,
    "email-dormancy": label_losses,
    "dormancy-date": hazard_losses,
    "send-hour": send_hour_losses,
    "affinity-category": label_losses,
    "affinity-product": label_losses,
    "response-click": answer_losses,
    "response-order": order_losses,
    "response-unsubscribe": answer_losses,
}
