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
    # Of a single customer nobody can say how much another would differ.
    least_customers: Annotated[int, Field(ge=2)]


class TreeSettings(BaseModel):
    """How trees are grown: part of the table of every model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rounds: Annotated[int, Field(ge=1, le=2000)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    leaves: Annotated[int, Field(ge=2, le=63)]
    rows_in_leaf: Annotated[int, Field(ge=1)]
    shrinkage: Annotated[float, Field(ge=0)]
    seed: Annotated[int, Field(ge=0)]


class ChurnSettings(TreeSettings):
    """Table `[training.churn]` of onje.toml."""

    horizon_days: Annotated[int, Field(ge=7, le=365)]
    every_days: Annotated[int, Field(ge=1, le=92)]
    train_snapshots: Annotated[int, Field(ge=1, le=104)]
    test_snapshots: Annotated[int, Field(ge=1, le=12)]
    newcomer_days: Annotated[int, Field(ge=0, le=60)]
    calibrate: bool


class DormancySettings(TreeSettings):
    """Table `[training.dormancy]` of onje.toml."""

    horizon_days: Annotated[int, Field(ge=7, le=365)]
    least_delivered: Annotated[int, Field(ge=1)]
    every_days: Annotated[int, Field(ge=1, le=92)]
    train_snapshots: Annotated[int, Field(ge=1, le=104)]
    test_snapshots: Annotated[int, Field(ge=1, le=12)]


class DormancyDateSettings(TreeSettings):
    """Table `[training.dormancy_date]` of onje.toml."""

    dormant_days: Annotated[int, Field(ge=14, le=365)]
    weeks: Annotated[int, Field(ge=4, le=104)]
    test_weeks: Annotated[int, Field(ge=2, le=52)]
    every_days: Annotated[int, Field(ge=1, le=92)]
    train_snapshots: Annotated[int, Field(ge=1, le=104)]
    examples: Annotated[int, Field(ge=1_000, le=10_000_000)]


class SendHourSettings(TreeSettings):
    """Table `[training.send_hour]` of onje.toml."""

    # Whole weeks, so that each weekday slot comes as often as the next.
    horizon_days: Annotated[int, Field(ge=7, le=364, multiple_of=7)]
    every_days: Annotated[int, Field(ge=1, le=92)]
    train_snapshots: Annotated[int, Field(ge=1, le=104)]
    examples: Annotated[int, Field(ge=10_000, le=10_000_000)]
    clicks_needed: Annotated[int, Field(ge=100)]
    click_hours: Annotated[int, Field(ge=1, le=168)]
    kinds: Annotated[int, Field(ge=1, le=64)]


class AffinitySettings(TreeSettings):
    """Table `[training.affinity]` of onje.toml."""

    horizon_days: Annotated[int, Field(ge=1, le=364)]
    every_days: Annotated[int, Field(ge=1, le=92)]
    train_snapshots: Annotated[int, Field(ge=1, le=104)]
    examples: Annotated[int, Field(ge=10_000, le=10_000_000)]
    own_candidates: Annotated[int, Field(ge=1, le=500)]
    popular_candidates: Annotated[int, Field(ge=1, le=500)]
    scored_candidates: Annotated[int, Field(ge=1, le=500)]
    listed_candidates: Annotated[int, Field(ge=1, le=500)]
    known_items: Annotated[int, Field(ge=10, le=100_000)]
    neighbours: Annotated[int, Field(ge=1, le=100)]
    tastes: Annotated[int, Field(ge=1, le=500)]
    popular_days: Annotated[int, Field(ge=28, le=365)]


class ResponseSettings(TreeSettings):
    """Table `[training.response]` of onje.toml."""

    click_days: Annotated[int, Field(ge=1, le=28)]
    order_days: Annotated[int, Field(ge=1, le=92)]
    test_days: Annotated[int, Field(ge=7, le=182)]
    examples: Annotated[int, Field(ge=1_000, le=10_000_000)]
    # A single answer says nothing about anybody else.
    answers_needed: Annotated[int, Field(ge=10)]
    adjusted_weight: Annotated[float, Field(ge=0, le=1)]
    randomised_needed: Annotated[int, Field(ge=1_000)]


class OffPolicySettings(BaseModel):
    """Table `[training.offpolicy]` of onje.toml: when a log may judge a policy that did not run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    least_ess: Annotated[int, Field(ge=1)]
    # Of a single customer nobody can say how much another would differ.
    least_customers: Annotated[int, Field(ge=2)]
    most_share: Annotated[float, Field(gt=0, le=1)]
    level: Annotated[float, Field(gt=0.5, lt=1)]


class ComparisonSettings(BaseModel):
    """Table `[training.experiments]` of onje.toml: when an experiment has found something."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: Annotated[float, Field(gt=0.5, lt=1)]
    power: Annotated[float, Field(gt=0.5, lt=1)]
    lift: Annotated[float, Field(gt=0, le=10)]
    tightest_at: Annotated[int, Field(ge=100)]
    answers_needed: Annotated[int, Field(ge=10)]
    mismatch_level: Annotated[float, Field(gt=0, lt=0.5)]
    # There may be ten arms.
    least_share: Annotated[float, Field(ge=0.01, le=0.1)]


class TuningSettings(BaseModel):
    """Table `[training.tuning]` of onje.toml: how long `onje train --tune` may look."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trials: Annotated[int, Field(ge=1, le=10_000)]
    seconds: Annotated[int, Field(ge=1)]
    folds: Annotated[int, Field(ge=1, le=12)]
    seed: Annotated[int, Field(ge=0)]


class TrainingSettings(BaseModel):
    """Table `[training]` of onje.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    resampling: ResamplingSettings
    churn: ChurnSettings
    dormancy: DormancySettings
    dormancy_date: DormancyDateSettings
    send_hour: SendHourSettings
    affinity: AffinitySettings
    response: ResponseSettings
    offpolicy: OffPolicySettings
    tuning: TuningSettings
    experiments: ComparisonSettings
