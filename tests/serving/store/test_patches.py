from __future__ import annotations

from serving.store import Patch
from tests.serving.store.rows import NOW


def test_patches_come_in_their_order_with_who_and_when(store):
    assert store.newest_patch() == 0
    first = store.add_patch({"policy": {"cap_24h": 2}}, who="mina", at=NOW)
    second = store.add_patch({"policy": {"cap_24h": 1}}, who="joon", at=NOW)
    assert store.patches() == [
        Patch(first, NOW, "mina", {"policy": {"cap_24h": 2}}),
        Patch(second, NOW, "joon", {"policy": {"cap_24h": 1}}),
    ]
    assert store.newest_patch() == second > first
