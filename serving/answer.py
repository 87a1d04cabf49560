"""From requests and what is known of their customers to one decision per request."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from features.settings import FeatureSettings
from serving.scores import Models
from serving.settings import ServingSettings

UTC = pl.Datetime("us", "UTC")

# One question each. `emails` null = whole catalogue; exactly one = only the time is asked for.
REQUESTS: dict[str, pl.DataType] = {
    "row": pl.UInt32(),
    "request_id": pl.String(),
    "decision_id": pl.String(),
    "customer_id": pl.String(),
    "as_of": UTC,
    "emails": pl.List(pl.String()),
    "earliest": UTC,
    "deadline": UTC,
}

# E-mails already promised: `reserved` counts in the caps until its send event is in the history.
# `sent` is in the history already, `planned` gives way to a live decision: neither counts here.
MAIL: dict[str, pl.DataType] = {
    "customer_id": pl.String(),
    "decision_id": pl.String(),
    "email": pl.String(),
    "at": UTC,
    "state": pl.Enum(["reserved", "sent", "planned"]),
}

REASON = pl.Struct({"code": pl.String, "text": pl.String})

ARM = pl.Struct(
    {
        "email": pl.String,
        "variant": pl.String,
        "applies": pl.Boolean,
        "because": pl.String,  # the trigger's reason in words; null where it does not apply
        "forbidden_by": pl.List(REASON),
        "value": pl.Float64,  # at send_at, where one is allowed, else at the unconstrained best
        "send_at": UTC,  # the best allowed instant; null where none is
        "unconstrained_value": pl.Float64,
        "unconstrained_at": UTC,
        "clicks": pl.Float64,  # the parts of the value; the first two are chances
        "orders": pl.Float64,
        "margin": pl.Float64,  # money from here on
        "discount": pl.Float64,
        "send_cost": pl.Float64,
        "unsubscribes": pl.Float64,
        "hour_lift": pl.Float64,
        "fit": pl.Float64,
    }
)

SLOTS = pl.Struct(
    {
        "category": pl.String,
        "interest": pl.String,
        "coupon": pl.String,
        "discount": pl.Float64,
        "tone": pl.String,
    }
)

DECISIONS: dict[str, pl.DataType] = {
    "row": pl.UInt32(),
    "request_id": pl.String(),
    "decision_id": pl.String(),
    "customer_id": pl.String(),
    "as_of": UTC,
    "action": pl.String(),  # send | wait
    "email": pl.String(),  # this and the next five are null (products empty) for wait
    "variant": pl.String(),
    "send_at": UTC,
    "local_send_at": pl.Datetime("us"),
    "products": pl.List(pl.String()),
    "slots": SLOTS,
    "because": pl.List(REASON),
    "value": pl.Float64(),
    "propensity": pl.Float64(),
    "valid_until": UTC,
    "arms": pl.List(ARM),
    "unconstrained_best": pl.Struct({"email": pl.String, "send_at": UTC, "value": pl.Float64}),
    "degraded": pl.Boolean(),
    "missing_models": pl.List(pl.String()),
    "known_customer": pl.Boolean(),
    "timezone": pl.String(),
    "timezone_known": pl.Boolean(),
    "segment": pl.String(),
    "stage": pl.String(),
    "hour_source": pl.String(),  # whose hours were read: customer | segment | everyone | default
    "known_until": UTC,  # the newest thing known of the customer; null where nothing is
    "features": pl.String(),  # JSON object: every feature and score as read
    "versions": pl.String(),  # JSON object: models (name: version | null) and policy (SHA-256)
    "seed": pl.Int64(),
}


@dataclass(frozen=True)
class Knowledge:
    """What is known of the customers asked for, and of the shelf.

    `history` as features.contracts.History, `customers` and `products` as their contracts,
    `mail` with the columns of MAIL. More customers than asked for do no harm.
    """

    history: pl.DataFrame
    customers: pl.DataFrame
    products: pl.DataFrame
    mail: pl.DataFrame


def answer(
    requests: pl.DataFrame,
    knowledge: Knowledge,
    models: Models,
    *,
    settings: ServingSettings,
    feature_settings: FeatureSettings,
) -> pl.DataFrame:
    """One row of DECISIONS per row of `requests` (columns REQUESTS), in the order given.

    A customer is decided alone: who else is asked for in the same call changes nothing.
    """
    raise NotImplementedError
