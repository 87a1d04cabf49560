"""The base of everything on the wire, and the kinds of values that several messages share."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

FIELD = re.compile(r"[A-Za-z][A-Za-z_]{0,39}")
# Items in one list: long enough for a page of a sender's queue, short enough to be answered soon.
LIST_LIMIT = 1_000


class Message(BaseModel):
    """An unknown key is an error, a value never changes, and no error repeats what was sent."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


# NUL is refused since PostgreSQL cannot keep it and Delta Lake's readers differ on it.
Id = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]
Text = Annotated[str, Field(max_length=1_000, pattern=r"^[^\x00]*$")]
# Within these, a moment can be moved to any time zone without leaving the calendar.
Moment = Annotated[
    AwareDatetime, Field(ge=datetime(1900, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))
]


class Fault(Message):
    """What went wrong: a code for programs, what was found and what to do for people."""

    code: str
    found: str
    do: str


class Reason(Message):
    """Why it was decided so: a code for programs, a sentence for people."""

    code: str
    text: str


def or_fault(message: type[Message]) -> WrapValidator:
    """Reads one item of a list as `message`, or as the Fault that says what is wrong with it.

    So a broken item does not take the others with it.
    """

    def read(given: Any, _handler: ValidatorFunctionWrapHandler) -> Message:
        try:
            return message.model_validate(given)
        except ValidationError as broken:
            return invalid(broken.errors(include_input=False, include_url=False))

    return WrapValidator(read)


def invalid(faults: Any) -> Fault:
    """Everything that is wrong with a message, in one line and without the values sent."""
    found = (f"{'.'.join(map(_named, fault['loc']))}: {fault['msg']}" for fault in faults)
    return Fault(
        code="invalid",
        found="; ".join(found),
        do="correct what is named and send it as application/json; /v1/docs shows every field",
    )


def _named(part: int | str) -> str:
    """The name of a field. What a sender made up may be anything, an e-mail address, too."""
    return str(part) if isinstance(part, int) or FIELD.fullmatch(part) else "(no name of a field)"
