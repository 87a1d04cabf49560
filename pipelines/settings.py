"""onje.toml and the patches over it as one frozen model; whatever is unknown is an error."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.errors import SettingsError
from features.nearest import nearest
from features.settings import FeatureSettings
from pipelines.follow_settings import (
    FollowSettings,
    OutboundSettings,
    OutputSettings,
    refuse_unreachable,
)
from pipelines.retention import RetentionSettings
from serving.email_defaults import EMAIL_DEFAULTS, with_email_defaults
from serving.settings import DecidingTables, Name, ServingSettings
from training.settings import TrainingSettings


class ClockSettings(BaseModel):
    """Table `[clock]` of onje.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    offset_days: Annotated[int, Field(ge=0, le=40_000)]


class Settings(DecidingTables):
    """All of onje.toml, one table per layer."""

    clock: ClockSettings
    retention: RetentionSettings
    features: FeatureSettings
    training: TrainingSettings
    follow: FollowSettings
    outputs: dict[Name, OutputSettings]
    outbound: OutboundSettings

    @model_validator(mode="after")
    def _outputs_may_be_called(self) -> Self:
        refuse_unreachable(self.outputs, self.outbound)
        return self

    @cached_property
    def serving(self) -> ServingSettings:
        """What decides, which was checked with the rest."""
        tables = {name: getattr(self, name) for name in DecidingTables.model_fields}
        return ServingSettings.model_construct(**tables)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the settings in force, the same whatever the order of the keys."""
        return sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def load_settings(file: Path, patches: Iterable[Mapping[str, Any]]) -> Settings:
    """Read `file`, lay `patches` over it in their order and check the whole.

    Raises SettingsError with every fault at once: what was found, where, what to type.
    """
    try:
        written = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError as missing:
        raise SettingsError(
            f"no settings at {file}; copy onje.toml from the project there, or say where it is "
            "with ONJE_SETTINGS"
        ) from missing
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise SettingsError(f"{file} is not TOML: {broken}") from broken
    for patch in patches:
        written = merged(written, patch)
    try:
        return Settings.model_validate(with_email_defaults(written))
    except ValidationError as faults:
        found = [_explained(fault) for fault in faults.errors(include_url=False)]
        # A fault of [email_defaults] is one fault, however many e-mails it reaches.
        lines = dict.fromkeys(_of_defaults(line, written) for line in found)
        raise SettingsError("\n".join([f"{file} cannot be used:", *lines])) from None


def merged(written: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """`written` with the leaves of `patch` in place of its own."""
    result = dict(written)
    for key, value in patch.items():
        below = result.get(key)
        is_table = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = merged(dict(below or {}), value) if is_table else value
    return result


def _explained(fault: Any) -> str:
    if not fault["loc"]:  # of tables that do not go together
        return f"- {fault['msg']}"
    *table, key = (str(part) for part in fault["loc"])
    where = f"[{'.'.join(table)}] " if table else ""
    if key == "[key]" and fault["type"] == "string_pattern_mismatch":  # the name of a table
        letters = (
            re.sub(r"[^a-z0-9]+", "_", fault["input"].lower()).strip("_").lstrip("_0123456789")
        )
        hint = f", such as {letters[:64]}" if letters else ""
        return f"- {where}a name is 1 to 64 small letters, digits and _, a letter first{hint}"
    if key == EMAIL_DEFAULTS and not table:
        return f"- {key} is a table: [{key}]; found {fault['input']!r}"
    if fault["type"] == "extra_forbidden":
        known = _keys_of(table)
        hint = nearest(key, known, otherwise=f"known here: {', '.join(known)}")
        return f"- {where}unknown key {key}; {hint}"
    if fault["type"] == "missing":
        return f"- {where}{key} is missing; every setting stands in the project's onje.toml"
    if isinstance(fault["input"], Mapping):  # of keys that do not go together: the fault names them
        return f"- {where}{key}: {fault['msg']}"
    return f"- {where}{key}: {fault['msg']}; found {fault['input']!r}"


def _of_defaults(line: str, written: Mapping[str, Any]) -> str:
    """A fault of a key that an e-mail only inherits is told of the table that says it."""
    told = re.fullmatch(r"- \[emails\.(\w+)\] (unknown key )?(\w+)(.*)", line, re.DOTALL)
    defaults = written.get(EMAIL_DEFAULTS)
    inherits = (
        told is not None
        and isinstance(defaults, Mapping)
        and told[3] in defaults
        and told[3] not in written["emails"][told[1]]
    )
    return f"- [{EMAIL_DEFAULTS}] {told[2] or ''}{told[3]}{told[4]}" if told and inherits else line


def _keys_of(table: list[str]) -> list[str]:
    """The keys that onje.toml may have in `table`, found by walking the models."""
    known: Any = Settings
    for part in table:
        if isinstance(known, type) and issubclass(known, BaseModel):
            field = known.model_fields.get(part)
            known = field.annotation if field else None
        else:  # dict[str, Model] or tuple[Model, ...]: any name or place leads to the model
            known = next((one for one in reversed(get_args(known)) if isinstance(one, type)), None)
    if isinstance(known, type) and issubclass(known, BaseModel):
        return list(known.model_fields)
    return []
