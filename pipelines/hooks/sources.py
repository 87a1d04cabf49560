"""Which sources of webhooks are set up, as the environment says."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping, Sequence

from features.errors import SettingsError
from pipelines.hooks import generic
from pipelines.signatures import secrets_of
from serving.hooks import Hook

SOURCES: dict[str, Callable[[Sequence[bytes]], Hook]] = {generic.NAME: generic.hook}
LEAST_SECRET = 16  # bytes


def variable_of(source: str) -> str:
    """The environment variable that holds the secrets of a source."""
    return f"ONJE_HOOK_{source.upper().replace('-', '_')}_SECRET"


def hooks(environment: Mapping[str, str]) -> dict[str, Hook]:
    """The sources that have a secret. Without one nobody could be told from a stranger."""
    found = {}
    for name, hook in SOURCES.items():
        text = environment.get(variable_of(name))
        if text:
            found[name] = hook(_secrets(name, text))
    return found


def _secrets(source: str, text: str) -> tuple[bytes, ...]:
    try:
        secrets = secrets_of(text)
    except (binascii.Error, ValueError):
        secrets = ()
    if not secrets or min(map(len, secrets)) < LEAST_SECRET:
        raise SettingsError(
            f"{variable_of(source)} holds no secret of {LEAST_SECRET} bytes or more; make one with "
            "`openssl rand -hex 32`, and put two with a comma between while one takes over"
        )
    return secrets
