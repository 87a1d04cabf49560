"""What a merchant may choose about how often, to whom and under which law mail leaves."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from serving.countries import COUNTRIES

# Marketing wants to sell. Service tells of what the customer did or has: it has caps of its own and
# goes past the complaint brake. Transactional is part of a deal that was made, or an answer that is
# owed: it passes whatever is about how often and when.
MailClass = Literal["marketing", "service", "transactional"]
TRANSACTIONAL = "transactional"
MARKETING = "marketing"
# Those whose e-mails are counted.
CAPPED = ("marketing", "service")

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)

Hours = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Cap = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class ClassCaps(BaseModel):
    """Table `[caps.CLASS]`: how many e-mails of one class a customer gets, and how close."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_24h: Cap
    per_7d: Cap
    per_30d: Cap
    min_gap_hours: Hours

    @model_validator(mode="after")
    def _caps_widen(self) -> Self:
        if not self.per_24h <= self.per_7d <= self.per_30d:
            raise ValueError("write per_24h <= per_7d <= per_30d; a longer window allows no less")
        return self

    def halved(self) -> ClassCaps:
        """Half of each, rounded down, and never less than one."""
        names = ("per_24h", "per_7d", "per_30d")
        return self.model_copy(update={name: max(1, getattr(self, name) // 2) for name in names})


class AllCaps(BaseModel):
    """Table `[caps.all]`: what holds between two e-mails of any class but transactional."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_gap_hours: Hours


class CapsSettings(BaseModel):
    """Tables `[caps.*]` of onje.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    marketing: ClassCaps
    service: ClassCaps
    all: AllCaps


class BrakeSettings(BaseModel):
    """Table `[brake]` of onje.toml: at which share of complaints marketing slows down and stops."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    halve_at: Share
    stop_at: Share
    least_delivered: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _halves_before_it_stops(self) -> Self:
        if self.halve_at > self.stop_at:
            raise ValueError("write halve_at <= stop_at; the brake halves before it stops")
        return self


class LawSettings(BaseModel):
    """Table `[law]` of onje.toml: whose law holds where nobody knows the customer's country."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default_country: str
    silence_ends_consent: bool

    @field_validator("default_country")
    @classmethod
    def _default_country_is_one(cls, country: str) -> str:
        if country not in COUNTRIES:
            raise ValueError("write the two capital letters of ISO 3166, as in KR or DE")
        return country
