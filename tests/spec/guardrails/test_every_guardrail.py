"""Each guardrail has a page of its own here."""

from __future__ import annotations

from pathlib import Path

from serving.guardrails import GUARDRAILS


def test_every_guardrail_is_drawn():
    here = {file.stem.removeprefix("test_") for file in Path(__file__).parent.glob("test_*.py")}
    assert set(GUARDRAILS) - here == set()
