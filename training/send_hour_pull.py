"""How clicks follow presence: a logistic regression beside what is known of mail and reader.

Who was mailed at 03:00 was mailed for a reason, and that reason clicks. So an hour is never judged
by its own clicks: each e-mail has a rate of its own, and what is learnt is only whether a mail of
the same kind is clicked more where its reader is more about. Some people click ten times as often
as others, which is no merit of their hours either: what they opened and clicked before, and their
clicks on all their other mails, stand beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.evaluate import Floats
from training.model.model import sigmoid
from training.send_hour_cases import ANSWERED

Ints = NDArray[np.int64]

# As if everybody had clicked so often more, and that were what was expected of them.
OTHER_CLICKS = 0.5
# As if everyone's rate had been seen so often: of an e-mail, and of an e-mail in an hour.
SENDS_OF_AN_EMAIL, SENDS_OF_AN_HOUR = 500.0, 200.0
# Enough to keep coefficients finite where a column is constant, too weak to be seen elsewhere.
RIDGE = 1e-4
# How alike e-mails are taken to be: 1 / the variance of their log-odds.
EMAILS_ALIKE = 1.0
STEPS, LONGEST_STEP, SMALL = 100, 1.0, 1e-8


@dataclass(frozen=True, eq=False)
class Logistic:
    """`coefficients`, the common intercept last, and their `covariance`."""

    coefficients: Floats
    covariance: Floats


def click_rates(train: pl.DataFrame, rows: pl.DataFrame, *, by_hour: bool) -> Floats:
    """The rate in `train` (email, hour, yes, no) of the e-mail of each of `rows`, or of its hour.

    Shrunk: of an hour to the e-mail's, of an e-mail to everyone's, which one never seen gets.
    """
    clicks, sends = pl.col("yes").sum(), (pl.col("yes") + pl.col("no")).sum()
    average = train.select(clicks / sends).item()
    of_email = (clicks + SENDS_OF_AN_EMAIL * average) / (sends + SENDS_OF_AN_EMAIL)
    emails = train.group_by("email").agg(of_email=of_email)
    of_hour = (clicks + SENDS_OF_AN_HOUR * pl.col("of_email").first()) / (sends + SENDS_OF_AN_HOUR)
    hours = train.join(emails, on="email").group_by("email", "hour").agg(of_hour=of_hour)
    found = (
        rows.select("email", "hour")
        .join(emails, on="email", how="left", maintain_order="left")
        .join(hours, on=["email", "hour"], how="left", maintain_order="left")
    )
    rate = pl.coalesce("of_hour", "of_email") if by_hour else pl.col("of_email")
    return found.select(rate.fill_null(average)).to_series().to_numpy()


def email_log_odds(train: pl.DataFrame, rows: pl.DataFrame) -> Floats:
    """The log-odds of the e-mail of each of `rows` over everyone's, as in `click_rates`."""
    rates = click_rates(train, rows, by_hour=False)
    average = train.select(pl.col("yes").sum() / (pl.col("yes") + pl.col("no")).sum()).item()
    odds: Floats = np.log(rates / (1 - rates)) - np.log(average / (1 - average))
    return odds


def readiness(seen: pl.DataFrame, people: pl.DataFrame, expected: Floats) -> Floats:
    """How readily whoever got each mail of `seen` clicks at any hour: [rows, 3], three logarithms.

    Opens and clicks over everybody's rate until then, and clicks on all other mails of `seen` over
    the number `expected` [rows] of anybody. `people` as in Cases, `seen` with row and yes.
    """
    row = seen["row"].cast(pl.Int64).to_numpy()
    numbers = (people[name].fill_null(0).cast(pl.Float64).to_numpy() for name in ANSWERED)
    sends, opens, clicks = numbers
    before = []
    for answers, prior in ((opens, 1.0), (clicks, OTHER_CLICKS)):
        rate = (answers.sum() + prior) / (sends.sum() + prior)
        before.append(np.log((answers + prior) / (sends * rate + prior))[row])
    customer = (people["customer_id"].rank("dense").cast(pl.Int64).to_numpy() - 1)[row]
    yes = seen["yes"].cast(pl.Float64).to_numpy()
    other_yes, other_expected = (
        np.bincount(customer, values)[customer] - values for values in (yes, expected)
    )
    others = np.log((other_yes + OTHER_CLICKS) / (other_expected + OTHER_CLICKS))
    return np.stack([*before, others], axis=1)


def fit_logistic(
    inputs: Floats, yes: Floats, no: Floats, emails: Ints, customers: Ints, *, offset: Floats
) -> Logistic:
    """Log-odds = offset + inputs x coefficients + intercept + that of the e-mail; [rows, inputs].

    `yes` and `no` count answers, `emails` and `customers` number from 0 whose they are. By Newton's
    method; e-mails are shrunk to the common intercept. The covariance is the robust one by
    customer (Liang and Zeger 1986): the mails of one customer are alike.
    """
    kinds = np.eye(int(emails.max()) + 1)[emails]
    columns = np.column_stack([inputs, np.ones(len(inputs)), kinds])
    ridge = np.diag(np.repeat([RIDGE, EMAILS_ALIKE], [inputs.shape[1] + 1, kinds.shape[1]]))
    times = yes + no
    found = np.zeros(columns.shape[1])
    found[inputs.shape[1]] = np.log(yes.sum() / no.sum())
    for _ in range(STEPS):
        chances = sigmoid(offset + columns @ found)
        weights = times * chances * (1 - chances)
        slopes = columns * (yes - times * chances)[:, None]
        inverse = np.linalg.inv((columns * weights[:, None]).T @ columns + ridge)
        step = inverse @ (slopes.sum(axis=0) - ridge @ found)
        found = found + step * min(1.0, LONGEST_STEP / max(np.abs(step).max(), SMALL))
        if np.abs(step).max() < SMALL:
            break
    by_customer = np.stack([np.bincount(customers, one) for one in slopes.T], axis=1)
    covariance = inverse @ (by_customer.T @ by_customer) @ inverse
    kept = inputs.shape[1] + 1
    return Logistic(found[:kept], covariance[:kept, :kept])
