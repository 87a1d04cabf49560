"""The settings in force: the file, with the changes made while running laid over it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from features.errors import SettingsError
from features.settings import FeatureSettings
from serving.settings import ServingSettings
from serving.store import Store

log = logging.getLogger("onje")


@dataclass(frozen=True)
class Effective:
    """What the service reads of all settings. `fingerprint` is their SHA-256, for receipts."""

    features: FeatureSettings
    serving: ServingSettings
    clock_offset: timedelta
    fingerprint: str


# Reads the file and lays patches over it in their order; SettingsError where that cannot hold.
ReadSettings = Callable[[Sequence[Mapping[str, Any]]], Effective]


class SettingsShelf:
    """Hands out the settings as one value and reads them anew when asked.

    Settings that cannot be used are refused as a whole: those before them stay in force.
    """

    def __init__(self, store: Store, read: ReadSettings) -> None:
        self._store = store
        self._read = read
        self.current = read([patch.patch for patch in store.patches()])
        self.refused: str | None = None

    def refresh(self) -> bool:
        """Read file and patches; returns whether they were refused for a reason not yet told."""
        try:
            self.current = self._read([patch.patch for patch in self._store.patches()])
        except SettingsError as problem:
            is_news = str(problem) != self.refused
            self.refused = str(problem)
            if is_news:
                log.error("the settings are refused, those before stay in force: %s", problem)
            return is_news
        self.refused = None
        return False
