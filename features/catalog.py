"""All features, group by group."""

from __future__ import annotations

from features import affinity, engagement, intent, lifecycle, purchases, silence, timing
from features.feature import Feature

GROUPS: dict[str, tuple[Feature, ...]] = {
    "engagement": engagement.FEATURES,
    "purchases": purchases.FEATURES,
    "intent": intent.FEATURES,
    "timing": timing.FEATURES,
    "affinity": affinity.FEATURES,
    "lifecycle": lifecycle.FEATURES,
    "silence": silence.FEATURES,
}

CATALOG: tuple[Feature, ...] = tuple(feature for group in GROUPS.values() for feature in group)

TEXTS = frozenset(
    {
        "preferred_email", "preferred_link", "payment_method", "cart_stage", "favourite_category",
        "last_category", "viewed_category_30d",
    }
)  # fmt: skip

# What only triggers and workflows ask for: models in the field would be refused if inputs grew.
_NOT_LEARNT_FROM = frozenset(
    {
        "unanswered_mails", "unanswered_days", "open_click_days", "days_away", "most_views_7d",
        "days_since_view", "open_searches_7d", "open_search_hours", "days_to_signup_anniversary",
        "anniversary_years", "last_order_value", *(feature.name for feature in silence.FEATURES),
    }
)  # fmt: skip

# A raw hour invites trees to learn single hours by heart; the send hour has a model of its own.
_NOT_FOR_MODELS = TEXTS | _NOT_LEARNT_FROM | {"favourite_hour"}

MODEL_INPUTS: tuple[str, ...] = tuple(
    feature.name for feature in CATALOG if feature.name not in _NOT_FOR_MODELS
)
