"""Where Onje keeps its things, as the environment says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from features.errors import NotReadyError, SettingsError

PLACES = {
    "ONJE_HOME": "folder of lake, store, models and MLflow's files (default .onje, see below)",
    "ONJE_SETTINGS": "the settings file (default $ONJE_HOME/onje.toml, else onje.toml, see below)",
    "ONJE_STORE_URL": "database of the store: sqlite:///FILE or postgresql://USER@HOST/DATABASE "
    "(default sqlite:///$ONJE_HOME/store.db)",
    "ONJE_HOST": "address the service listens on (default 127.0.0.1)",
    "ONJE_PORT": "port the service listens on (default 3000)",
    "ONJE_SECRET": "root secret of 32 or more bytes (default $ONJE_HOME/secret, made at first use)",
    "ONJE_KEY": "a key for the examples of these pages; Onje itself does not read it",
    "ONJE_HOOK_GENERIC_SECRET": "secret under which webhooks of the source `generic` are signed",
    "ONJE_OUTPUT_NAME_SECRET": "secret that the output NAME is signed with (default one of ours: "
    "onje outbox secret)",
    "ONJE_SHARED_DATA": "folder of real data for tests and benchmarks",
    "ONJE_REQUIRE_POSTGRES": "1: tests fail, not skip, where PostgreSQL's server is not installed",
}

# The variable of an output, by its name in capitals.
OUTPUT_SECRET = "ONJE_OUTPUT_{}_SECRET"
_OF_AN_OUTPUT = re.compile(OUTPUT_SECRET.format("[A-Z][A-Z0-9_]*"))

# Folders of a home that only work with it makes.
WORKED_WITH = ("lake", "models")

STORE_SCHEMES = ("sqlite:///", "postgresql://", "postgresql+psycopg://")
TRACKING_SCHEMES = ("http://", "https://", "sqlite://", "postgresql", "mysql", "databricks")


@dataclass(frozen=True)
class Places:
    """Folders, files and addresses of one installation."""

    home: Path
    settings_file: Path
    store_url: str
    tracking_uri: str | None
    host: str
    port: int
    own_secret: str | None = field(repr=False)

    @property
    def lake(self) -> Path:
        return self.home / "lake"


def refuse_a_lost_store(at: Places) -> None:
    """NotReadyError where a home that was worked with has lost the file of its store.

    To be asked before a service opens it: an empty one in its place would acknowledge, and be
    thrown away when the file comes back.
    """
    is_a_file = at.store_url.startswith("sqlite:///")
    file = Path(at.store_url.removeprefix("sqlite:///"))
    if is_a_file and not file.exists() and any((at.home / made).exists() for made in WORKED_WITH):
        raise NotReadyError(
            f"the store's file {file} is not there, though {at.home} was worked with; put it "
            "back, `onje restore` a backup, or type `onje publish` to begin an empty one from the "
            "lake (decisions, keys and what was told online since are not in it)"
        )


def places(environment: Mapping[str, str]) -> Places:
    """Read the places from the environment; an unknown ONJE_ name is an error, not a surprise.

    Where nothing is said, both lie in the nearest folder from here upwards that holds an
    onje.toml, so that a notebook in a folder below finds what the project's own commands made.
    """
    for name in environment:
        if name.startswith("ONJE_") and name not in PLACES and not _OF_AN_OUTPUT.fullmatch(name):
            hint = _nearest_place(name)
            raise SettingsError(f"unknown environment variable {name}; {hint}")
    near_project = _nearest_project(Path.cwd())
    home = Path(environment.get("ONJE_HOME") or near_project / ".onje").resolve()
    if set(str(home)) & set("?#%"):
        raise SettingsError(f"ONJE_HOME is {home}; choose a folder without ?, # and % in its path")
    own = home / "onje.toml"
    settings = environment.get("ONJE_SETTINGS") or (
        own if own.exists() else near_project / "onje.toml"
    )
    port = environment.get("ONJE_PORT") or "3000"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise SettingsError(f"ONJE_PORT is {port!r}; give a port from 1 to 65535")
    store_url = environment.get("ONJE_STORE_URL") or f"sqlite:///{home / 'store.db'}"
    if not store_url.startswith(STORE_SCHEMES) or store_url.endswith((":memory:", "///")):
        scheme = store_url.split("//")[0]  # what follows may hold a password
        raise SettingsError(
            f"ONJE_STORE_URL is {scheme!r} and more; write sqlite:////absolute/path/to/store.db, "
            "or postgresql://user@host/database"
        )
    tracking_uri = environment.get("MLFLOW_TRACKING_URI") or None
    if tracking_uri and not tracking_uri.startswith(TRACKING_SCHEMES):
        raise SettingsError(
            f"MLFLOW_TRACKING_URI is {tracking_uri!r}; it starts with one of "
            f"{', '.join(TRACKING_SCHEMES)}, or leave it out for SQLite under ONJE_HOME"
        )
    return Places(
        home=home,
        settings_file=Path(settings).resolve(),
        store_url=store_url,
        tracking_uri=tracking_uri,
        host=environment.get("ONJE_HOST") or "127.0.0.1",
        port=int(port),
        own_secret=environment.get("ONJE_SECRET") or None,
    )


def _nearest_place(name: str) -> str:
    """What was meant: any two are alike in ONJE_, so what follows is compared."""
    ours = {place.removeprefix("ONJE_"): place for place in PLACES}
    near = get_close_matches(name.removeprefix("ONJE_"), ours, n=1)
    return f"did you mean {ours[near[0]]}?" if near else f"known are {', '.join(PLACES)}"


def _nearest_project(start: Path) -> Path:
    folders = (start, *start.parents)
    return next((folder for folder in folders if (folder / "onje.toml").exists()), start)
