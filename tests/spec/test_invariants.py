"""I1 to I8 hold whatever happens: events, decisions, a stepping clock, changes of mind."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.spec.machine import Shop

CALM = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)

TestAFewLives = Shop.TestCase
TestAFewLives.settings = settings(
    max_examples=10, stateful_step_count=15, deadline=None, derandomize=True,
    suppress_health_check=CALM,
)  # fmt: skip


@pytest.mark.long
class TestManyLives(Shop.TestCase):
    settings = settings(
        max_examples=1_000, stateful_step_count=50, deadline=None, suppress_health_check=CALM
    )
