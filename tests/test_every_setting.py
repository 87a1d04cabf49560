"""No setting without a test in which another value changes something; none is listed here twice.

What decides has a parametrised test of each setting, and its parameters are read from that test.
Of how models are trained, features are told and the service runs, a test module names each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from inspect import getsource
from types import ModuleType
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from pipelines.settings import Settings
from tests.features import test_profiles
from tests.features import test_settings as test_feature_settings
from tests.pipelines import (
    test_experiments,
    test_follow_settings,
    test_prices,
    test_pull,
    test_retention,
)
from tests.pipelines import test_settings as test_settings_file
from tests.serving import test_incentive, test_segments, test_settings
from tests.serving.access import test_limits, test_sockets
from tests.serving.api import (
    test_batching,
    test_logs,
    test_service_settings,
    test_tracing,
    test_unsubscribing,
)
from tests.spec.experiments import test_dealing
from tests.spec.workflows import test_own_workflow
from tests.training import (
    test_affinity,
    test_churn,
    test_dormancy,
    test_dormancy_date,
    test_evaluate,
    test_experiment,
    test_gate,
    test_personal,
    test_response,
    test_send_hour,
    test_trees,
    test_tune,
)
from tests.training.offpolicy import test_estimators, test_logged
from training.settings import TreeSettings

# Table -> the tests that try each of its settings.
TRIED: dict[str, tuple[Callable[..., Any], ...]] = {
    "policy": (test_settings.test_each_setting_of_the_policy_changes_a_decision,),
    "emails.*": (test_settings.test_each_setting_of_an_email_changes_a_decision,),
    "caps.marketing": (test_settings.test_each_cap_changes_a_decision,),
    "caps.service": (test_settings.test_each_cap_changes_a_decision,),
    "caps.all": (test_settings.test_the_peace_between_the_classes_changes_a_decision,),
    "brake": (test_settings.test_each_setting_of_the_brake_changes_a_decision,),
    "law": (test_settings.test_each_setting_of_the_law_changes_a_decision,),
    "budget": (test_prices.test_each_budget_changes_who_gets_what,),
    "incentive": (test_incentive.test_each_setting_changes_a_discount,),
    "tones": (test_segments.test_the_tone_of_a_stage_is_a_setting,),
    "segments.*": (
        test_segments.test_each_setting_of_a_segment_changes_who_is_in_it_or_what_is_said_of_it,
    ),
    "workflows.*": (
        test_own_workflow.test_each_setting_changes_where_somebody_stands,
        test_own_workflow.test_the_page_of_workflows_says_it,
    ),
    "workflows.*.steps.*": (
        test_own_workflow.test_each_setting_of_a_step_changes_where_somebody_stands,
    ),
    "experiments.*": (
        test_dealing.test_each_setting_changes_who_is_dealt_what,
        test_experiments.test_each_setting_of_what_counts_changes_what_is_counted,
    ),
}
# Table -> the modules that name each of its settings. How trees are grown is tried once for all.
NAMED: dict[str, tuple[ModuleType, ...]] = {
    "clock": (test_settings_file,),
    "retention": (test_retention,),
    "features": (test_feature_settings, test_profiles),
    "service": (
        test_service_settings,
        test_batching,
        test_logs,
        test_pull,
        test_tracing,
        test_unsubscribing,
    ),  # fmt: skip
    "access": (test_limits, test_sockets),
    "follow": (test_follow_settings,),
    "outputs.*": (test_follow_settings,),
    "outbound": (test_follow_settings,),
    "training.resampling": (test_gate, test_evaluate),
    "training.churn": (test_churn, test_tune),
    "training.dormancy": (test_dormancy,),
    "training.dormancy_date": (test_dormancy_date,),
    "training.send_hour": (test_send_hour,),
    "training.affinity": (test_affinity,),
    "training.response": (test_response, test_personal),
    "training.offpolicy": (test_estimators, test_logged),
    "training.tuning": (test_tune,),
    "training.experiments": (test_experiment,),
}
OF_TREES = (
    test_trees.test_each_setting_changes_the_trees,
    test_trees.test_lightgbm_is_told_the_seed,
)


def settings_of(
    model: type[BaseModel], table: str = ""
) -> Iterator[tuple[str, str, type[BaseModel]]]:
    """Table, name and model of each setting; "*" is a name or a place that a merchant gives."""
    for name, field in model.model_fields.items():
        place = f"{table}.{name}".lstrip(".")
        inside = [
            one
            for one in (field.annotation, *get_args(field.annotation))
            if isinstance(one, type) and issubclass(one, BaseModel)
        ]
        if not inside:
            yield table, name, model
        for one in inside:
            is_one = one is field.annotation
            yield from settings_of(one, place if is_one else f"{place}.*")
            if table and not is_one:
                yield table, name, model  # how many there are, and which, is a choice, too


def tried_by(test: Callable[..., Any]) -> set[str]:
    """The settings that a test is parametrised by."""
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    return {str(one) for mark in marks if mark.args[0] in ("name", "stage") for one in mark.args[1]}


SETTINGS = list(settings_of(Settings))


def test_the_walk_finds_every_table():
    assert {table for table, _, _ in SETTINGS} == TRIED.keys() | NAMED.keys()
    found = {(table, name) for table, name, _ in SETTINGS}
    assert found > {
        ("workflows.*.steps.*", "after_days"), ("workflows.*", "steps"),
        ("training.churn", "rounds"), ("caps.all", "min_gap_hours"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("table", "name", "model"), SETTINGS, ids=[f"{table}.{name}" for table, name, _ in SETTINGS]
)
def test_each_setting_is_tried(table, name, model):
    if issubclass(model, TreeSettings) and name in TreeSettings.model_fields:
        tests = OF_TREES
    elif table in TRIED:
        tests = TRIED[table]
    else:
        named = any(re.search(rf"\b{name}\b", getsource(module)) for module in NAMED[table])
        assert named, f"no test of [{table}] names {name}; write one"
        return
    assert any(name in tried_by(test) for test in tests), (
        f"no world in which another {name} of [{table}] changes anything; write one"
    )


@pytest.mark.parametrize("table", TRIED)
def test_nothing_is_tried_that_there_is_not(table):
    there = {name for place, name, _ in SETTINGS if place == table}
    assert set.union(*(tried_by(test) for test in TRIED[table])) == there
