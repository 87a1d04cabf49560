"""How far a discount grows with the length of a silence and with what the customer was worth.

discount = `discount` + (`discount_most` - `discount`) x silence x worth, in whole steps downwards

silence = how far they are on the way from `from_days` to `full_days` without an order, averaged
          with how far from `from_cycles` to `full_cycles` of their own rhythm, if they have one
worth   = `least_worth` + (1 - `least_worth`) x what they spent in the year up to their last order,
          as a share of `full_spend`, at most 1

All shares lie between 0 and 1, so a discount never exceeds `discount_most`. None of it falls while
they stay silent: their rhythm and the year up to their last order do not move.
"""

from __future__ import annotations

from typing import Annotated, Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.feature import per

# What the formula reads of a customer.
OF_INCENTIVE = ("days_since_order", "silence_ratio", "spend_active_year")

Days = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class IncentiveSettings(BaseModel):
    """Table `[incentive]` of onje.toml: from where to where discounts grow."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_days: Days
    full_days: Days
    from_cycles: Days
    full_cycles: Days
    full_spend: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    least_worth: Share
    step: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]

    @model_validator(mode="after")
    def _ways_have_a_length(self) -> Self:
        for start, end in (("from_days", "full_days"), ("from_cycles", "full_cycles")):
            if getattr(self, start) >= getattr(self, end):
                raise ValueError(
                    f"{end} = {getattr(self, end):g} has to lie beyond {start} = "
                    f"{getattr(self, start):g}; the discount grows between them"
                )
        return self


def grown(discount: pl.Expr, most: pl.Expr, incentive: IncentiveSettings) -> pl.Expr:
    """The discount as it has grown for a customer; `discount` where `most` does not exceed it."""
    room = (most - discount).clip(lower_bound=0.0)
    way = (room * _silence(incentive) * _worth(incentive)).fill_null(0.0)
    # Rounded first: a tenth of a millionth below a step is that step.
    steps = per(way.round(9), incentive.step).round(6).floor()
    return (discount + steps * incentive.step).round(9)


def _silence(incentive: IncentiveSettings) -> pl.Expr:
    by_days = _on_the_way("days_since_order", incentive.from_days, incentive.full_days)
    by_cycles = _on_the_way("silence_ratio", incentive.from_cycles, incentive.full_cycles)
    return 0.5 * (by_days + pl.coalesce(by_cycles, by_days))


def _on_the_way(feature: str, start: float, end: float) -> pl.Expr:
    return per(pl.col(feature) - start, end - start).clip(0.0, 1.0)


def _worth(incentive: IncentiveSettings) -> pl.Expr:
    spent = per(pl.col("spend_active_year").fill_null(0.0), incentive.full_spend).clip(0.0, 1.0)
    return incentive.least_worth + (1 - incentive.least_worth) * spent
