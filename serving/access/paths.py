"""Which route a request is for, found as the app's own router finds it, but before it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from serving.access.scopes import DECLARED, MOST_BYTES, MOST_BYTES_OF, Door, Scope, asked_by
from serving.faults import NoSuchPath


@dataclass(frozen=True)
class Way:
    """A method on a path of the app: what it asks of a key and how long its bodies may be."""

    method: str
    path_format: str
    asked: Scope | Door
    most_bytes: int


class Paths:
    """Finds the way of a request. What it does not know, the app is not asked for."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._ways: list[tuple[re.Pattern[str], dict[str, Way]]] = []
        self._exact: dict[str, dict[str, Way]] = {}
        for route in iter_route_contexts(list(routes)):
            if not route.methods or isinstance(route.original_route, NoSuchPath):
                continue
            extra = getattr(route, "openapi_extra", None) or {}
            ways = {
                method: _way(method, route.path_format or "", extra.get(DECLARED))
                for method in sorted(route.methods)
            }
            self._ways.append((route.path_regex, ways))
        for pattern, ways in self._ways:
            path = next(iter(ways.values())).path_format
            # The first route that matches a path is the one that answers, as in the router.
            if "{" not in path and self._first(path) is pattern:
                self._exact[path] = self._all_of(path)

    def of(self, path: str) -> dict[str, Way]:
        """The ways on this path by method; none where no route knows the path."""
        exact = self._exact.get(path)
        return self._all_of(path) if exact is None else exact

    def by_format(self, path_format: str) -> dict[str, Way]:
        return {way.method: way for way in self.all() if way.path_format == path_format}

    def all(self) -> list[Way]:
        return [way for _, ways in self._ways for way in ways.values()]

    def _first(self, path: str) -> re.Pattern[str] | None:
        return next((pattern for pattern, _ in self._ways if pattern.match(path)), None)

    def _all_of(self, path: str) -> dict[str, Way]:
        found: dict[str, Way] = {}
        for pattern, ways in self._ways:
            if pattern.match(path):
                found = {**ways, **found}
        return found


def _way(method: str, path_format: str, declared: str | None) -> Way:
    # Whoever may read a page may ask for its head.
    known_as = "GET" if method == "HEAD" else method
    return Way(
        method,
        path_format,
        asked_by(known_as, path_format, declared),
        MOST_BYTES_OF.get((method, path_format), MOST_BYTES),
    )
