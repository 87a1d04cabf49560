"""Since when each kind of act is missing, and what a customer was worth before the silence."""

from __future__ import annotations

import pytest

from features.build import features_as_of
from features.catalog import MODEL_INPUTS
from features.silence import FEATURES
from tests.features.text import SETTINGS, customers, history, spine

ANN = history("""
    ann | 2023-01-01 | order    | order=o0 | product=p | amount=500
    ann | 2024-02-01 | order    | order=o1 | product=p | amount=30
    ann | 2024-03-01 | order    | order=o2 | product=p | amount=12.5
    ann | 2024-03-02 | view     | product=p
    ann | 2024-03-03 | cart_add | product=p
    ann | 2024-03-04 | redeem
    ann | 2024-03-05 | survey
    ann | 2024-03-06 | consent  | reason=reconfirmed | channel=email
    ann | 2024-03-07 | consent  | reason=denied      | channel=email
    ann | 2024-03-08 | consent  | reason=granted     | channel=sms
    ann | 2024-03-09 | session  | machine=yes
""")


@pytest.mark.parametrize(
    ("as_of", "name", "expected"),
    [
        ("2024-03-11", "days_since_visit", 9),  # a machine's visit is none
        ("2024-03-11", "days_since_cart", 8),
        ("2024-03-11", "days_since_redeem", 7),
        ("2024-03-11", "days_since_survey", 6),
        ("2024-03-11", "days_since_yes", 5),  # no is no yes, nor is a yes to another channel
        ("2024-03-02", "days_since_visit", None),
        ("2024-03-11", "spend_active_year", 42.5),
        # Within a year of the last order, which itself does not move.
        ("2027-03-11", "spend_active_year", 42.5),
        ("2023-06-01", "spend_active_year", 500),
        ("2022-12-01", "spend_active_year", 0),
    ],
)
def test_how_long_ann_has_been_silent(as_of, name, expected):
    told = features_as_of(ANN, spine(("ann", as_of)), customers(), settings=SETTINGS)
    assert told.get_column(name).item() == expected


def test_models_do_not_read_it():
    assert not {feature.name for feature in FEATURES} & set(MODEL_INPUTS)
