"""What each route asks of a key. A route that is not in this table is closed to everybody."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from serving.access.settings import AccessSettings


class Scope(StrEnum):
    """What a key may do."""

    DECIDE = "decide"  # ask for decisions and scores, check and cancel them: a mail sender
    INGEST = "ingest"  # tell events: a shop
    READ = "read"  # look at customers, decisions, figures: people and dashboards
    ADMIN = "admin"  # erase and export: few


class Door(StrEnum):
    """What a route asks where it is no scope."""

    ALWAYS = "always"  # open, and never counted: whether the service is alive
    OPEN = "open"  # nobody is asked for a key; the route checks signatures or tokens itself
    METRICS = "metrics"  # as `[access] metrics` says
    DOCS = "docs"  # as `[access] docs` says
    CLOSED = "closed"


SCOPE_OF: dict[tuple[str, str], Scope | Door] = {
    ("POST", "/v1/decide"): Scope.DECIDE,
    ("POST", "/v1/decide/batch"): Scope.DECIDE,
    ("POST", "/v1/scores"): Scope.DECIDE,
    ("GET", "/v1/decisions/{decision_id}"): Scope.READ,
    ("GET", "/v1/decisions/{decision_id}/valid"): Scope.DECIDE,
    ("POST", "/v1/decisions/{decision_id}/cancel"): Scope.DECIDE,
    ("POST", "/v1/events"): Scope.INGEST,
    ("POST", "/v1/hooks/{source}"): Door.OPEN,
    ("GET", "/v1/customers/{customer_id}"): Scope.READ,
    ("GET", "/v1/customers/{customer_id}/export"): Scope.ADMIN,
    ("DELETE", "/v1/customers/{customer_id}"): Scope.ADMIN,
    ("GET", "/v1/unsubscribe/{token}"): Door.OPEN,
    ("POST", "/v1/unsubscribe/{token}"): Door.OPEN,
    ("GET", "/v1/health"): Scope.READ,
    ("GET", "/livez"): Door.ALWAYS,
    ("GET", "/readyz"): Door.ALWAYS,
    ("GET", "/metrics"): Door.METRICS,
    ("GET", "/v1/docs"): Door.DOCS,
    ("GET", "/v1/openapi.json"): Door.DOCS,
}
# Bodies of webhooks are collections of what a whole platform has to tell.
KIB = 1024
MIB = 1024 * KIB
MOST_BYTES = MIB
MOST_BYTES_OF: dict[tuple[str, str], int] = {("POST", "/v1/hooks/{source}"): 10 * MIB}

# A router that is mounted from elsewhere says so at its routes: openapi_extra=needs(Scope.READ).
DECLARED = "x-onje-scope"


def needs(scope: Scope | Door) -> dict[str, Any]:
    """What a route brought by another layer declares as its `openapi_extra`."""
    return {DECLARED: str(scope)}


def asked_by(method: str, path_format: str, declared: str | None) -> Scope | Door:
    """What the table, or else the route itself, asks of a key."""
    found = SCOPE_OF.get((method, path_format))
    if found is not None:
        return found
    by_itself: Iterable[Scope | Door] = (*Scope, *Door)
    return next((one for one in by_itself if one == declared), Door.CLOSED)


def in_force(asked: Scope | Door, settings: AccessSettings) -> Scope | Door:
    """The same with what the settings say of figures and descriptions."""
    match asked:
        case Door.METRICS:
            return Door.OPEN if settings.metrics == "open" else Scope.READ
        case Door.DOCS:
            return Door.OPEN if settings.docs == "open" else Scope.READ
        case _:
            return asked
