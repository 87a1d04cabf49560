"""The settings in force, as the serving layer reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from pipelines.settings import Settings, load_settings
from serving.effective import Effective


def read_settings(file: Path, patches: Sequence[Mapping[str, Any]]) -> Effective:
    """The file with `patches` laid over it; SettingsError with every fault at once."""
    return effective(load_settings(file, patches))


def effective(settings: Settings) -> Effective:
    """Those of all settings that the serving layer reads."""
    return Effective(
        features=settings.features,
        serving=settings.serving,
        clock_offset=timedelta(days=settings.clock.offset_days),
        fingerprint=settings.fingerprint,
    )
