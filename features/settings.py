"""What a merchant may choose about how customers are described."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator

from features.nearest import nearest


class FeatureSettings(BaseModel):
    """Table `[features]` of onje.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    default_timezone: Annotated[str, Field(min_length=1)]
    category_depth: Annotated[int, Field(ge=1, le=5)]
    newest_events: Annotated[int, Field(ge=50, le=20_000)]
    hours_half_life_days: Annotated[int, Field(ge=1, le=3_650)]
    mail_echo_hours: Annotated[int, Field(ge=1, le=24)]
    high_value_spend_365d: Annotated[float, Field(gt=0)]
    dormant_after_days: Annotated[int, Field(ge=30, le=1_000)]

    @field_validator("default_timezone")
    @classmethod
    def _zone_is_known(cls, zone: str) -> str:
        known = available_timezones()
        if zone not in known:
            hint = nearest(zone, known, otherwise="write one like Europe/Berlin")
            raise ValueError(f"no time zone is called {zone}; {hint}")
        return zone

    def of_features(self) -> dict[str, Any]:
        """What features depend on, as plain JSON: not where segments end, nor hours of the week."""
        others = {
            "high_value_spend_365d", "dormant_after_days", "hours_half_life_days",
            "mail_echo_hours",
        }  # fmt: skip
        return self.model_dump(mode="json", exclude=others)
