"""Outputs as the settings and the environment name them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import urlsplit

from features.errors import SettingsError
from pipelines.follow_settings import OutboundSettings, OutputSettings, road_to
from pipelines.outputs.kinds import Output
from pipelines.outputs.webhook import Webhook
from pipelines.places import OUTPUT_SECRET
from pipelines.signatures import secrets_of
from serving.secret import Secret

LEAST_SECRET = 16  # bytes


def outputs_of(
    outputs: Mapping[str, OutputSettings],
    outbound: OutboundSettings,
    *,
    environment: Mapping[str, str],
    secret: Secret,
) -> dict[str, Output]:
    """Each output by its name; SettingsError where its secret is none."""
    road = road_to(outputs, outbound)
    return {
        name: Webhook(
            one.url, secret_of(name, environment, secret), road, timeout_s=one.timeout_seconds
        )
        for name, one in outputs.items()
    }


def variable_of(name: str) -> str:
    """The environment variable that holds an output's own secret."""
    return OUTPUT_SECRET.format(name.upper())


def secret_of(name: str, environment: Mapping[str, str], secret: Secret) -> bytes:
    """What an output's letters are signed with: its own secret, else one of this installation's.

    Of several with commas between, the first signs: the others are those of before.
    """
    text = environment.get(variable_of(name))
    if not text:
        return secret.derive(f"output {name}")
    try:
        own = secrets_of(text)
    except (binascii.Error, ValueError):
        own = ()
    if not own or len(own[0]) < LEAST_SECRET:
        raise SettingsError(
            f"{variable_of(name)} holds no secret of {LEAST_SECRET} bytes or more; make one with "
            "`openssl rand -hex 32`, or leave it out: see `onje outbox secret`"
        )
    return own[0]


def shown(secret: bytes) -> str:
    """A secret as Standard Webhooks' libraries take it."""
    return f"whsec_{base64.b64encode(secret).decode()}"


def host_of(url: str) -> str:
    """What is shown of an address: what follows the host may be secret."""
    return urlsplit(url).netloc
