"""What the service writes: one line for each thing, as JSON or text, and of no customer anything.

A traceback names errors and places, never what an error says: that may quote what was sent.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from secrets import token_hex
from traceback import extract_tb
from types import TracebackType
from typing import Any, Literal, TextIO

# Of the request that is being answered; None beside any.
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
HEADER_NAME = "X-Request-Id"  # what a caller tells and is told it by
# What was decided for it, where somebody is going to write that; None where nobody is.
DECISION_IDS: ContextVar[list[str] | None] = ContextVar("decision_ids", default=None)

# Long enough to be nobody's name, and with a letter: a telephone number has none.
SANE = re.compile(r"(?=[^a-zA-Z]*[a-zA-Z])[\w.-]{8,64}", re.ASCII)
DECISION_ID = re.compile(rb'"decision_id":"([0-9a-f-]{36})"')
# A line that named a thousand decisions would be read by nobody.
MOST_DECISIONS = 20
# Whose handlers and levels of their own would write lines of another form.
STRANGERS = ("bentoml", "circus", "uvicorn", "uvicorn.error", "alembic", "sqlalchemy", "mlflow")

Form = Literal["json", "text"]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def request_id_of(told: bytes | None) -> str:
    """The id that the caller gave, if it can be one; else a new one."""
    text = (told or b"").decode("latin-1")
    return text if SANE.fullmatch(text) else token_hex(8)


def note_decisions(answers: Sequence[bytes]) -> None:
    """Let the line about this request name the decisions that these answers tell of."""
    noted = DECISION_IDS.get()
    if noted is None:
        return
    for answer in answers[: MOST_DECISIONS - len(noted)]:
        if found := DECISION_ID.search(answer):
            noted.append(found[1].decode())


def note_decision(decision_id: object) -> None:
    """The same for a decision that was asked about by its id."""
    noted = DECISION_IDS.get()
    if noted is not None:
        noted.append(str(decision_id))


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        told = {"at": _moment(record), "level": record.levelname.lower(), **_told(record)}
        return json.dumps(told, ensure_ascii=False)


class TextLines(logging.Formatter):
    """The same for people: what happened first, then what belongs to it."""

    def format(self, record: logging.LogRecord) -> str:
        told = _told(record)
        head = f"{_moment(record)} {record.levelname} {told.pop('logger')}: {told.pop('message')}"
        trace = told.pop("trace", ())
        known = {"method", "route", "status", "ms", "process"}  # the message says them
        rest = (f"{name}={_plain(value)}" for name, value in told.items() if name not in known)
        return "\n".join((" ".join((head, *rest)), *(f"    {line}" for line in trace)))


FORMS: dict[Form, type[logging.Formatter]] = {"json": JsonLines, "text": TextLines}


def write_logs(form: Form, to: TextIO) -> None:
    """Let everything that this process logs be written in this form.

    Levels stay as they are: BentoML's command line says how much of itself it tells.
    """
    handler = logging.StreamHandler(to)
    handler.setFormatter(FORMS[form]())
    logging.getLogger().handlers = [handler]
    for name in STRANGERS:
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    # It writes whole paths, and some of ours hold the id of a customer.
    logging.getLogger("uvicorn.access").disabled = True
    logging.captureWarnings(True)


def _told(record: logging.LogRecord) -> dict[str, Any]:
    told: dict[str, Any] = {
        "logger": record.name,
        "message": _message(record),
        "process": record.process,
    }
    if request_id := REQUEST_ID.get():
        told["request_id"] = request_id
    told |= getattr(record, "told", {})
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        told["trace"] = list(trace_of(error))
    return told


def _message(record: logging.LogRecord) -> str:
    message = record.getMessage()
    # asyncio tells of a task that failed by its repr, and in it that of its error.
    return message.partition("\n")[0] if record.name == "asyncio" else message


def trace_of(error: BaseException) -> Iterator[str]:
    """The error, its causes and where each happened, without what any of them says."""
    met: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in met:
        met.add(id(one))
        yield f"{type(one).__name__}{_number(one)}"
        for frame in extract_tb(one.__traceback__):
            yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
        if isinstance(one, BaseExceptionGroup):
            for part in one.exceptions:
                yield from trace_of(part)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _number(error: BaseException) -> str:
    # What the operating system says of it, without the file that it is about.
    return f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
