"""Changes to the settings made while Onje runs: who, when and what, and who took them back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from features.errors import DataError
from serving.store.tables import settings_kept, settings_patches, settings_undos
from serving.store.upsert import insert_for


@dataclass(frozen=True)
class Patch:
    """One change, laid over onje.toml and all patches before it, until somebody takes it back."""

    version: int
    at: datetime
    who: str
    patch: dict[str, Any]
    undone_at: datetime | None
    undone_by: str | None


def add_patch(connection: Connection, patch: Mapping[str, Any], *, who: str, at: datetime) -> int:
    """Keep a change; returns its version. Whoever adds it has checked that the whole holds."""
    row = {"at": at, "who": who, "patch": json.dumps(dict(patch), sort_keys=True)}
    new = insert_for(connection, settings_patches).values(row)
    added = new.returning(settings_patches.c.version)
    version: int = connection.execute(added).scalar_one()
    return version


def undo_patch(connection: Connection, version: int, *, who: str, at: datetime) -> None:
    """Take a change back as if it had never been made; those after it stay. Twice is fine.

    Raises DataError where no patch has this version.
    """
    known = [patch.version for patch in all_patches(connection)]
    if version not in known:
        there_are = ", ".join(map(str, known)) or "none"
        raise DataError(f"no change of settings has version {version}; there are {there_are}")
    row = {"version": version, "at": at, "who": who}
    connection.execute(insert_for(connection, settings_undos).on_conflict_do_nothing(), row)


def patches(connection: Connection) -> list[Patch]:
    """The changes in force, in their order."""
    return [patch for patch in all_patches(connection) if patch.undone_at is None]


def all_patches(connection: Connection) -> list[Patch]:
    """Every change there ever was, in their order, also those that were taken back."""
    wanted = (
        select(
            settings_patches,
            settings_undos.c.at.label("undone_at"),
            settings_undos.c.who.label("undone_by"),
        )
        .outerjoin(settings_undos, settings_undos.c.version == settings_patches.c.version)
        .order_by(settings_patches.c.version)
    )
    return [
        Patch(row.version, row.at, row.who, json.loads(row.patch), row.undone_at, row.undone_by)
        for row in connection.execute(wanted)
    ]


def keep_settings(connection: Connection, fingerprint: str, text: str) -> None:
    """Keep settings as they are in force; the same again changes nothing."""
    row = {"fingerprint": fingerprint, "settings": text}
    connection.execute(insert_for(connection, settings_kept).on_conflict_do_nothing(), row)


def kept_settings(connection: Connection, fingerprint: str) -> str | None:
    """The settings of this fingerprint, where a decision was made under them."""
    wanted = select(settings_kept.c.settings).where(settings_kept.c.fingerprint == fingerprint)
    text: str | None = connection.scalar(wanted)
    return text


def all_kept_settings(connection: Connection) -> dict[str, str]:
    """Every settings that decisions were made under, by fingerprint."""
    return {row.fingerprint: row.settings for row in connection.execute(select(settings_kept))}
