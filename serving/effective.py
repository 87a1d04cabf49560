"""The settings in force: the file, with the changes made while running laid over it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from pydantic import ValidationError

from features.errors import SettingsError
from features.settings import FeatureSettings
from serving.access.settings import AccessSettings
from serving.settings import ServiceSettings, ServingSettings
from serving.store import Store

log = logging.getLogger("onje")


# How the service was run then neither decided anything nor is it run so again.
DECIDES_NOTHING = {
    "service": ServiceSettings.model_construct(),
    "access": AccessSettings.model_construct(),
}


@dataclass(frozen=True)
class Effective:
    """What the service reads of all settings. `fingerprint` is their SHA-256, for receipts."""

    features: FeatureSettings
    serving: ServingSettings
    clock_offset: timedelta
    fingerprint: str

    def to_json(self) -> str:
        """One line of JSON, from which `kept` makes the same again."""
        return json.dumps(
            {
                "features": self.features.model_dump(mode="json"),
                "serving": self.serving.model_dump(mode="json"),
                "clock_offset_days": self.clock_offset / timedelta(days=1),
                "fingerprint": self.fingerprint,
            }
        )

    @classmethod
    def kept(cls, text: str) -> Self:
        """What `to_json` wrote of what decides; SettingsError where this release has other such."""
        said = json.loads(text)
        try:
            return cls(
                features=FeatureSettings.model_validate(said["features"]),
                serving=ServingSettings.model_validate({**said["serving"], **DECIDES_NOTHING}),
                clock_offset=timedelta(days=said["clock_offset_days"]),
                fingerprint=said["fingerprint"],
            )
        except ValidationError as faults:
            named = (".".join(map(str, fault["loc"])) for fault in faults.errors())
            raise SettingsError(
                f"the settings of then are not those of this release: {', '.join(named)}"
            ) from None


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
