"""What a merchant may choose about how models are trained and judged."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class ResamplingSettings(BaseModel):
    """Table `[training.resampling]` of onje.toml: how sure one wants to be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    replicates: Annotated[int, Field(ge=200, le=20_000)]
    level: Annotated[float, Field(gt=0.5, lt=1)]
    seed: Annotated[int, Field(ge=0)]


class ChurnSettings(BaseModel):
    """Table `[training.churn]` of onje.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    horizon_days: Annotated[int, Field(ge=1, le=730)]
    every_days: Annotated[int, Field(ge=1, le=92)]
    train_snapshots: Annotated[int, Field(ge=1, le=104)]
    test_snapshots: Annotated[int, Field(ge=1, le=12)]
    rounds: Annotated[int, Field(ge=1, le=2000)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    leaves: Annotated[int, Field(ge=2, le=63)]
    rows_in_leaf: Annotated[int, Field(ge=1)]
    shrinkage: Annotated[float, Field(ge=0)]
    seed: Annotated[int, Field(ge=0)]


class TrainingSettings(BaseModel):
    """Table `[training]` of onje.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    resampling: ResamplingSettings
    churn: ChurnSettings
