"""What each kind of mail does to the average customer: the base rates of the world's truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.simulator.arrays import Floats


@dataclass(frozen=True)
class Effect:
    """`click`, `open`, `unsubscribe` multiply; `order` is the chance of an order after a click."""

    click: float  # chance of a click by the average customer, at the average hour, well fitting
    order: float
    anyway: float  # of these orders: chance that the next own one is the one that was brought on
    open: float
    unsubscribe: float


PLAIN = "recommendation"
EFFECTS: Mapping[str, Effect] = {
    "recommendation": Effect(click=0.011, order=0.14, anyway=0.4, open=1.0, unsubscribe=1.0),
    "cart_reminder": Effect(click=0.070, order=0.30, anyway=0.5, open=1.4, unsubscribe=0.5),
    "welcome": Effect(click=0.060, order=0.22, anyway=0.3, open=1.5, unsubscribe=0.8),
    "win_back": Effect(click=0.012, order=0.10, anyway=0.1, open=1.0, unsubscribe=1.8),
    "coupon_by_category": Effect(click=0.015, order=0.16, anyway=0.4, open=1.0, unsubscribe=0.9),
    "replenishment": Effect(click=0.030, order=0.30, anyway=0.7, open=1.2, unsubscribe=0.6),
    "review_request": Effect(click=0.025, order=0.04, anyway=0.5, open=1.2, unsubscribe=0.5),
}

# The places of the kinds, by which mails in numbers name them.
TRIGGER_NUMBER: Mapping[str, int] = {name: number for number, name in enumerate(EFFECTS)}


def base(figure: str) -> Floats:
    """One figure of all kinds, in their order."""
    return np.array([getattr(effect, figure) for effect in EFFECTS.values()])
