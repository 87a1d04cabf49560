from __future__ import annotations

from datetime import timedelta

import pytest

from features.errors import DataError
from serving.store import Patch
from tests.serving.store.rows import NOW

LATER = NOW + timedelta(hours=1)


def test_patches_come_in_their_order_with_who_and_when(store):
    assert store.patches() == []
    first = store.add_patch({"caps": {"marketing": {"per_24h": 2}}}, who="mina", at=NOW)
    second = store.add_patch({"caps": {"marketing": {"per_24h": 1}}}, who="joon", at=NOW)
    assert second > first
    assert store.patches() == [
        Patch(first, NOW, "mina", {"caps": {"marketing": {"per_24h": 2}}}, None, None),
        Patch(second, NOW, "joon", {"caps": {"marketing": {"per_24h": 1}}}, None, None),
    ]


def test_a_patch_taken_back_is_no_longer_in_force_and_stays_in_the_history(store):
    first = store.add_patch({"caps": {"marketing": {"per_24h": 2}}}, who="mina", at=NOW)
    second = store.add_patch({"caps": {"marketing": {"per_7d": 4}}}, who="mina", at=NOW)
    store.undo_patch(first, who="joon", at=LATER)
    store.undo_patch(first, who="mina", at=LATER + timedelta(hours=1))  # too late to be the one
    assert [patch.version for patch in store.patches()] == [second]
    undone, in_force = store.all_patches()
    assert (undone.undone_at, undone.undone_by) == (LATER, "joon")
    assert (undone.who, undone.patch) == ("mina", {"caps": {"marketing": {"per_24h": 2}}})
    assert in_force.undone_at is None
    third = store.add_patch({"caps": {"marketing": {"per_24h": 3}}}, who="mina", at=LATER)
    assert [patch.version for patch in store.patches()] == [second, third]


def test_what_was_never_made_cannot_be_taken_back(store):
    version = store.add_patch({"caps": {"marketing": {"per_24h": 2}}}, who="mina", at=NOW)
    with pytest.raises(DataError, match=f"version 99; there are {version}"):
        store.undo_patch(99, who="joon", at=NOW)
    assert len(store.patches()) == 1
