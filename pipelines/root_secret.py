"""The root secret of this installation: from the environment, or from a file of ONJE_HOME."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from tempfile import NamedTemporaryFile

from pipelines.places import Places
from serving.secret import SHORTEST, Secret

FILE = "secret"


def root_secret(at: Places) -> Secret:
    """The secret of ONJE_SECRET, else of the file HOME/secret, which is made at first use.

    The file is kept with the backups: without it the links in mails that went out stop working.
    Raises SettingsError where it is too short to be one.
    """
    if at.own_secret:
        return Secret(at.own_secret.encode())
    file = at.home / FILE
    if not file.exists():
        _make(file)
    return Secret(file.read_bytes().strip())


def _make(file: Path) -> None:
    """Write a new secret that only its owner may read; the first of several processes wins."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=file.parent, prefix=".secret-") as new:  # made 0600
        new.write(secrets.token_hex(SHORTEST) + "\n")
        new.flush()
        os.fsync(new.fileno())
        try:
            os.link(new.name, file)  # whole or not at all, and never over another's
        except FileExistsError:
            return
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
