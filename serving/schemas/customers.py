"""What Onje knows of a customer, and what its models make of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from serving.schemas.decisions import Standing
from serving.schemas.message import Id, Message


class ScoresRequest(Message):
    """Scores without a decision, for those who decide themselves."""

    customer_ids: Annotated[list[Id], Field(min_length=1, max_length=100)]


class HourChance(Message):
    """How good an hour of the customer's own clock is; `hour_evidence` tells of what chance."""

    weekend: bool
    hour: int
    probability: float = Field(
        description="by clicks: that a mail sent in this hour is clicked; by activity: that the "
        "customer visits or orders in this hour of one such day; without a model no chance at "
        "all, only more the nearer the hour is to the shop's usual one"
    )
    source: Literal["customer", "segment", "everyone", "default"] = Field(
        description="whose hours weigh most in it; default: the shop's usual hour, by rule"
    )


class BestHour(Message):
    """The best hour of a kind of day in which mail may leave: the usual one, or one surely better.

    `customer`, `segment` and `everyone` say how much of it is whose evidence; they sum to 1.
    """

    weekend: bool
    hour: int
    gain: float = Field(
        description="expected clicks beyond those at the shop's usual hour, as a share of these"
    )
    gain_low: float = Field(description="the lower bound of that gain")
    source: Literal["customer", "segment", "everyone", "default"]
    customer: float | None
    segment: float | None
    everyone: float | None


class Interest(Message):
    """A category or product with the chance that it is ordered soon; null without a model."""

    item: str
    probability: float | None


class Scores(Message):
    """What the models say of a customer."""

    customer_id: str
    as_of: AwareDatetime
    known_customer: bool
    degraded: bool
    segment: str
    stage: str
    churn: float | None = Field(description="chance of no order within the model's horizon")
    dormant: bool | None = Field(description="no sign of life by e-mail; null with too few mails")
    email_dormancy: float | None = Field(
        description="chance that neither a click nor a visit follows the e-mails of the model's "
        "horizon; null without a model, and for who was not mailed within 60 days"
    )
    dormant_on: AwareDatetime | None = Field(
        description="when no order will have come for so long that the customer counts as "
        "dormant: by then it is likelier than not; in the past: since when it is so; null "
        "without a model, beyond its last week, and for who has never ordered"
    )
    dormant_within_30d: float | None = Field(
        description="chance of being dormant in 30 days, 1 for who is already; null without a "
        "model, and for who has never ordered"
    )
    hours: list[HourChance]
    best_hours: list[BestHour] = Field(description="of a weekday and of a weekend day")
    hour_evidence: Literal["clicks", "activity"] | None = Field(
        description="what the hours were learnt from; null without a model"
    )
    categories: list[Interest]
    products: list[Interest]
    versions: dict[str, str | None]


class ScoresAnswer(Message):
    """Scores in the order asked for."""

    scores: list[Scores]
    of_last_night: bool = Field(
        description="the store does not answer: these are the scores of the last night, as of "
        "each one's `as_of`; what was told since is not in them"
    )


class Permission(Message):
    """Whether mail is allowed, and why not."""

    email_consent: str
    consent_since: AwareDatetime | None
    suppressed_by: str | None
    suppressed_at: AwareDatetime | None


class Customer(Message):
    """Everything about one customer on one page. There is no e-mail address: Onje has none."""

    customer_id: str
    timezone: str | None
    events: int
    last_event_at: AwareDatetime | None
    permission: Permission
    scores: Scores
    recent_decisions: list[Standing]


class Erased(Message):
    """That a customer was erased: all that is left of them."""

    name: str = Field(description="a keyed hash of the id, by which an old log is kept out")
    erased_at: AwareDatetime
    swept_at: AwareDatetime | None = Field(
        description="since when lake, outputs and files hold nothing either; null: not yet"
    )
    known: bool = Field(
        description="false: nothing was ever told of a customer of this id; is it spelled right?"
    )
