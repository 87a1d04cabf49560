"""Each setting of `[features]` changes something: there is none that nothing reads."""

from __future__ import annotations

import polars as pl
import pytest

from features.build import features_as_of
from features.history import to_history
from features.settings import FeatureSettings
from features.tables import EVENTS, PRODUCTS
from tests.features.text import SETTINGS, customers, history, spine, when

OTHER = {
    "base_currency": "EUR",
    "default_timezone": "Asia/Seoul",
    "category_depth": 1,
    "newest_events": 50,
    "high_value_spend_365d": 50.0,
    "dormant_after_days": 60,
}
BOUGHT = history(
    "\n".join(
        f"ann | 2024-0{1 + n // 28}-{1 + n % 28:02}T20:00 | order | order=o{n} | product=p{n % 3}"
        f" | amount=9"
        for n in range(60)
    )
    # Ann is loyal whatever she spends; Bob, of two orders, is of high value or occasional.
    + """
    bob | 2024-01-10T20:00 | order | order=b1 | product=p0 | amount=9
    bob | 2024-02-20T20:00 | order | order=b2 | product=p0 | amount=50
    """
)
EVENTS_OF_BOTH = EVENTS.shape(
    BOUGHT.drop("category").with_columns(currency=pl.lit("USD"), source=pl.lit("test"))
)
SHELF = PRODUCTS.shape(
    pl.DataFrame(
        {
            "product_id": ["p0", "p1", "p2"],
            "category": ["HOME > MUG > RED", "HOME > MUG > BLUE", "DESK > PEN"],
            "available": [True, True, True],
        }
    )
)


def described(settings: FeatureSettings) -> list[dict[str, object]]:
    """Both while they buy, and Ann when she has been silent for months."""
    told = to_history(EVENTS_OF_BOTH, SHELF, settings=settings)
    people = customers({"customer_id": "ann", "known_at": when("2023-01-01")})
    moments = spine(("ann", "2024-03-05"), ("ann", "2024-06-15"), ("bob", "2024-03-05"))
    return features_as_of(told, moments, people, settings=settings).rows(named=True)


# What these two change is the hours (tests/features/test_profiles.py), not the features.
OF_HOURS = {"hours_half_life_days", "mail_echo_hours"}


@pytest.mark.parametrize("name", sorted(FeatureSettings.model_fields.keys() - OF_HOURS))
def test_each_setting_changes_a_description(name: str) -> None:
    other = SETTINGS.model_copy(update={name: OTHER[name]})
    assert getattr(other, name) != getattr(SETTINGS, name)
    assert described(other) != described(SETTINGS)
