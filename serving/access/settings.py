"""What an operator may choose about who gets in, and how much of the service they get."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0, le=600)]


class AccessSettings(BaseModel):
    """Table `[access]` of onje.toml: keys, limits and patience, for each process of the service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metrics: Literal["open", "read"]
    docs: Literal["open", "read"]
    per_second: Annotated[float, Field(gt=0, le=1_000_000)]
    burst: Annotated[int, Field(ge=1, le=1_000_000)]
    at_once: Annotated[int, Field(ge=1, le=10_000)]
    open_per_second: Annotated[float, Field(gt=0, le=1_000_000)]
    open_burst: Annotated[int, Field(ge=1, le=1_000_000)]
    open_at_once: Annotated[int, Field(ge=1, le=10_000)]
    header_seconds: Seconds
    body_seconds: Seconds
    idle_seconds: Seconds
    header_kib: Annotated[int, Field(ge=1, le=1_024)]
    header_lines: Annotated[int, Field(ge=8, le=1_000)]
    connections: Annotated[int, Field(ge=16, le=1_000_000)]
