"""One installation of Onje, opened: its places, its settings in force, its lake and its store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from features.errors import SettingsError
from features.lake import Lake
from pipelines.places import Places, places
from pipelines.root_secret import root_secret
from pipelines.settings import Settings, load_settings
from serving.store.store import Store

PATIENCE_S = 10.0


@dataclass(frozen=True)
class Installation:
    """What a command works on."""

    places: Places
    settings: Settings
    lake: Lake
    store: Store

    def now(self) -> datetime:
        """The present as the settings see it; read once per command and handed down."""
        return datetime.now(UTC) - timedelta(days=self.settings.clock.offset_days)

    def set_clock(self, offset_days: int, *, who: str, at: datetime) -> None:
        """Let every command from now on see a day so many days before the present.

        As a patch in the store, like any other change: every command sees it, every receipt
        names it.
        """
        if offset_days != self.settings.clock.offset_days:
            self.store.add_patch({"clock": {"offset_days": offset_days}}, who=who, at=at)


@contextmanager
def opened() -> Iterator[Installation]:
    """The installation that the environment names, with the store's patches laid over its file."""
    at = places(os.environ)
    load_settings(at.settings_file, patches=[])  # a broken file is told of before a store is made
    try:
        at.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise SettingsError(
            f"ONJE_HOME is {at.home}, and no folder can be made there: {problem.strerror}"
        ) from problem
    store = Store.open(at.store_url, patience_s=PATIENCE_S, secret=root_secret(at))
    try:
        settings = load_settings(at.settings_file, [patch.patch for patch in store.patches()])
        yield Installation(at, settings, Lake(at.lake), store)
    finally:
        store.close()
