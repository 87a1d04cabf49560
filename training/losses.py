"""How wrong a model is on each test case: the one place that knows how each model is scored.

`examples` of a trained model hold, beside what is listed here, `customer` and `baseline_loss`.

    churn        `label` (1.0 = churned) and every input of the model
    email-dormancy  `label` (1.0 = dormant) and every input of the model
    dormancy-date   `label` (1.0 = turned), `is_first`, `week` and the features of the customer
    send-hour    `segment`, `acts` (48 numbers: 24 weekday hours, 24 weekend hours), `weekend` and
                 `hour` of the next act
    affinity-*   `label` (1.0 = ordered) and every input of the model
    response-*   `label` (1.0 = clicked, unsubscribed, ordered), `email` and what trees read of the
                 customer and of earlier mails; of orders `click` (1.0 = yes, null = no mail)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from training.evaluate import Floats, log_losses
from training.model.churn import churn_of
from training.model.dormancy import Steps, hazards_of
from training.model.hours import day_shares
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
    """Log-loss of the hour of the next own act, one of the 24 of its day, weekday or weekend.

    How much more clicks that means is another question, with an interval of its own (the model's
    table `pull`): it takes many times as many clicks as there are to see it in a loss.
    """
    shape = (examples.height, KINDS_OF_DAY, HOURS)
    acts = examples.get_column("acts").to_numpy().reshape(shape)
    shares = day_shares(model, acts, examples.get_column("segment"))
    day, hour = (examples[name].cast(pl.Int64).to_numpy() for name in ("weekend", "hour"))
    losses: Floats = -np.log(shares[np.arange(examples.height), day, hour])
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
