"""Segments of the merchant's own, tones of stages, and whether e-mails ask for what there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Protocol

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, field_validator

from features.nearest import nearest_of
from features.segments import SEGMENTS, STAGES
from serving.asked import COLUMNS, OWN, condition, decided


class SegmentSettings(BaseModel):
    """Table `[segments.NAME]` of onje.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    meaning: Annotated[str, Field(min_length=1)]
    when: Annotated[str, Field(min_length=1)]

    @field_validator("when")
    @classmethod
    def _can_be_decided(cls, when: str) -> str:
        condition(when, COLUMNS)
        return when


def columns_asked(segments: Mapping[str, SegmentSettings]) -> list[str]:
    """What a condition may ask for where there are these segments."""
    return [*COLUMNS, *(f"{OWN}{name}" for name in segments)]


def with_own_segments(
    people: pl.DataFrame, segments: Mapping[str, SegmentSettings]
) -> pl.DataFrame:
    """Add `is_NAME` of each segment, and `own_segments`, the names of those they are of.

    `is_NAME` is null where the condition cannot be decided, so that `NOT is_NAME` is not either.
    """
    if not segments:
        return people.with_columns(own_segments=pl.lit([], pl.List(pl.String)))
    told = people.with_columns(
        decided(segment.when, people.columns).alias(f"{OWN}{name}")
        for name, segment in segments.items()
    )
    named = [pl.when(f"{OWN}{name}").then(pl.lit(name)) for name in segments]
    return told.with_columns(own_segments=pl.concat_list(named).list.drop_nulls())


class TonesSettings(BaseModel):
    """Table `[tones]` of onje.toml: how an e-mail without a tone of its own speaks, by stage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    aware: Annotated[str, Field(min_length=1)]
    consider: Annotated[str, Field(min_length=1)]
    buy: Annotated[str, Field(min_length=1)]
    after: Annotated[str, Field(min_length=1)]
    dormant: Annotated[str, Field(min_length=1)]


class _Email(Protocol):
    @property
    def when(self) -> str: ...
    @property
    def stages(self) -> tuple[str, ...]: ...
    @property
    def by_human(self) -> tuple[str, ...]: ...


def refuse_unknown_customers(
    emails: Mapping[str, _Email], segments: Mapping[str, SegmentSettings]
) -> None:
    """ValueError where an e-mail asks for a stage, segment or feature that there is not."""
    stages = [stage.name for stage in STAGES]
    known = [*(segment.name for segment in SEGMENTS), *segments]
    for name in sorted(set(segments) & {segment.name for segment in SEGMENTS}):
        raise ValueError(f"[segments.{name}] is one of Onje's own; choose another name")
    columns = columns_asked(segments)
    for name, email in emails.items():
        for stage in email.stages:
            if stage not in stages:
                raise ValueError(
                    f"[emails.{name}] no stage is called {stage}; {nearest_of(stage, stages)}"
                )
        for segment in email.by_human:
            if segment not in known:
                hint = nearest_of(segment, known)
                raise ValueError(f"[emails.{name}] no segment is called {segment}; {hint}")
        if email.when:
            try:
                condition(email.when, columns)
            except ValueError as fault:
                raise ValueError(f"[emails.{name}] when: {fault}") from None
