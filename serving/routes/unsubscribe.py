"""Unsubscribing by one click (RFC 8058): a POST does it, a GET only asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse

from serving.faults import Refused, declared, unknown
from serving.live import Live
from serving.rendering.templates import template
from serving.routes.state import LiveNow
from serving.unsubscribing import Tokens, unsubscribe

router = APIRouter(prefix="/v1", tags=["unsubscribe"])

# The page brings all that it needs, may send its form only back here, and tells nobody its address.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
# However long: one that is too long is nobody's.
Token = Annotated[str, Path(min_length=1)]


@router.get(
    "/unsubscribe/{token}", response_class=HTMLResponse, responses=declared(404, 422, 429, 503)
)
async def page(token: Token, live: LiveNow) -> HTMLResponse:
    """A page with a button, for people. Who only looks, as scanners of mail do, changes nothing."""
    _customer_of(token, live)
    return _page(is_done=False)


@router.post(
    "/unsubscribe/{token}", response_class=HTMLResponse, responses=declared(404, 422, 429, 503)
)
async def one_click(token: Token, live: LiveNow) -> HTMLResponse:
    """Unsubscribe. No key, no cookie; the body is not read. Doing so twice is fine.

    The answer means that it is on disk: no decision sends them marketing from now on, and those
    already made are no longer valid.
    """
    customer_id = _customer_of(token, live)
    await live.in_thread(unsubscribe, customer_id, live, now=live.now())
    return _page(is_done=True)


def _customer_of(token: str, live: Live) -> str:
    customer_id = Tokens(live.secret).customer_of(token)
    if customer_id is None:
        raise _nobodys()
    return customer_id


def _nobodys() -> Refused:
    return unknown("token", "no such link", "follow the link as it stands in the mail")


def _page(*, is_done: bool) -> HTMLResponse:
    body = template("unsubscribe.html").render(is_done=is_done)
    return HTMLResponse(body, headers=PAGE_HEADERS)
