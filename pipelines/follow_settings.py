"""Deciding unasked: how often, where to, and which hosts may be called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from features.nearest import nearest_of
from pipelines.outbound import Refused, Road, target_of
from pipelines.outputs.kinds import KINDS

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class FollowSettings(BaseModel):
    """Table `[follow]` of onje.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    look_seconds: Annotated[float, Field(ge=0.05, le=30, allow_inf_nan=False)]
    settle_seconds: Annotated[float, Field(ge=0, le=50, allow_inf_nan=False)]
    least_minutes: Annotated[float, Field(ge=0, le=1440, allow_inf_nan=False)]
    lease_seconds: Annotated[float, Field(ge=5, le=600, allow_inf_nan=False)]
    deliver_at_once: Annotated[int, Field(ge=1, le=64)]
    metrics_port: Annotated[int, Field(ge=0, lt=65_536)]


class OutputSettings(BaseModel):
    """Table `[outputs.NAME]` of onje.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    url: str
    only: Literal["sends", "all"]
    timeout_seconds: Annotated[float, Field(ge=0.1, le=60, allow_inf_nan=False)]
    attempts: Annotated[int, Field(ge=1, le=100)]
    retry_seconds: Seconds
    retry_most_seconds: Seconds

    @field_validator("kind")
    @classmethod
    def _kind_is_known(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"no kind of output is called {kind}; {nearest_of(kind, KINDS)}")
        return kind

    @field_validator("url")
    @classmethod
    def _url_can_be_read(cls, url: str) -> str:
        try:
            target_of(url)
        except Refused as why:
            raise ValueError(str(why)) from None
        return url


class OutboundSettings(BaseModel):
    """Table `[outbound]` of onje.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allow: tuple[str, ...]


def refuse_unreachable(outputs: Mapping[str, OutputSettings], outbound: OutboundSettings) -> None:
    """ValueError where an output's address may not be called by the settings themselves."""
    road = road_to(outputs, outbound)
    for name, output in outputs.items():
        try:
            road.target(output.url)
        except Refused as why:
            raise ValueError(f"[outputs.{name}] url: {why}") from None


def road_to(outputs: Mapping[str, OutputSettings], outbound: OutboundSettings) -> Road:
    """To the hosts of these outputs and to no others."""
    hosts = {target_of(one.url).host for one in outputs.values()}
    return Road(hosts=hosts, own=frozenset(outbound.allow))
