"""Where Onje keeps its things, as the environment says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from features.errors import SettingsError

PLACES = {
    "ONJE_HOME": "folder of lake, store, models and MLflow's files (default ./.onje)",
    "ONJE_SETTINGS": "the settings file (default $ONJE_HOME/onje.toml, else ./onje.toml)",
    "ONJE_STORE_URL": "database of the store (default sqlite:///$ONJE_HOME/store.db)",
    "ONJE_HOST": "address the service listens on (default 127.0.0.1)",
    "ONJE_PORT": "port the service listens on (default 3000)",
    "ONJE_SHARED_DATA": "folder of real data for tests and benchmarks",
}


@dataclass(frozen=True)
class Places:
    """Folders, files and addresses of one installation."""

    home: Path
    settings_file: Path
    store_url: str
    tracking_uri: str | None
    host: str
    port: int

    @property
    def lake(self) -> Path:
        return self.home / "lake"


def places(environment: Mapping[str, str]) -> Places:
    """Read the places from the environment; an unknown ONJE_ name is an error, not a surprise."""
    for name in environment:
        if name.startswith("ONJE_") and name not in PLACES:
            near = get_close_matches(name, PLACES, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(PLACES)}"
            raise SettingsError(f"unknown environment variable {name}{hint}")
    home = Path(environment.get("ONJE_HOME", ".onje")).resolve()
    own = home / "onje.toml"
    settings = environment.get("ONJE_SETTINGS") or (own if own.exists() else "onje.toml")
    port = environment.get("ONJE_PORT", "3000")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise SettingsError(f"ONJE_PORT is {port!r}; give a port from 1 to 65535")
    return Places(
        home=home,
        settings_file=Path(settings).resolve(),
        store_url=environment.get("ONJE_STORE_URL", f"sqlite:///{home / 'store.db'}"),
        tracking_uri=environment.get("MLFLOW_TRACKING_URI"),
        host=environment.get("ONJE_HOST", "127.0.0.1"),
        port=int(port),
    )
