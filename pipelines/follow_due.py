"""When to decide on a customer next, though nothing happens to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from serving.settings import ServingSettings
from serving.store import Decided
from serving.store.follow import Cause
from serving.workflow_steps import RUNNING

# What is due at a moment is seen to be due just after it.
JUST_AFTER = timedelta(seconds=1)


def next_cause(decided: Decided, settings: ServingSettings) -> Cause:
    """What time alone makes due after a decision, first of all.

    A wait is asked again at its `valid_until`, a mail that has not left by then is no mail any
    more, and in a running workflow the next step begins when its days have passed.
    """
    until = datetime.fromisoformat(decided.receipt["valid_until"])
    moments = [(until, "time"), *((at, "workflow") for at in _steps(decided, settings))]
    at, why = min((at, why) for at, why in moments if at >= decided.as_of)
    # Named by the decision: what comes after it is decided once, whoever does it.
    return Cause(f"after:{decided.decision_id}", why, at + JUST_AFTER, at + JUST_AFTER)


def _steps(decided: Decided, settings: ServingSettings) -> Iterator[datetime]:
    """When steps of running workflows begin, after the decision."""
    known: Mapping[str, Any] = decided.receipt["features"]
    for name, workflow in settings.workflows.items():
        started = known.get(f"started_days_{name}")
        if started is None:
            continue
        is_running = known.get(f"state_{name}") == RUNNING
        days = [step.after_days for step in workflow.steps] if is_running else []
        # It may begin anew then; while it runs it does not.
        days += [] if is_running else [workflow.again_days]
        for after in days:
            if after > started:
                yield decided.as_of + timedelta(days=after - started)
