"""The clock of an installation, set to the first day after a simulated past."""

from __future__ import annotations

from datetime import datetime

from pipelines.installation import Installation

WHO = "simulate"


def set_clock(onje: Installation, *, start: datetime, now: datetime) -> None:
    """From `now` on every command of this installation sees a day that begins with `start`.

    As a patch in the store, like any other change: every command sees it, every receipt names it.
    """
    offset = max(0, (now - start).days)
    if offset != onje.settings.clock.offset_days:
        onje.store.add_patch({"clock": {"offset_days": offset}}, who=WHO, at=now)
