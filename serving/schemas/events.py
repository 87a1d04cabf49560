"""Events as told over HTTP: right now in a decision's context, or to be kept."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from features.contracts import CHANNELS, KINDS, OWN_KINDS
from serving.schemas.message import LIST_LIMIT, Fault, Id, Message, Moment, Text, or_fault

Money = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=4)]
Kind = Annotated[str, Field(pattern=f"^({'|'.join(KINDS)})$")]
OwnKind = Annotated[str, Field(pattern=f"^({'|'.join(OWN_KINDS)})$")]
Channel = Annotated[str, Field(pattern=f"^({'|'.join(CHANNELS)})$")]


class SeenEvent(Message):
    """Something the customer does at this moment. It counts for one decision and is not kept.

    Only the customer's own doing: nobody gives or takes back consent in passing.
    """

    kind: OwnKind
    at: Moment | None = Field(default=None, description="when it happened; left out, just now")
    channel: Channel | None = Field(
        default=None, description="left out: email for what happens to a mail, else web"
    )
    product_id: Id | None = None
    quantity: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)] | None = None
    amount: Money | None = None
    discount: Money | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    coupon: Text | None = None
    payment: Text | None = None
    link: Text | None = None
    query: Text | None = None
    duration_s: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None
    order_id: Id | None = None


class Event(SeenEvent):
    """Something that happened, to be kept: table EVENTS without what Onje knows by itself."""

    kind: Kind
    customer_id: Id
    event_id: Id | None = Field(
        default=None, description="your own id, so that telling it twice changes nothing"
    )
    reason: Text | None = Field(
        default=None, description="consent: granted, denied, reconfirmed; bounce: hard, soft"
    )
    message_id: Id | None = None
    decision_id: Id | None = Field(
        default=None, description="the decision that asked for this mail"
    )
    email: Id | None = None
    variant: Id | None = None
    machine: bool | None = Field(default=None, description="true for a prefetch or a scanner")
    source: Id = "api"
    attributes: Annotated[
        dict[Id, Text | Annotated[float, Field(allow_inf_nan=False)] | bool | None],
        Field(max_length=50),
    ] = Field(default_factory=dict)


class Rejected(Message):
    """An event that was not kept: its place in the list, counted from 0, and why."""

    index: int
    fault: Fault


class EventsRequest(Message):
    """Events in any order; each is accepted or rejected alone."""

    events: Annotated[
        list[Annotated[Event | SkipJsonSchema[Fault], or_fault(Event)]],
        Field(min_length=1, max_length=LIST_LIMIT),
    ]


class EventsAnswer(Message):
    """What became of the events. Those accepted are durable and known to the next decision."""

    accepted: int
    known_already: int
    rejected: list[Rejected]
