"""What a merchant may choose about how customers are described."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class FeatureSettings(BaseModel):
    """Table `[features]` of onje.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    default_timezone: Annotated[str, Field(min_length=1)]
    category_depth: Annotated[int, Field(ge=1, le=5)]
    newest_events: Annotated[int, Field(ge=50, le=20_000)]
    high_value_spend_365d: Annotated[float, Field(gt=0)]
    dormant_after_days: Annotated[int, Field(ge=30, le=1_000)]

    def of_features(self) -> dict[str, Any]:
        """What features depend on, as plain JSON: all but where segments end."""
        return self.model_dump(mode="json", exclude={"high_value_spend_365d", "dormant_after_days"})
