"""Changes to the settings made while Onje runs: who, when and what, in their order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.sqlite import insert

from serving.store.tables import settings_patches


@dataclass(frozen=True)
class Patch:
    """One change, laid over onje.toml and all patches before it."""

    version: int
    at: datetime
    who: str
    patch: dict[str, Any]


def add_patch(connection: Connection, patch: Mapping[str, Any], *, who: str, at: datetime) -> int:
    """Keep a change; returns its version. Whoever adds it has checked that the whole holds."""
    row = {"at": at, "who": who, "patch": json.dumps(dict(patch), sort_keys=True)}
    added = insert(settings_patches).values(row).returning(settings_patches.c.version)
    version: int = connection.execute(added).scalar_one()
    return version


def patches(connection: Connection) -> list[Patch]:
    rows = connection.execute(select(settings_patches).order_by(settings_patches.c.version))
    return [Patch(row.version, row.at, row.who, json.loads(row.patch)) for row in rows]


def newest_patch(connection: Connection) -> int:
    """The version of the newest change, 0 where there is none: cheap to ask every second."""
    return connection.scalar(select(func.max(settings_patches.c.version))) or 0
