"""Segments of the merchant's own, for whom an e-mail is meant, who writes it and how it speaks."""

from __future__ import annotations

import polars as pl
import pytest
from pydantic import ValidationError

from serving.catalogue_docs import journey
from serving.segment_settings import SegmentSettings, with_own_segments
from tests.serving.shop import SHOP, arm_of, customer, decision_for, questions_about, shop

BORED = {"days_since_order": 5.0}  # a recommendation applies


TONES = dict.fromkeys(("aware", "consider", "buy", "after", "dormant"), "cheerful")


def told_of_all(settings):
    return list(journey(settings))


def segments_of_ann(settings):
    return questions_about([customer()], settings)["own_segments"].to_list()


# Setting -> another value, and where it shows.
SEGMENT = {"when": ("basket_value >= 40", segments_of_ann), "meaning": ("spenders", told_of_all)}


def recommended(change, **differs):
    settings = shop({}, {"recommendation": change})
    return decision_for(settings, **{**BORED, **differs})


def test_an_email_for_some_stages_goes_to_nobody_else():
    assert recommended({"stages": ["after"]})["email"] == "recommendation"
    assert recommended({"stages": ["buy", "aware"]})["email"] is None
    assert recommended({"stages": ["buy", "aware"]}, stage="aware")["email"] == "recommendation"


def test_an_email_goes_only_where_its_condition_holds():
    assert recommended({"when": "orders >= 5"})["email"] == "recommendation"
    assert recommended({"when": "orders >= 6"})["email"] is None
    assert recommended({"when": "churn > 0.9"}, churn=None)["email"] is None


def test_a_condition_may_ask_for_a_segment_of_ones_own():
    assert recommended({"when": "is_big_basket"})["email"] is None
    assert recommended({"when": "is_big_basket"}, basket_value=100.0)["email"] == "recommendation"


@pytest.mark.parametrize("when", ["is_wavering", "NOT is_wavering"])
def test_of_whom_a_segment_cannot_be_decided_its_opposite_does_not_hold_either(when):
    segments = {"wavering": {"meaning": "may leave", "when": "churn > 0.5"}}
    settings = shop({}, {"recommendation": {"when": when}}, segments=segments)
    churns = {"is_wavering": 0.9, "NOT is_wavering": 0.1}
    for name, churn in churns.items():
        asked = decision_for(settings, **BORED, churn=churn)
        assert (asked["email"] == "recommendation") == (name == when)
    assert decision_for(settings, **BORED, churn=None)["email"] is None


def test_own_segments_are_those_that_hold():
    segments = {name: SegmentSettings(meaning="m", when=when) for name, when in WHICH.items()}
    people = pl.DataFrame({"churn": [0.9, 0.1, None]})
    told = with_own_segments(people, segments)
    assert told["is_wavering"].to_list() == [True, False, None]
    assert told["own_segments"].to_list() == [["wavering"], ["staying"], ["unknown"]]


WHICH = {"wavering": "churn > 0.5", "staying": "NOT churn > 0.5", "unknown": "churn IS NULL"}


def test_a_person_writes_to_customers_of_some_segments():
    assert recommended({})["by"] == "mail"
    assert recommended({"by_human": ["loyal"]})["by"] == "human"
    assert recommended({"by_human": ["big_basket"]})["by"] == "mail"
    assert recommended({"by_human": ["big_basket"]}, basket_value=100.0)["by"] == "human"


def test_an_email_without_a_tone_speaks_as_the_stage_asks():
    assert recommended({"tone": "dry"})["tone"] == "dry"
    assert recommended({"tone": ""}, stage="after")["tone"] == SHOP.tones.after
    assert recommended({"tone": ""}, stage="aware")["tone"] == SHOP.tones.aware


@pytest.mark.parametrize("stage", TONES)
def test_the_tone_of_a_stage_is_a_setting(stage):
    tones = {**SHOP.tones.model_dump(), stage: TONES[stage]}
    settings = shop({}, {"recommendation": {"tone": ""}}, tones=tones)
    assert decision_for(settings, **BORED, stage=stage)["tone"] == TONES[stage]


@pytest.mark.parametrize("name", SEGMENT)
def test_each_setting_of_a_segment_changes_who_is_in_it_or_what_is_said_of_it(name):
    other, shown = SEGMENT[name]
    own = SHOP.segments["big_basket"].model_dump()
    assert shown(SHOP) != shown(shop({}, {}, segments={"big_basket": {**own, name: other}}))


def test_an_email_that_is_not_meant_for_them_tells_that_it_does_not_apply():
    arm = arm_of(recommended({"stages": ["buy"]}), "recommendation")
    assert (arm["applies"], arm["because"]) == (False, None)


@pytest.mark.parametrize(
    ("change", "segments", "said"),
    [
        ({"stages": ["afer"]}, {}, "no stage is called afer; did you mean after?"),
        ({"by_human": ["loyl"]}, {}, "no segment is called loyl; did you mean loyal?"),
        ({"when": "is_whale"}, {}, "nothing is called is_whale"),
        ({"when": "orderz > 1"}, {}, "nothing is called orderz; did you mean orders?"),
        ({}, {"loyal": {"meaning": "m", "when": "orders > 1"}}, "is one of Onje's own"),
        ({}, {"mine": {"meaning": "m", "when": "is_other"}}, "nothing is called is_other"),
        ({}, {"mine": {"meaning": "m", "when": "SUM(orders) > 1"}}, "one customer at a time"),
    ],
)
def test_what_there_is_not_is_refused_in_words(change, segments, said):
    with pytest.raises(ValidationError) as refused:
        shop({}, {"recommendation": change}, segments=segments)
    assert said in str(refused.value)
