"""What Onje knows of a customer, and what its models make of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from serving.schemas.decisions import Standing
from serving.schemas.message import Id, Message


class ScoresRequest(Message):
    """Scores without a decision, for those who decide themselves."""

    customer_ids: Annotated[list[Id], Field(min_length=1, max_length=100)]


class HourChance(Message):
    """How likely a mail is clicked that arrives in this hour of the customer's own clock."""

    weekend: bool
    hour: int
    probability: float


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
    hours: list[HourChance]
    hour_source: str
    categories: list[Interest]
    products: list[Interest]
    versions: dict[str, str | None]


class ScoresAnswer(Message):
    """Scores in the order asked for."""

    scores: list[Scores]


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
