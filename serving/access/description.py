"""What the API's description says of keys and limits, for every route alike."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from serving.access.paths import Paths, Way
from serving.access.scopes import Door, Scope
from serving.faults import WHAT_HAPPENED

SCHEME = "key"
REFUSALS = (401, 403, 429, 503)
REFUSALS_OF_STRANGERS = (429, 503)
REFUSALS_OF_BODIES = (408, 413, 415, 422)


def describe_access(app: FastAPI) -> None:
    """Let the app's description tell each route's scope and whatever the gate may answer."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = with_access(plain(), Paths(app.routes))
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def with_access(description: dict[str, Any], paths: Paths) -> dict[str, Any]:
    """The same description with keys, scopes and the gate's refusals."""
    components = description.setdefault("components", {})
    components.setdefault("securitySchemes", {})[SCHEME] = {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "onje_ID_SECRET",
        "description": "A key; `onje keys add` makes one.",
    }
    for path, operations in description.get("paths", {}).items():
        ways = paths.by_format(path)
        for method, operation in operations.items():
            _describe(operation, ways[method.upper()])
    return description


def _describe(operation: dict[str, Any], way: Way) -> None:
    statuses: tuple[int, ...] = REFUSALS_OF_STRANGERS
    if isinstance(way.asked, Scope) or way.asked in (Door.DOCS, Door.METRICS):
        scope = way.asked if isinstance(way.asked, Scope) else Scope.READ
        operation["security"] = [{SCHEME: [str(scope)]}]
        operation["description"] = "\n\n".join(
            filter(None, (operation.get("description"), f"Asks for a key with scope `{scope}`."))
        )
        statuses = REFUSALS
    else:
        operation["security"] = []
    # A body that nobody asked for is read and looked at all the same.
    answers = operation["responses"]
    # And what a route tells of in a form of its own comes in ours from the paths beside it.
    of_route = (int(status) for status in answers if status >= "400")
    for status in sorted({*of_route, *statuses, *REFUSALS_OF_BODIES}):
        # What the framework says of them by itself is a shape that we never send; a route may
        # answer in a form of its own, such as a page, and the gate before it in ours.
        told = answers.setdefault(str(status), {"description": WHAT_HAPPENED[status]})
        told.setdefault("content", {})["application/json"] = {
            "schema": {"$ref": "#/components/schemas/Fault"}
        }
