"""What a merchant may choose about decisions: the e-mails, their rules and what they are worth."""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from features.nearest import nearest_of
from serving.access.settings import AccessSettings
from serving.budget_settings import BudgetSettings
from serving.experiment_settings import ExperimentSettings, refuse_clashes
from serving.guardrail_settings import (
    BrakeSettings,
    CapsSettings,
    Day,
    LawSettings,
    MailClass,
)
from serving.incentive import IncentiveSettings
from serving.logs import Form
from serving.segment_settings import (
    SegmentSettings,
    TonesSettings,
    columns_asked,
    refuse_unknown_customers,
)
from serving.triggers import TRIGGERS
from serving.workflow_settings import WorkflowSettings, refuse_strangers

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Variant = Annotated[str, Field(min_length=1, max_length=64)]
Hour = Annotated[int, Field(ge=0, le=23)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

LONGEST_DEADLINE_HOURS = 336
LONGEST_LIST = 50  # of the products that an e-mail shows


class PolicySettings(BaseModel):
    """Table `[policy]` of onje.toml: what holds for every e-mail."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quiet_from_hour: Hour
    quiet_until_hour: Hour
    default_hour: Hour
    allowed_days: Annotated[tuple[Day, ...], Field(min_length=1)]
    recently_bought_days: Amount
    due_share: Positive
    margin: Share
    typical_basket: Amount
    products_per_order: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    mailable_value: Amount
    mailable_share: Share
    fatigue: Amount
    hour_pull: Annotated[float, Field(ge=0, le=2)]
    hour_certainty: Annotated[float, Field(ge=0.5, lt=1)]
    fit_weight: Annotated[float, Field(ge=0, lt=2)]
    gain_certainty: Annotated[float, Field(ge=0.5, lt=1)]
    reservation_hours: Positive
    ask_again_hours: Positive
    holdout_share: Share
    explore_emails: Share
    explore_emails_at_first: Share
    first_days: Amount
    explore_hours: Share
    seed: Annotated[int, Field(ge=0, lt=2**31)]

    @property
    def quiet_hours(self) -> tuple[int, ...]:
        """The local hours in which no mail may leave; none where both ends are the same."""
        length = (self.quiet_until_hour - self.quiet_from_hour) % 24
        return tuple((self.quiet_from_hour + step) % 24 for step in range(length))

    @model_validator(mode="after")
    def _default_hour_is_allowed(self) -> Self:
        if self.default_hour in self.quiet_hours:
            raise ValueError(
                f"default_hour {self.default_hour} lies in the quiet hours from "
                f"{self.quiet_from_hour} until {self.quiet_until_hour}; choose another hour"
            )
        return self


class EmailSettings(BaseModel):
    """Table `[emails.NAME]` of onje.toml: one e-mail of the catalogue."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trigger: str
    mail_class: MailClass
    stages: tuple[str, ...]
    when: str
    by_human: tuple[str, ...]
    enabled: bool
    at_once: bool
    delay_hours: Amount
    deadline_hours: Annotated[float, Field(gt=0, le=LONGEST_DEADLINE_HOURS)]
    half_life_hours: Positive
    settles_hours: Positive
    repeat_days: Amount
    variants: Annotated[tuple[Variant, ...], Field(min_length=1)]
    products: Annotated[int, Field(ge=0, le=LONGEST_LIST)]
    click_rate: Share
    orders_per_click: Share
    bought_anyway: Share
    unsubscribe_rate: Share
    discount: Share
    discount_most: Share
    send_cost: Amount
    coupon: str
    tone: str
    parameters: dict[str, Amount]

    @field_validator("trigger")
    @classmethod
    def _trigger_is_known(cls, trigger: str) -> str:
        if trigger not in TRIGGERS:
            raise ValueError(f"no trigger is called {trigger}; {nearest_of(trigger, TRIGGERS)}")
        return trigger

    @field_validator("variants")
    @classmethod
    def _variants_differ(cls, variants: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(variants)) < len(variants):
            raise ValueError(f"each variant once; found {', '.join(variants)}")
        return variants

    @model_validator(mode="after")
    def _parameters_are_the_triggers(self) -> Self:
        wanted = set(TRIGGERS[self.trigger].parameters)
        found = set(self.parameters)
        if wanted != found:
            missing = ", ".join(sorted(wanted - found)) or "nothing"
            unknown = ", ".join(sorted(found - wanted)) or "nothing"
            raise ValueError(
                f"trigger {self.trigger} takes {', '.join(sorted(wanted))}; "
                f"missing: {missing}; unknown: {unknown}"
            )
        return self

    @model_validator(mode="after")
    def _discount_grows(self) -> Self:
        if self.discount_most and self.discount_most < self.discount:
            raise ValueError(
                f"discount_most {self.discount_most:g} is less than discount {self.discount:g}; "
                "write how far it may grow, or 0 if it stays as it is"
            )
        return self

    @model_validator(mode="after")
    def _delay_ends_before_the_deadline(self) -> Self:
        if self.delay_hours >= self.deadline_hours:
            raise ValueError(
                f"delay_hours {self.delay_hours:g} leaves no time before deadline_hours "
                f"{self.deadline_hours:g}"
            )
        return self


class ServiceSettings(BaseModel):
    """Table `[service]` of onje.toml: how the service uses its machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workers: Annotated[int, Field(ge=1, le=256)]
    threads: Annotated[int, Field(ge=1, le=64)]
    largest_batch: Annotated[int, Field(ge=1, le=1_000)]
    gather_ms: Annotated[float, Field(ge=0, le=1_000)]
    waiting_most: Annotated[int, Field(ge=1, le=100_000)]
    timeout_seconds: Annotated[int, Field(ge=1, le=60)]
    patience_seconds: Annotated[float, Field(gt=0, le=30)]
    reload_seconds: Annotated[float, Field(gt=0, le=5)]
    pull_seconds: Annotated[float, Field(ge=0, le=86_400)]
    warm_up_customers: Annotated[int, Field(ge=0, le=1_000)]
    log: Form
    access_log_share: Annotated[float, Field(ge=0, le=1)]
    tracing_share: Annotated[float, Field(ge=0, le=1)]
    unsubscribe_url: Annotated[str, Field(max_length=500, pattern=r"^(https://[^\s?#]+)?$")]


class DecidingTables(BaseModel):
    """The tables of onje.toml of which decisions are made, and whether they go together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: PolicySettings
    emails: Annotated[dict[Name, EmailSettings], Field(min_length=1)]
    service: ServiceSettings
    access: AccessSettings
    caps: CapsSettings
    brake: BrakeSettings
    budget: BudgetSettings
    law: LawSettings
    experiments: dict[Name, ExperimentSettings]
    workflows: dict[Name, WorkflowSettings]
    incentive: IncentiveSettings
    segments: dict[Name, SegmentSettings]
    tones: TonesSettings

    @model_validator(mode="after")
    def _tables_go_together(self) -> Self:
        refuse_unknown_customers(self.emails, self.segments)
        refuse_clashes(self.experiments, emails=self.emails, quiet_hours=self.policy.quiet_hours)
        refuse_strangers(self.workflows, self.emails, columns_asked(self.segments))
        return self

    def __copy__(self) -> Self:
        """Without what was derived and kept: model_copy may change what it was derived from."""
        copied = super().__copy__()
        for name in set(copied.__dict__) - set(type(self).model_fields):
            del copied.__dict__[name]
        return copied


class ServingSettings(DecidingTables):
    """What the serving layer reads of onje.toml."""

    def __hash__(self) -> int:
        return hash(self.policy_version)

    @cached_property
    def policy_version(self) -> str:
        """SHA-256 of whatever decides; the e-mails in their order."""
        decides = self.model_dump_json(exclude={"service", "access"})
        return sha256(decides.encode()).hexdigest()

    @cached_property
    def catalogue_version(self) -> str:
        """SHA-256 of the e-mails in their order."""
        return sha256(self.model_dump_json(include={"emails"}).encode()).hexdigest()
