"""Every trigger has an e-mail in onje.toml and a page of its own here."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from pipelines.settings import load_settings
from serving.triggers import TRIGGERS
from tests.spec.triggers.spec import whom

ROOT = Path(__file__).parents[3]
SETTINGS = load_settings(ROOT / "onje.toml", patches=[])


def test_every_trigger_is_used_by_an_email_that_ships():
    assert {email.trigger for email in SETTINGS.emails.values()} == set(TRIGGERS)


def test_every_trigger_has_a_page_of_its_own():
    pages = {page.stem.removeprefix("test_") for page in Path(__file__).parent.glob("test_*.py")}
    assert pages - {"catalogue"} == set(TRIGGERS)


def test_at_least_twenty_two_kinds_of_email_ship():
    assert len(SETTINGS.emails) >= 28
    assert len(TRIGGERS) >= 22


def test_every_stage_of_the_journey_has_emails_and_a_tone():
    stages = {stage for email in SETTINGS.emails.values() for stage in email.stages}
    assert {"aware", "consider", "buy"} <= stages
    assert all(SETTINGS.tones.model_dump().values())


@pytest.mark.parametrize(
    ("trigger", "parameter"),
    [(name, parameter) for name, trigger in TRIGGERS.items() for parameter in trigger.parameters],
)
def test_each_parameter_changes_for_whom_an_email_is(trigger, parameter):
    page = import_module(f"tests.spec.triggers.test_{trigger}")
    assert set(page.PARAMETERS) == set(TRIGGERS[trigger].parameters)
    usual = whom(trigger, page.PARAMETERS, page.CUSTOMERS)
    others = [
        whom(trigger, {**page.PARAMETERS, parameter: other}, page.CUSTOMERS) for other in (0, 1e9)
    ]
    assert any(other != usual for other in others)
