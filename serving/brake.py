"""How much marketing may leave while customers report mail as spam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from serving.conditions import Conditions
from serving.guardrail_settings import BrakeSettings, CapsSettings

State = Literal["off", "halved", "stopped"]


@dataclass(frozen=True)
class Brake:
    """Whether marketing is slowed down, and of how many e-mails how many were reported."""

    state: State
    complaints: int
    delivered: int
    least_delivered: int

    @property
    def because(self) -> str:
        """In words: "12 of 9,000 e-mails of the last 7 days were reported as spam".

        Where fewer arrived than are supposed, that is said too.
        """
        few = self.delivered < self.least_delivered
        supposed = f"; so few count as {self.least_delivered:,}" if few else ""
        return (
            f"{self.complaints:,} of {self.delivered:,} e-mails of the last 7 days "
            f"were reported as spam{supposed}"
        )


def brake_of(conditions: Conditions, settings: BrakeSettings) -> Brake:
    """The brake under these conditions.

    Mailbox providers judge the share they see, so no lower bound is taken of it. Where fewer than
    `least_delivered` arrived, as many are supposed: one complaint among 50 stops nobody, six do,
    and the share never falls by a complaint more.
    """
    complaints, delivered = conditions.complaints_7d, conditions.delivered_7d
    share = complaints / max(delivered, settings.least_delivered)
    state: State = "off"
    if share >= settings.halve_at:
        state = "stopped" if share >= settings.stop_at else "halved"
    return Brake(state, complaints, delivered, settings.least_delivered)


def caps_under(brake: Brake, caps: CapsSettings) -> CapsSettings:
    """The caps in force: those of marketing are halved while the brake is on."""
    if brake.state == "off":
        return caps
    return caps.model_copy(update={"marketing": caps.marketing.halved()})
