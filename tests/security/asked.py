"""Valid requests to every operation of the API, made from its own description, to be spoilt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any
from urllib.parse import quote

from serving.app import create_app

DESCRIPTION = create_app(lambda: None, routers=[]).openapi()
OPERATIONS = [
    (path, method) for path, methods in DESCRIPTION["paths"].items() for method in methods
]
# What a schema's pattern or a route's own checks ask for.
EXAMPLES: Mapping[str, Any] = {
    "kind": "view", "channel": "web", "currency": "USD", "at": "2024-05-01T15:00:00Z",
    "amount": "1", "discount": "1", "emails": ["newsletter"],
    "earliest": "2024-05-01T17:00:00Z", "deadline": "2024-05-02T17:00:00Z",
    "decision_id": "00000000-0000-0000-0000-000000000000", "as": "json",
}  # fmt: skip
Place = tuple[str | int, ...]


def operation(path: str, method: str) -> dict[str, Any]:
    found: dict[str, Any] = DESCRIPTION["paths"][path][method]
    return found


def body_of(path: str, method: str) -> Any:
    """A valid body with everything filled in; None where the operation takes no JSON."""
    content = operation(path, method).get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return None if schema is None else _example("", schema)


def texts_of(path: str, method: str) -> list[tuple[str, Place]]:
    """Where a request of this operation has text: in its path, its query or its body."""
    parameters = operation(path, method).get("parameters", [])
    told: list[tuple[str, Place]] = [(one["in"], (one["name"],)) for one in parameters]
    return told + [("body", place) for place in _texts(body_of(path, method))]


def request_of(
    path: str, method: str, where: str = "", place: Place = (), text: str = ""
) -> dict[str, Any]:
    """A request as httpx takes it, valid but for `text` at one place."""
    names = {one["name"]: one["in"] for one in operation(path, method).get("parameters", [])}
    values = {name: str(EXAMPLES.get(name, "x")) for name in names}
    if where in ("path", "query"):
        values[str(place[0])] = text
    inside = {name: quote(values[name], safe="") for name, at in names.items() if at == "path"}
    request: dict[str, Any] = {"method": method.upper(), "url": path.format(**inside)}
    query = {name: values[name] for name, at in names.items() if at == "query"}
    if query:
        request["params"] = query
    body = body_of(path, method)
    if body is not None:
        request["json"] = _with(body, place, text) if where == "body" else body
    return request


def _example(name: str, schema: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        return _example(name, DESCRIPTION["components"]["schemas"][schema["$ref"].split("/")[-1]])
    if name in EXAMPLES:
        return EXAMPLES[name]
    for one in ("anyOf", "oneOf", "allOf"):
        if one in schema:
            return _example(name, schema[one][0])
    match schema.get("type"):
        case "object" if "properties" in schema:
            return {key: _example(key, value) for key, value in schema["properties"].items()}
        case "object":
            return {"colour": "red"}
        case "array":
            return [_example("", schema["items"])]
        case "boolean":
            return False
        case "integer" | "number":
            return 1
        case _:
            return "x"


def _texts(value: Any, place: Place = ()) -> Iterator[Place]:
    if isinstance(value, str):
        yield place
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*place, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, (*place, number))


def _with(body: Any, place: Place, text: str) -> Any:
    changed = deepcopy(body)
    inner = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = text
    return changed
