"""One installation of Onje, opened: its places, its settings in force, its lake and its store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from features.errors import NotReadyError, SettingsError
from features.lake import Lake
from pipelines.places import Places, places, refuse_a_lost_store
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


@contextmanager
def looked_at() -> Iterator[Installation]:
    """`opened` for who only looks or changes what is there: no home, secret or store is made.

    Raises NotReadyError where there is none.
    """
    at = places(os.environ)
    if is_nothing_there(at):
        raise NotReadyError(
            f"nothing at {at.home} yet; set ONJE_HOME to where an installation is, or begin one: "
            "onje demo, or onje ingest --help"
        )
    refuse_a_lost_store(at)
    with opened() as onje:
        yield onje


def settings_in_force() -> Settings:
    """What the settings say, also where there is no installation yet; none is made by asking."""
    at = places(os.environ)
    if is_nothing_there(at):
        return load_settings(at.settings_file, patches=[])
    with looked_at() as onje:
        return onje.settings


def is_nothing_there(at: Places) -> bool:
    """Whether neither a home nor a store's file lies where the environment says."""
    file = at.store_url.removeprefix("sqlite:///")
    is_a_file = file != at.store_url
    return is_a_file and not at.home.exists() and not Path(file).exists()
