"""The champions in memory: read from the local snapshot, swapped when its pointers move."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from features.errors import OnjeError
from features.settings import FeatureSettings
from serving.scores import FIELDS, Models
from training.model import folder
from training.model.model import Model
from training.registry import champions

log = logging.getLogger("onje")

NO_MODELS = Models(**dict.fromkeys(FIELDS.values()), refused=())


class ModelShelf:
    """Hands out the models as one value, so that a request finishes on those it began with.

    A folder that is damaged, or whose trial fails, is refused and stays refused until the pointer
    moves on. A model that was trained under other settings of features is refused for as long as
    they are in force: what it reads would mean something else. In both cases the model that
    served before keeps serving, if it fits; else there is none.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folders: dict[str, Path] = {}
        self._newest: dict[str, Model] = {}
        self._serving: dict[str, Model] = {}
        self._damaged: dict[str, str] = {}
        self.current = NO_MODELS
        self._judged: tuple[FeatureSettings | None, Models] = (None, NO_MODELS)
        self.refused: Mapping[str, str] = {}

    def refresh(self, features: FeatureSettings) -> list[str]:
        """Load what the pointers name now, and judge it under the settings of features in force.

        Returns the names of the models that were refused anew.
        """
        self._load()
        in_force = features.model_dump(mode="json")
        misfits = {}
        for name, newest in self._newest.items():
            why = newest.misfit(in_force)
            before = self._serving.pop(name, None)
            if why is None:
                self._serving[name] = newest
                continue
            misfits[name] = why
            if before is not None and before.misfit(in_force) is None:
                self._serving[name] = before
        refused = misfits | self._damaged
        newly_refused = [name for name, why in refused.items() if self.refused.get(name) != why]
        for name in newly_refused:
            log.error("model %s is refused: %s", name, refused[name])
        self.refused = refused
        loaded = {FIELDS[name]: model for name, model in self._serving.items()}
        gone = tuple(sorted(name for name in refused if name not in self._serving))
        self.current = replace(NO_MODELS, **loaded, refused=gone)
        self._judged = (features, self.current)
        return newly_refused

    def under(self, features: FeatureSettings) -> Models:
        """The models where they were judged under these settings; none until they are."""
        judged_under, models = self._judged
        return models if features == judged_under else NO_MODELS

    def _load(self) -> None:
        """Read the folders that the pointers did not name before."""
        named = champions(self._home)
        for name, place in named.items():
            if name not in FIELDS or self._folders.get(name) == place:
                continue
            self._folders[name] = place
            self._damaged.pop(name, None)
            try:
                self._newest[name] = folder.load(place)
            except OnjeError as problem:
                self._damaged[name] = str(problem)
            else:
                log.info("model %s was read from %s", name, place)
        self._damaged = {name: why for name, why in self._damaged.items() if name in named}
