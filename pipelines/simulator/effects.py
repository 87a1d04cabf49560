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
    "checkout_left": Effect(click=0.080, order=0.35, anyway=0.6, open=1.4, unsubscribe=0.5),
    "browse_reminder": Effect(click=0.035, order=0.18, anyway=0.5, open=1.2, unsubscribe=0.6),
    "search_followup": Effect(click=0.035, order=0.18, anyway=0.5, open=1.2, unsubscribe=0.6),
    "new_similar": Effect(click=0.020, order=0.14, anyway=0.4, open=1.1, unsubscribe=0.8),
    "new_in_favourite": Effect(click=0.020, order=0.15, anyway=0.4, open=1.1, unsubscribe=0.8),
    "price_drop": Effect(click=0.045, order=0.22, anyway=0.4, open=1.3, unsubscribe=0.5),
    "purchase_thanks": Effect(click=0.030, order=0.03, anyway=0.5, open=1.6, unsubscribe=0.3),
    "usage_tips": Effect(click=0.030, order=0.03, anyway=0.5, open=1.4, unsubscribe=0.4),
    "related_products": Effect(click=0.022, order=0.12, anyway=0.4, open=1.1, unsubscribe=0.7),
    "birthday": Effect(click=0.035, order=0.20, anyway=0.3, open=1.4, unsubscribe=0.4),
    "signup_anniversary": Effect(click=0.025, order=0.16, anyway=0.3, open=1.2, unsubscribe=0.6),
    "click_followup": Effect(click=0.040, order=0.18, anyway=0.5, open=1.1, unsubscribe=0.9),
    "site_return": Effect(click=0.030, order=0.18, anyway=0.5, open=1.1, unsubscribe=0.7),
    "vip_offer": Effect(click=0.025, order=0.20, anyway=0.5, open=1.2, unsubscribe=0.6),
    "first_purchase_nudge": Effect(click=0.025, order=0.12, anyway=0.2, open=1.1, unsubscribe=1.1),
    "feedback_request": Effect(click=0.015, order=0.03, anyway=0.3, open=1.0, unsubscribe=1.0),
    "opt_in_renewal": Effect(click=0.050, order=0.02, anyway=0.3, open=1.2, unsubscribe=1.5),
    "brand_story": Effect(click=0.015, order=0.07, anyway=0.3, open=1.1, unsubscribe=0.9),
    "social_proof": Effect(click=0.015, order=0.09, anyway=0.3, open=1.0, unsubscribe=0.9),
    "comparison": Effect(click=0.025, order=0.15, anyway=0.4, open=1.0, unsubscribe=0.8),
    "case_or_trial": Effect(click=0.022, order=0.14, anyway=0.4, open=1.0, unsubscribe=0.8),
    "time_limited_offer": Effect(click=0.040, order=0.25, anyway=0.6, open=1.2, unsubscribe=1.0),
    "payment_benefit": Effect(click=0.035, order=0.24, anyway=0.6, open=1.1, unsubscribe=0.8),
    "premium_range": Effect(click=0.014, order=0.12, anyway=0.4, open=1.0, unsubscribe=0.9),
    "consent_notice": Effect(click=0.010, order=0.01, anyway=0.3, open=1.0, unsubscribe=0.5),
}
# The trigger of whatever a workflow sends says nothing of it; the e-mail's own name does.
BY_NAME = "workflow_step"

# The places of the kinds, by which mails in numbers name them.
TRIGGER_NUMBER: Mapping[str, int] = {name: number for number, name in enumerate(EFFECTS)}


def kind_of(email: str, trigger: str) -> str:
    """The kind in EFFECTS that a mail is of; one that nobody has heard of is a newsletter.

    `win_back_2` is a `win_back`.
    """
    name = email.rstrip("0123456789").rstrip("_") if trigger == BY_NAME else trigger
    return name if name in EFFECTS else PLAIN


def base(figure: str) -> Floats:
    """One figure of all kinds, in their order."""
    return np.array([getattr(effect, figure) for effect in EFFECTS.values()])
