"""A question about one customer, and its answer: send or wait."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from serving.schemas.events import SeenEvent
from serving.schemas.message import LIST_LIMIT, Fault, Id, Message, Moment, Reason, or_fault


class Context(Message):
    """What the caller knows and Onje may not know yet."""

    events: Annotated[list[SeenEvent], Field(max_length=100)] = Field(
        default_factory=list, description="what the customer just did; for this decision only"
    )


class DecisionRequest(Message):
    """What to send this customer next, if anything?"""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"request_id": "7f3a", "customer_id": "1364"}]}
    )

    request_id: Id = Field(description="yours; the same id with the same question is answered once")
    customer_id: Id
    emails: Annotated[list[Id], Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="choose among these; exactly one asks only for its time"
    )
    earliest: Moment | None = Field(default=None, description="not before")
    deadline: Moment | None = Field(default=None, description="not after")
    context: Context | None = None
    dry_run: bool = Field(default=False, description="answer, but reserve and record nothing")

    @model_validator(mode="after")
    def _window_is_open(self) -> Self:
        if self.earliest and self.deadline and self.earliest > self.deadline:
            raise ValueError("earliest lies after deadline; leave one out or swap them")
        return self


class Element(Message):
    """Which arm of an experiment a part of the mail takes."""

    factor: str = Field(description="subject, sender_name, content, image_share, cta, ...")
    arm: str


class Slots(Message):
    """What a template may fill in."""

    category: str | None
    interest: str | None
    coupon: str | None
    discount: float | None
    tone: str | None
    region: str | None
    subject_prefix: str | None = Field(description="to stand before the subject, where law asks")
    list_unsubscribe: bool = Field(description="true: send the headers of RFC 8058")
    legal: str | None = Field(description="the jurisdiction whose rules hold")
    elements: list[Element]


class _Answer(Message):
    decision_id: UUID
    request_id: str
    customer_id: str
    because: list[Reason]
    propensity: Annotated[float, Field(gt=0, le=1)] = Field(
        description="the chance that the policy chose this: of the e-mail, or of none, times that "
        "of its hour; the receipt has those of the others"
    )
    known_customer: bool | None = Field(
        description="false: nobody of this id is known and the population answers; "
        "null: the store could not be asked"
    )
    degraded: bool = Field(description="true: a model is missing and rules stand in for it")


class Send(_Answer):
    """Send this e-mail at this moment. The mail is reserved and counts in the caps."""

    action: Literal["send"] = "send"
    email: str
    variant: str
    by: Literal["mail", "human"] = Field(description="human: a person writes to them")
    send_at: AwareDatetime
    local_send_at: datetime = Field(description="the same moment on the customer's own clock")
    products: list[str]
    slots: Slots
    valid_until: AwareDatetime = Field(
        description="not sent by then, do not send it any more; cancel it to free its place"
    )
    unsubscribe_url: str | None = Field(
        description="for the header List-Unsubscribe; null where `list_unsubscribe` is false, or "
        "the settings name no address that readers reach"
    )


class Wait(_Answer):
    """Send nothing now."""

    action: Literal["wait"] = "wait"
    valid_until: AwareDatetime = Field(description="ask again then, or after an event")


Decision = Annotated[Send | Wait, Field(discriminator="action")]


class BatchRequest(Message):
    """Many questions, each answered as if asked alone."""

    requests: Annotated[
        list[Annotated[DecisionRequest | SkipJsonSchema[Fault], or_fault(DecisionRequest)]],
        Field(min_length=1, max_length=LIST_LIMIT),
    ]


class Failed(Message):
    """A question of a batch that has no answer."""

    action: Literal["error"] = "error"
    request_id: str | None
    fault: Fault


class BatchAnswer(Message):
    """Answers in the order of the questions."""

    answers: list[Annotated[Send | Wait | Failed, Field(discriminator="action")]]


class Standing(Message):
    """A decision as it stands: issued, sent, cancelled, or superseded (a plan, by a live one)."""

    decision_id: UUID
    customer_id: str
    as_of: AwareDatetime
    action: Literal["send", "wait"]
    email: str | None
    send_at: AwareDatetime | None
    plan: bool
    state: Literal["issued", "sent", "cancelled", "superseded"]


class Validity(Message):
    """Whether a decision still holds."""

    decision_id: UUID
    valid: bool = Field(description="false: do not send it any more, and ask anew")
    because: list[Reason] = Field(description="why it holds no more; empty where it does")
    checked_at: AwareDatetime


class DecisionRecord(Standing):
    """A decision with its receipt: everything that explains it and lets it be replayed."""

    receipt: dict[str, Any] = Field(
        description="what was asked, each arm with its value, its propensity and what forbade it, "
        "what was left to chance, the unconstrained best, feature values, versions of models, "
        "policy and settings, which models learnt from synthetic data, the seed"
    )
