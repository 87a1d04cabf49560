"""Worlds are known by name, differ in what they say, and cannot be impossible."""

import pytest

from features.errors import SettingsError
from pipelines.simulator.world import create
from pipelines.simulator.worlds import DEFAULT, WORLDS, altered, known_world

DIFFERS = {
    "default": set(),
    "null-hour": {"hour_gain"},
    "small-hour": {"hour_gain"},
    "strong-hour": {"hour_gain"},
    "null-everything": {"mail_works"},
    "bot-flood": {"gateway_share", "scanned_share"},
    "mpp": {"mpp_share"},
    "confounded": {"night_mails"},
    "tiny": {"customers", "history_weeks"},
    "drift": {"drift"},
    "fatigue": {"fatigue", "annoyance"},
    "rich": {"click_factor"},
}


def test_each_world_differs_from_the_default_in_nothing_else():
    changed = {
        name: {
            field
            for field, value in world.model_dump().items()
            if value != getattr(DEFAULT, field) and field != "name"
        }
        for name, world in WORLDS.items()
    }
    assert changed == DIFFERS


def test_an_unknown_world_lists_the_known_ones():
    with pytest.raises(SettingsError, match="no world 'warm'; known are default, null-hour"):
        known_world("warm")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"drift": 1.5}, "drift is 1.5.*at least 0.*at most 1"),
        ({"fatigue": -1}, "fatigue is -1.*at least 0, at most 3"),
        ({"open_rate": 0}, "open_rate is 0.*more than 0"),
        ({"opens": 0.1}, "opens is 0.1: no such figure; known are name"),
    ],
)
def test_an_impossible_world_is_refused_with_the_range(changes, said):
    with pytest.raises(SettingsError, match=said):
        altered(DEFAULT, **changes)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ({"customers": 0}, "0 customers; give a number from 1 to 1000000"),
        ({"history_weeks": 0}, "0 history weeks; give a number from 1 to 260"),
        ({"weeks": -1}, "-1 weeks; give a number from 0 to 260"),
        ({"seed": -1}, "seed is -1; give a number from 0"),
    ],
)
def test_an_impossible_size_is_refused_with_the_range(size, said):
    given = {"customers": 10, "history_weeks": 1, "weeks": 1, "seed": 1} | size
    with pytest.raises(SettingsError, match=said):
        create(DEFAULT, **given)
