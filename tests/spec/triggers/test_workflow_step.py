"""Workflow step: nothing of their own doing; the workflow alone says when it goes.

When a step is due is told in tests/spec/workflows.
"""

from __future__ import annotations

from serving.candidates import candidates_of
from tests.serving.shop import customer, questions_about
from tests.spec.triggers.spec import only


def test_without_a_workflow_it_never_goes():
    settings = only("workflow_step", {})
    silent = [customer(days_since_order=400.0), customer(orders=0.0, days_since_order=None)]
    arms = candidates_of(questions_about(silent, settings), settings)
    assert arms["applies"].to_list() == [False, False]
