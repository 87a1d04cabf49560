"""The champions in memory: read from the local snapshot, swapped when its pointers move."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from features.errors import OnjeError
from serving.scores import Models
from training.model import folder
from training.model.model import Model
from training.registry import champions

log = logging.getLogger("onje")

# The registry's names of the models, as attributes of Models.
FIELDS = {
    "churn": "churn",
    "send-hour": "send_hour",
    "affinity-category": "affinity_category",
    "affinity-product": "affinity_product",
}


class ModelShelf:
    """Hands out the models as one value, so that a request finishes on those it began with.

    A folder that is damaged, or whose trial fails, is refused and stays refused until the pointer
    moves on: the model that served before it keeps serving.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._loaded: dict[str, Model] = {}
        self._folders: dict[str, Path] = {}
        self.current = Models(**dict.fromkeys(FIELDS.values()))
        self.refused: Mapping[str, str] = {}

    def refresh(self) -> list[str]:
        """Load what the pointers name now; returns the names of models that were refused anew."""
        named = champions(self._home)
        refused = {name: why for name, why in self.refused.items() if self._is_same(name, named)}
        newly_refused = []
        for name, place in named.items():
            if name not in FIELDS or self._folders.get(name) == place:
                continue
            self._folders[name] = place
            try:
                self._loaded[name] = folder.load(place)
            except OnjeError as problem:
                log.error("model %s is refused: %s", name, problem)
                refused[name] = str(problem)
                newly_refused.append(name)
            else:
                log.info("model %s serves from %s", name, place)
        self.refused = refused
        fields = {FIELDS[name]: model for name, model in self._loaded.items()}
        self.current = Models(**(dict.fromkeys(FIELDS.values()) | fields))
        return newly_refused

    def _is_same(self, name: str, named: Mapping[str, Path]) -> bool:
        return name in named and self._folders.get(name) == named[name]
