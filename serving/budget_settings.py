"""What a merchant may choose about how much all customers together get."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class BudgetSettings(BaseModel):
    """Table `[budget]` of onje.toml; 0 = no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mails_per_day: Count
    coupons_per_week: Count
    unsubscribes_per_week: Amount
