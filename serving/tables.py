"""The tables a decision is made from and the one it ends in: columns and types."""

from __future__ import annotations

import polars as pl

UTC = pl.Datetime("us", "UTC")
# Whose row it is, and at which moment.
KEY = ["customer_id", "as_of"]

# One question each. `emails` null = whole catalogue; exactly one = only the time is asked for.
REQUESTS = pl.Schema(
    {
        "row": pl.UInt32(),
        "request_id": pl.String(),
        "decision_id": pl.String(),
        "customer_id": pl.String(),
        "as_of": UTC,
        "emails": pl.List(pl.String()),
        "earliest": UTC,
        "deadline": UTC,
    }
)

# E-mails already promised: each counts in the caps until its send event is in the history. The
# plans of a night are none of them: they give way to a live decision.
MAIL = pl.Schema(
    {
        "customer_id": pl.String(),
        "decision_id": pl.String(),
        "email": pl.String(),
        "at": UTC,
    }
)

REASON = pl.Struct({"code": pl.String, "text": pl.String})

# Clicks to fit are the parts of `value` at its instant: expected counts, then money, then factors.
# Value = margin - discount - the costs and prices up to `unsubscribe_price`. Of an e-mail that does
# not compete there are none of these.
ARM = pl.Struct(
    {
        "email": pl.String,
        "variant": pl.String,
        "applies": pl.Boolean,
        "because": pl.String,  # the trigger's reason in words; null where it does not apply
        "forbidden_by": pl.List(REASON),
        "send_at": UTC,  # the best allowed instant; null where none is
        "value": pl.Float64,  # at send_at; null where none is
        "propensity": pl.Float64,  # the chance that this e-mail is chosen
        "hours": pl.UInt32,  # how many instants are open to it, one of which it gets
        "unconstrained_at": UTC,  # the best instant if no guardrail stood
        "unconstrained_value": pl.Float64,
        "clicks": pl.Float64,
        "orders": pl.Float64,
        "unsubscribes": pl.Float64,
        "margin": pl.Float64,
        "discount": pl.Float64,
        "send_cost": pl.Float64,
        "unsubscribe_cost": pl.Float64,
        "mail_price": pl.Float64,  # prices of budgets, see serving.conditions
        "coupon_price": pl.Float64,
        "unsubscribe_price": pl.Float64,
        "gives_away": pl.Boolean,  # a coupon or a discount
        "stands_back": pl.Boolean,  # for the usual best, than which it is not surely worth more
        "ordered_before": pl.Float64,  # the chance that they order while it waits; then it stays
        "hour_lift": pl.Float64,
        "freshness": pl.Float64,
        "fit": pl.Float64,
        # Which of clicks, orders and unsubscribes models have learnt; the merchant said the others.
        "learnt": pl.List(pl.String),
    }
)

# Which arm of an experiment a part of the mail takes: factor (subject, cta, ...) and arm.
ELEMENT = pl.Struct({"factor": pl.String, "arm": pl.String})

SLOTS = pl.Struct(
    {
        "category": pl.String,
        "interest": pl.String,
        "coupon": pl.String,
        "discount": pl.Float64,
        "tone": pl.String,
        "region": pl.String,
        "subject_prefix": pl.String,
        "list_unsubscribe": pl.Boolean,  # the headers of RFC 8058
        "legal": pl.String,  # the jurisdiction whose rules hold
        "elements": pl.List(ELEMENT),
    }
)

# `propensity` is the chance of the arm, given that they take part.
EXPERIMENT = pl.Struct({"experiment": pl.String, "arm": pl.String, "propensity": pl.Float64})
SOURCE = pl.Struct({"source": pl.String, "known_until": UTC})
WORKFLOW = pl.Struct({"workflow": pl.String, "step": pl.UInt32, "started_days": pl.Float64})
# A mail that was promised when the decision was made, and counted in its caps.
PROMISED = pl.Struct({"decision_id": pl.String, "email": pl.String, "at": UTC})

# From `email` to `slots`, `value`, `workflow` and `hour_source` null for wait; its products are
# empty.
DECISIONS = pl.Schema(
    {
        "row": pl.UInt32(),
        "request_id": pl.String(),
        "decision_id": pl.String(),
        "customer_id": pl.String(),
        "as_of": UTC,
        "action": pl.String(),  # send | wait
        "email": pl.String(),
        "variant": pl.String(),
        "by": pl.String(),  # who writes it: mail | human
        "send_at": UTC,
        "local_send_at": pl.Datetime("us"),
        "products": pl.List(pl.String()),
        "slots": SLOTS,
        "because": pl.List(REASON),
        "value": pl.Float64(),
        # P(e-mail or none) x P(hour | e-mail); with `wait_propensity` those of the arms sum to 1.
        "propensity": pl.Float64(),
        "email_propensity": pl.Float64(),
        "hour_propensity": pl.Float64(),  # null for wait
        "wait_propensity": pl.Float64(),
        "explored_email": pl.Boolean(),  # chance chose the e-mail, or none
        "explored_hour": pl.Boolean(),
        "explore_share": pl.Float64(),  # the share of such choices that is left to chance
        "holdout": pl.Boolean(),
        "experiments": pl.List(EXPERIMENT),  # those they take part in
        "evidence_stage": pl.String(),  # A | B | C, see serving.evidence
        "workflow": WORKFLOW,  # of which the e-mail is a step; null where it is none
        "valid_until": UTC,
        "arms": pl.List(ARM),
        "unconstrained_best": pl.Struct({"email": pl.String, "send_at": UTC, "value": pl.Float64}),
        # Of the e-mail chosen: all guardrails that shut its best instant; empty where it is open.
        "moved_by": pl.List(REASON),
        "degraded": pl.Boolean(),
        "missing_models": pl.List(pl.String()),
        "known_customer": pl.Boolean(),
        "timezone": pl.String(),
        "timezone_known": pl.Boolean(),
        "segment": pl.String(),
        "stage": pl.String(),
        "own_segments": pl.List(pl.String()),  # the merchant's own
        "hour_source": pl.String(),  # customer | segment | everyone | default
        "known_until": UTC,  # the newest thing known of the customer; null where nothing is
        "sources": pl.List(SOURCE),  # the same by channel; `person` is what CUSTOMERS says
        "features": pl.String(),  # JSON object: every feature and score as read
        # JSON object: models (name: version | null), synthetic (names of the models that were
        # trained on synthetic data); SHA-256 of policy, catalogue, features and code
        "versions": pl.String(),
        "lake_versions": pl.String(),  # JSON object: version by table that was read or published
        "promised": pl.List(PROMISED),
        "conditions": pl.String(),  # JSON object: serving.conditions as they were in force
        "seed": pl.Int64(),
    }
)
