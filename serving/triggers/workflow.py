"""Nothing of their own doing: a workflow says that its next step is due."""

from __future__ import annotations

import polars as pl

from serving.triggers.trigger import NOTHING_HAPPENED, Trigger
from serving.workflow_settings import WORKFLOW_STEP

STEP = Trigger(
    name=WORKFLOW_STEP,
    family="Workflows",
    meaning="its step of a workflow is due; nothing else sends it",
    parameters={},
    # Whose step is due, and how that is said, serving.workflows knows.
    applies=lambda p: pl.lit(False),
    because=lambda p: pl.lit(None, pl.String),
    since_hours=NOTHING_HAPPENED,
    picks="ranked",
)

TRIGGERS = (STEP,)
