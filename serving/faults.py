"""One shape for every error that leaves the service: a code, what was found, what to do."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from serving.logs import HEADER_NAME, REQUEST_ID
from serving.schemas.message import Fault, invalid
from serving.store import StoreUnavailable

log = logging.getLogger("onje")

# A store comes back when somebody has seen to it, a queue is short again in a moment.
RETRY_AFTER_S = {"store_unavailable": 5, "too_busy": 1}

WHAT_HAPPENED = {
    401: "no key, or none that holds",
    403: "the key is not for this; the scope that is asked stands at each path",
    404: "nothing of this id",
    408: "the body did not arrive in time",
    409: "it conflicts with what was decided before",
    413: "the body is too large",
    415: "the body is not told to be plain JSON",
    422: "the request is not what it should be",
    429: "more requests than this caller may make; Retry-After says when to come",
    503: "the store cannot be reached, or too many questions wait; Retry-After says when to come",
}
NO_SUCH_PATH = Fault(code="no_such_path", found="no such path", do="see /v1/docs for all paths")
NO_SUCH_METHOD = Fault(
    code="no_such_method", found="another method", do="see /v1/docs for the methods"
)
# Where the framework refuses by itself, without one of our codes.
REFUSED = {
    400: (422, Fault(code="unreadable", found="the body cannot be read", do="send UTF-8 JSON")),
    404: (404, NO_SUCH_PATH),
    405: (405, NO_SUCH_METHOD),
}


class Refused(Exception):
    """A request that cannot be answered, with the status and the fault to say why."""

    def __init__(self, status: int, fault: Fault) -> None:
        super().__init__(fault.code)
        self.status = status
        self.fault = fault


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, for its OpenAPI description."""
    return {status: {"model": Fault, "description": WHAT_HAPPENED[status]} for status in statuses}


def unknown(what: str, found: str, do: str) -> Refused:
    return Refused(404, Fault(code=f"unknown_{what}", found=found, do=do))


class NoSuchPath(Route):
    """Answers for every path that no route of the app knows; to be the app's last route.

    BentoML passes on only what some route matches and says the rest in words of its own. This one
    matches by half, so that it comes after every other, a wrong method on a known path included.
    """

    def __init__(self) -> None:
        super().__init__("/{path:path}", _no_such_path, include_in_schema=False)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        return (Match.NONE if match is Match.NONE else Match.PARTIAL), child_scope

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Whatever the method: it is the path that is wrong.
        await self.app(scope, receive, send)


async def _no_such_path(_request: Request) -> Response:
    return _response(*REFUSED[404])


def answer_faults(app: FastAPI) -> None:
    """Let `app` answer every error in this one shape."""

    @app.exception_handler(Refused)
    async def refused(_request: Request, error: Refused) -> JSONResponse:
        return _response(error.status, error.fault)

    @app.exception_handler(RequestValidationError)
    async def not_valid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return _response(422, invalid(error.errors()))

    @app.exception_handler(StoreUnavailable)
    async def no_store(_request: Request, error: StoreUnavailable) -> JSONResponse:
        log.error("%s", error)  # names the file and the driver's complaint, never a value
        fault = Fault(
            code="store_unavailable",
            found="the store does not answer",
            do="try again; nothing was recorded",
        )
        return _response(503, fault)

    @app.exception_handler(HTTPException)
    async def by_framework(_request: Request, error: HTTPException) -> JSONResponse:
        plain = Fault(code="refused", found=str(error.detail), do="see /v1/docs")
        status, fault = REFUSED.get(error.status_code, (error.status_code, plain))
        return _response(status, fault)

    @app.exception_handler(Exception)
    async def ours(request: Request, error: Exception) -> JSONResponse:
        # The server logs the traceback; what was sent is in neither. A request that failed before
        # its route was found has none, and its path may hold an id.
        route = request.scope.get("route")
        log.error("%s on %s", type(error).__name__, route.path if route else "no route yet")
        fault = Fault(
            code="internal",
            found="a fault of the service itself",
            do="report it with X-Request-Id and the time; the log has the rest",
        )
        return fault_response(500, fault, {HEADER_NAME: REQUEST_ID.get() or ""})


def fault_response(status: int, fault: Fault, headers: Mapping[str, str]) -> JSONResponse:
    """The one shape of an error, with these headers and when to come again."""
    seconds = RETRY_AFTER_S.get(fault.code)
    again = {"Retry-After": str(seconds)} if seconds else {}
    return JSONResponse(fault.model_dump(), status, {**again, **headers})


def _response(status: int, fault: Fault) -> JSONResponse:
    return fault_response(status, fault, {})
